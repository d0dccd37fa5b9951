/** Attacks a database of its own in every way that is known, and looks whether each is found as what it is. */
import type { AuditFinding, AuditReport } from "@runproof/schemas/AuditReport";
import type {
  AuditUnfinished,
  DatabaseError,
  StoredDataUnreadable,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Result from "effect/Result";
import { AttackLab, type Drift } from "./AttackLab.ts";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import type {
  Attack,
  DatabaseAttack,
  HonestDatabase,
  ProofAttack,
  RefusedAttack,
  RowPlan,
  RunAttack,
  PassingAttack,
  Victims,
} from "./internal/Attack.ts";
import { judge, shareFindings } from "./internal/AttackJudge.ts";
import { type AttackRow, attackTable } from "./internal/AttackTable.ts";
import { databaseAttacks, KEPT_SOURCE, passingAttacks } from "./internal/databaseAttacks.ts";
import type { RunRows } from "./internal/Forgery.ts";
import { text } from "./internal/Forgery.ts";
import { appendSteps, makeHonestDatabase, openRun, sealRun } from "./internal/HonestRuns.ts";
import { logAttacks } from "./internal/logAttacks.ts";
import { proofAttacks } from "./internal/proofAttacks.ts";
import { refusedAttacks } from "./internal/refusedAttacks.ts";
import { runAttacks } from "./internal/runAttacks.ts";
import { SeededRandom } from "./internal/SeededRandom.ts";
import type { LedgerBridge, SignError } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { LogsBridge, type StartError } from "@runproof/spine-coordinators/logs/LogsBridge";

/** Instances of each way of each attack, where the caller names none: a quick look. */
export const INSTANCES_DEFAULT = 3;

/** Runs of the attacked database: the log fills a tile, and one audit can look for a hundred attacks at once. */
const SEALED_RUNS = 120;
const OPEN_RUNS = 12;
const HEADED_RUNS = 6;

/** Failures that a report spells out, of each way. */
const FAILURES_MAX = 5;

/** What is attacked, how often, and with which random choices. */
export interface AttackTestOptions {
  /** Of each way of each attack. */
  readonly instances?: number | undefined;
  readonly seed?: number | undefined;
  /** Rows of the table; all where it is left out. */
  readonly rows?: ReadonlyArray<number> | undefined;
  readonly onProgress?:
    | ((progress: {
        readonly done: number;
        readonly total: number;
        readonly way: string;
      }) => Effect.Effect<void>)
    | undefined;
}

/** How one way of an attack ended. */
export interface WayResult {
  readonly row: number;
  readonly way: string;
  /** `undetected` is by design here: an attack that should have been found and was not is a failure. */
  readonly outcome: "caught" | "refused" | "undetected";
  readonly instances: number;
  /** Instances that ended as they must, with just the findings that they must have. */
  readonly right: number;
  /** What they were found or refused as. */
  readonly found: ReadonlyArray<string>;
  readonly failures: ReadonlyArray<string>;
}

/** A row of the table with its ways. */
export interface RowResult extends AttackRow {
  readonly ways: ReadonlyArray<WayResult>;
}

/** The result of an attack test. */
export interface AttackTestReport {
  /** True when something was attacked, every attack ended as it must and nothing honest was ever suspected. */
  readonly passed: boolean;
  readonly seed: number;
  readonly instances: number;
  readonly rows: ReadonlyArray<RowResult>;
  readonly control: {
    /** Audits of the database before and between attacks. */
    readonly audits: number;
    /** Runs that no attack touched, looked at beside attacked ones. */
    readonly runs: number;
    /** Findings on what nobody touched. */
    readonly false_alarms: ReadonlyArray<string>;
  };
}

/** What an attack test may fail with: never a finding. */
export type AttackTestError =
  | AuditUnfinished
  | DatabaseError
  | StartError
  | StoredDataUnreadable
  | SignError
  | TraceWriteError;

/** Attacks and looks. */
export class AttackTestCoordinator extends Context.Service<
  AttackTestCoordinator,
  {
    readonly attack: (
      options?: AttackTestOptions,
    ) => Effect.Effect<AttackTestReport, AttackTestError>;
  }
>()("@runproof/attack-test/AttackTestCoordinator") {
  static readonly layer: Layer.Layer<AttackTestCoordinator, never, Doors> = Layer.effect(
    AttackTestCoordinator,
    Effect.map(Effect.context<Doors>(), (context) =>
      AttackTestCoordinator.of({
        attack: (options) => Effect.provideContext(attackAll(options ?? {}), context),
      }),
    ),
  );
}

type Doors = AttackLab | AuditCoordinator | LedgerBridge | LogCoordinator | LogsBridge;

const allAttacks: ReadonlyArray<Attack> = [
  ...runAttacks,
  ...databaseAttacks,
  ...passingAttacks,
  ...logAttacks,
  ...refusedAttacks,
  ...proofAttacks,
];

/** The attack test in the making. */
interface Test {
  readonly target: HonestDatabase;
  readonly random: SeededRandom;
  readonly instances: number;
  readonly results: Map<Attack, Tally>;
  readonly control: { audits: number; runs: number; false_alarms: Array<string> };
  readonly tell: (way: string) => Effect.Effect<void>;
}

interface Tally {
  instances: number;
  right: number;
  readonly found: Set<string>;
  readonly failures: Array<string>;
}

const attackAll = Effect.fn("AttackTestCoordinator.attack")(function* (options: AttackTestOptions) {
  const { instances = INSTANCES_DEFAULT, seed = 1, rows } = options;
  const random = new SeededRandom(seed);
  const counts = { sealed: SEALED_RUNS, open: OPEN_RUNS, headed: HEADED_RUNS };
  const target = yield* makeHonestDatabase(counts, random);
  const attacks = allAttacks.filter(({ row }) => rows === undefined || rows.includes(row));
  const test: Test = {
    target,
    random,
    instances,
    results: new Map(attacks.map((attack) => [attack, newTally()])),
    control: { audits: 0, runs: 0, false_alarms: [] },
    tell: teller(attacks.length * instances, options.onProgress),
  };
  yield* auditControl(test);
  yield* attackRuns(
    test,
    attacks.filter((attack) => attack.kind === "run"),
  );
  for (const attack of attacks) {
    if (attack.kind === "database") yield* attackDatabase(test, attack);
    if (attack.kind === "passing") yield* attackInPassing(test, attack);
    if (attack.kind === "refused") yield* tryRefused(test, attack);
    if (attack.kind === "proof") yield* attackProofs(test, attack);
  }
  yield* auditControl(test);
  return reportOf(test, seed, rows);
});

const newTally = (): Tally => ({ instances: 0, right: 0, found: new Set(), failures: [] });

const teller = (total: number, onProgress: AttackTestOptions["onProgress"]) => {
  let done = 0;
  return (way: string): Effect.Effect<void> => {
    done += 1;
    return onProgress?.({ done, total, way }) ?? Effect.void;
  };
};

const count = (test: Test, attack: Attack, what: string | null, found: Iterable<string>) => {
  const tally = test.results.get(attack)!;
  tally.instances += 1;
  for (const each of found) tally.found.add(each);
  if (what === null) tally.right += 1;
  else if (tally.failures.length < FAILURES_MAX) tally.failures.push(what);
  return test.tell(attack.way);
};

const audit = Effect.fnUntraced(function* ({ target }: Test) {
  const coordinator = yield* AuditCoordinator;
  const { report } = yield* coordinator.audit({
    checkpoints: [{ source: KEPT_SOURCE, note: target.checkpoint }],
    verifier_keys: [target.vkey],
  });
  return report;
});

const describe = (finding: AuditFinding): string => `${finding.code}: ${finding.message}`;

/** Nothing may be found of the database as it is, and every sealed run must be VERIFIED. */
const auditControl = Effect.fnUntraced(function* (test: Test) {
  const report = yield* audit(test);
  test.control.audits += 1;
  test.control.false_alarms.push(...report.findings.map(describe));
  checkUntouched(test, report, new Set());
});

/** Of the runs that nobody touched, the sealed ones are VERIFIED and the others open. */
const checkUntouched = (
  { control, target }: Test,
  report: AuditReport,
  touched: ReadonlySet<string>,
): void => {
  const untouched = [...target.runs].filter(([trace_id]) => !touched.has(trace_id));
  const sealed = untouched.filter(([, { trace }]) => trace["seal_record"] !== null).length;
  control.runs += untouched.length;
  if (report.traces.verified < sealed) {
    const what = `${sealed} sealed runs were not touched, and ${report.traces.verified} are VERIFIED`;
    control.false_alarms.push(what);
  }
};

/** Gives each victim away once; `null` where there is none left. */
const makeVictims = (target: HonestDatabase) => {
  const pools = { sealed: [...target.sealed], open: [...target.open], headed: [...target.headed] };
  const taken = new Set<string>();
  const take = (pool: Array<RunRows>) => () => {
    const run = pool.pop();
    if (run === undefined) throw new NoVictimLeft();
    taken.add(text(run.trace, "trace_id"));
    return run;
  };
  const victims: Victims = {
    sealed: take(pools.sealed),
    open: take(pools.open),
    headed: take(pools.headed),
  };
  return { victims, taken };
};

class NoVictimLeft extends Error {}

interface Planned {
  readonly attack: RunAttack;
  readonly plan: RowPlan;
  readonly touched: ReadonlySet<string>;
}

/** Plans as many of the waiting attacks as there are runs for. */
const planRound = (test: Test, waiting: Array<RunAttack>): ReadonlyArray<Planned> => {
  const { victims, taken } = makeVictims(test.target);
  const planned: Array<Planned> = [];
  while (waiting.length > 0) {
    const before = new Set(taken);
    const attack = waiting.at(-1)!;
    try {
      const plan = attack.plan(victims, test.random);
      planned.push({ attack, plan, touched: new Set([...taken].filter((id) => !before.has(id))) });
    } catch (error) {
      if (!(error instanceof NoVictimLeft)) throw error;
      return planned;
    }
    waiting.pop();
  }
  return planned;
};

/** Many attacks at once, each on runs of its own, and one audit that must tell them apart. */
const attackRuns = Effect.fnUntraced(function* (test: Test, attacks: ReadonlyArray<RunAttack>) {
  const lab = yield* AttackLab;
  // The ways take turns, so that each round has some of each.
  const waiting = Array.from({ length: test.instances }, () => attacks).flat();
  while (waiting.length > 0) {
    const round = planRound(test, waiting);
    yield* lab.change(round.flatMap(({ plan }) => plan.changes));
    const report = yield* audit(test);
    const touched = round.map((each) => each.touched);
    const { of, alarms } = shareFindings(touched, report.findings);
    test.control.false_alarms.push(...alarms.map(describe));
    if (report.findings_omitted > 0) {
      test.control.false_alarms.push(`${report.findings_omitted} findings more than are listed`);
    }
    checkUntouched(test, report, new Set(touched.flatMap((ids) => [...ids])));
    for (const [at, { attack, plan }] of round.entries()) {
      const { what } = judge(plan, of[at]!);
      yield* count(
        test,
        attack,
        what,
        plan.expected.map(({ code }) => code),
      );
    }
    yield* lab.restore("rows");
  }
});

const attackDatabase = Effect.fnUntraced(function* (test: Test, attack: DatabaseAttack) {
  const lab = yield* AttackLab;
  for (let instance = 0; instance < test.instances; instance += 1) {
    const plan = attack.plan(test.target, test.random);
    if (plan.changes.length > 0) yield* lab.change(plan.changes);
    if (plan.statements !== undefined) yield* lab.execute(plan.statements);
    const report = yield* audit(test);
    const { what } = judge(plan, report.findings);
    const refused = plan.signer_refuses === undefined ? null : yield* signerRefusal;
    const wrong =
      what ??
      (refused === (plan.signer_refuses ?? null)
        ? null
        : `the signer answered ${refused ?? "by signing"}`);
    const codes = plan.expected.map(({ code }) => code);
    yield* count(
      test,
      attack,
      wrong,
      plan.signer_refuses === undefined ? codes : [...codes, `signer: ${plan.signer_refuses}`],
    );
    yield* lab.restore(plan.changes_schema === true ? "schema" : "rows");
  }
});

const asFinding = ({ object, what }: Drift): AuditFinding => ({
  code: "CATALOG_DRIFT",
  tenant_id: null,
  run_id: null,
  trace_id: null,
  step_index: null,
  log_index: null,
  object,
  message: what,
});

const attackInPassing = Effect.fnUntraced(function* (test: Test, attack: PassingAttack) {
  const lab = yield* AttackLab;
  for (let instance = 0; instance < test.instances; instance += 1) {
    const { statements, object, others = [] } = attack.plan(test.random);
    const { refusal, drift } = yield* lab.attempt("superuser", statements);
    const expected = [object, ...others].map((each) => ({
      code: "CATALOG_DRIFT" as const,
      object: each,
    }));
    const { what } = judge({ expected }, drift.map(asFinding));
    const refused = refusal === null ? null : `could not be tried: ${refusal.message}`;
    yield* count(test, attack, refused ?? what, ["CATALOG_DRIFT"]);
  }
});

/** What the signer says to the log as it is; null where it signs. */
const signerRefusal = Effect.gen(function* () {
  const log = yield* LogCoordinator;
  const answer = yield* Effect.result(log.checkpoint());
  return Result.isFailure(answer) ? answer.failure._tag : null;
});

/** Attempts that need more than one statement: what the product's own door answers. */
const attempts = {
  "two appends": (random: SeededRandom) =>
    Effect.gen(function* () {
      const trace_id = yield* openRun(random, { steps: 1 });
      const append = Effect.result(appendSteps(trace_id, 1, random, 1));
      const answers = yield* Effect.all([append, append], { concurrency: 2 });
      const refused = answers.filter(Result.isFailure);
      return refused.length === 1 ? refused[0]!.failure._tag : null;
    }),
  "complete after the lease": (random: SeededRandom) =>
    Effect.gen(function* () {
      const trace_id = yield* openRun(random, { steps: 0, lease_ms: 0 });
      return yield* refusalTag(sealRun(trace_id));
    }),
  "complete after the sweep": (random: SeededRandom) =>
    Effect.gen(function* () {
      const trace_id = yield* openRun(random, { steps: 0, lease_ms: 0 });
      yield* (yield* LogsBridge).sweep();
      return yield* refusalTag(sealRun(trace_id));
    }),
} as const;

const refusalTag = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onSuccess: () => null, onFailure: ({ _tag }) => _tag });

const attempt = Effect.fnUntraced(function* (
  { target, random }: Test,
  { attempt: how }: RefusedAttack,
) {
  if (typeof how === "string") return yield* attempts[how](random);
  const lab = yield* AttackLab;
  const { refusal } = yield* lab.attempt(how.login, [how.statement(target, random)]);
  return refusal?.code ?? null;
});

const tryRefused = Effect.fnUntraced(function* (test: Test, attack: RefusedAttack) {
  const lab = yield* AttackLab;
  for (let instance = 0; instance < test.instances; instance += 1) {
    const refused = yield* attempt(test, attack);
    const what = refused === attack.expected ? null : `answered with ${refused ?? "success"}`;
    yield* count(test, attack, what, [attack.expected]);
  }
  yield* lab.restore("rows");
});

const attackProofs = Effect.fnUntraced(function* (test: Test, attack: ProofAttack) {
  for (let instance = 0; instance < test.instances; instance += 1) {
    const found = attack.attempt(test.target, test.random);
    const what = found === attack.expected ? null : `found as ${found ?? "good"}`;
    yield* count(test, attack, what, [attack.expected]);
  }
});

const outcomeOf = (attack: Attack): WayResult["outcome"] => {
  if (attack.kind === "refused") return "refused";
  return attack.kind === "run" && attack.is_undetectable === true ? "undetected" : "caught";
};

const wayOf = ([attack, { instances, right, found, failures }]: readonly [
  Attack,
  Tally,
]): WayResult => ({
  row: attack.row,
  way: attack.way,
  outcome: outcomeOf(attack),
  instances,
  right,
  found: [...found],
  failures,
});

const reportOf = (
  { results, control }: Test,
  seed: number,
  rows: AttackTestOptions["rows"],
): AttackTestReport => {
  const ways = [...results].map(wayOf);
  return {
    passed:
      ways.length > 0 &&
      ways.every(({ right, instances }) => right === instances) &&
      control.false_alarms.length === 0,
    seed,
    instances: ways.reduce((sum, way) => sum + way.instances, 0),
    rows: attackTable
      .filter(({ row }) => rows === undefined || rows.includes(row))
      .map((row) => ({ ...row, ways: ways.filter((way) => way.row === row.row) })),
    control,
  };
};
