/** Checks everything that a database holds, from the rows, against itself, its log, and checkpoints kept elsewhere. */
import { planRoot } from "@runproof/proof/ProofPlan";
import { parseVerifierKey, type VerifierKey } from "@runproof/proof/NoteKey";
import type { Refusal } from "@runproof/proof/Refusal";
import { NoteInvalid } from "@runproof/proof/SignedNote";
import { TILE_WIDTH } from "@runproof/proof/Tile";
import type { AuditFinding, AuditReport } from "@runproof/schemas/AuditReport";
import { AuditUnfinished, type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { AuditBridge, type AuditReads } from "./AuditBridge.ts";
import { type AuditNeeds, notesOf } from "./internal/AuditNotes.ts";
import { type AuditRun, orUnreadable } from "./internal/AuditRun.ts";
import { AuditTally } from "./internal/AuditTally.ts";
import { auditLog } from "./internal/auditLog.ts";
import { auditOrphans } from "./internal/auditOrphans.ts";
import { auditTrace, auditTraces, auditUnmet } from "./internal/auditTraces.ts";
import {
  type CheckpointNote,
  compareCheckpoint,
  type ReadCheckpoint,
  readCheckpoint,
  STORED_SOURCE,
  storedCheckpointFaults,
} from "./internal/CheckpointCheck.ts";
import { FROM_THE_FIRST, LogWalk, type WalkStart } from "./internal/LogWalk.ts";
import { rootBefore } from "./internal/OlderTree.ts";
import { now } from "../internal/now.ts";
import { refusable } from "../internal/refused.ts";

export type { AuditFinding, AuditReport, CheckpointNote };
export { STORED_SOURCE };

/** Fibers that read traces. One checks while the other waits for the database; more of them only hold more pages. */
export const WORKERS_DEFAULT = 2;

/** Beyond this many new entries, their traces are not remembered one by one any more, and everything is checked. */
export const SINCE_ENTRIES_MAX = 500_000;

/** How far an audit is. */
export interface AuditProgress {
  readonly traces: number;
  readonly steps: number;
  readonly entries: number;
  /** What was there when it began; null where only what is new is checked. */
  readonly total: {
    readonly traces: number;
    readonly steps: number;
    readonly entries: number;
  } | null;
  readonly elapsed_ms: number;
  /** Rows checked in a second. */
  readonly rate_per_s: number;
  /** Null where it can't be told. */
  readonly left_ms: number | null;
}

/** What to compare the log with, and how much to check. */
export interface AuditOptions {
  /** Checkpoints that were kept outside the database. */
  readonly checkpoints?: ReadonlyArray<CheckpointNote> | undefined;
  /** Verifier keys, `name+hash+base64`. Given, a checkpoint must be there that one of them signed. */
  readonly verifier_keys?: ReadonlyArray<string> | undefined;
  /** A checkpoint of which the caller knows that all up to it was audited: only what is new since is checked. */
  readonly since?: CheckpointNote | undefined;
  /** Indexes of entries that add a key and that no key signed, which the caller looked into: each is a note, no finding. */
  readonly known_claims?: ReadonlyArray<number> | undefined;
  readonly workers?: number | undefined;
  readonly onProgress?: ((progress: AuditProgress) => Effect.Effect<void>) | undefined;
}

/** An audit's report, and where the next one may go on. */
export interface AuditOutcome {
  readonly report: AuditReport;
  /** The note of the largest checkpoint that held, after an audit without findings: a `since` for the next one. */
  readonly resume_from: string | null;
}

/** Audits a database. */
export class AuditCoordinator extends Context.Service<
  AuditCoordinator,
  {
    /**
     * Checks everything, or what is new. What can't be read is a finding; a database that is away is an error, and
     * nothing was found out. One that cuts the audit off, such as by a time limit, is another, which says what was not checked.
     */
    readonly audit: (
      options?: AuditOptions,
    ) => Effect.Effect<AuditOutcome, DatabaseError | AuditUnfinished | InvalidInput>;
  }
>()("@runproof/spine-coordinators/audit/AuditCoordinator") {
  static readonly layer: Layer.Layer<AuditCoordinator, never, AuditBridge> = Layer.effect(
    AuditCoordinator,
    Effect.map(AuditBridge, (bridge) => AuditCoordinator.of({ audit: audit(bridge) })),
  );
}

type Bridge = AuditBridge["Service"];

const audit = (bridge: Bridge) =>
  Effect.fn("AuditCoordinator.audit")(function* (options: AuditOptions = {}) {
    const started_at = yield* now;
    const given = yield* readGiven(options);
    const tally = new AuditTally(options.known_claims);
    const { part } = new Parts(tally);
    const survey = yield* part("what there is", readSurvey(bridge, tally, given));
    const scope = scopeOf(given, survey.log.size);
    const checkpoints = [...given.checkpoints, ...survey.stored];
    const run: AuditRun = {
      snapshot: bridge.snapshot,
      tally,
      signed_size: signedSize(checkpoints),
      tell: yield* teller(tally, scope.since === null ? survey.size : null, options.onProgress),
    };
    yield* part("defences", auditDefences(run));
    yield* part("indexes", auditIndexes(run));
    yield* part("rows without a trace", auditOrphans(run));
    const evidence = auditEvidence(run, options.workers ?? WORKERS_DEFAULT, {
      check_from: scope.since?.tree_size ?? 0,
      size: survey.log.size,
      checkpoints,
    });
    const walk = yield* part("traces, steps and log", evidence);
    const compared = yield* part("checkpoints", compareAll(run, checkpoints, walk, scope.since));
    demandTrusted(tally, given.keys, checkpoints);
    const { database } = bridge;
    const finished_at = yield* now;
    const report = reportOf({ database, started_at, finished_at, scope, tally, walk, compared });
    return { report, resume_from: resumeFrom(report, checkpoints) };
  });

/** What an audit does one after another. */
const PARTS = [
  "what there is",
  "defences",
  "indexes",
  "rows without a trace",
  "traces, steps and log",
  "checkpoints",
] as const;

/** Keeps what is left to check, for an audit that is cut off. */
class Parts {
  readonly #tally: AuditTally;
  readonly #left = new Set<string>(PARTS);

  constructor(tally: AuditTally) {
    this.#tally = tally;
  }

  /** Checks a part. What the database can't do now, or did not foresee, ends the audit; one that is away is said to be. */
  readonly part = <A, E, R>(
    name: (typeof PARTS)[number],
    check: Effect.Effect<A, E | DatabaseError, R>,
  ): Effect.Effect<A, E | DatabaseError | AuditUnfinished, R> =>
    Effect.tap(check, () => Effect.sync(() => this.#left.delete(name))).pipe(
      Effect.catchTag(["DatabaseUnfit", "DatabaseFailed"], (error) =>
        Effect.fail(this.#unfinished(error as DatabaseError)),
      ),
    );

  #unfinished({ message, remedy }: DatabaseError): AuditUnfinished {
    const { traces, steps, entries } = this.#tally.checked;
    return new AuditUnfinished({
      why: message,
      remedy,
      checked: { traces, steps, entries },
      not_checked: [...this.#left],
      found: [...this.#tally.byCode.keys()],
    });
  }
}

interface Given {
  readonly keys: ReadonlyArray<VerifierKey>;
  readonly checkpoints: ReadonlyArray<ReadCheckpoint>;
  readonly since: ReadCheckpoint | null;
}

const unusable = ({ path, what, remedy }: Refusal, source: string) =>
  new InvalidInput({ what, where: `${source} (${path})`, remedy });

const readGiven = Effect.fnUntraced(function* ({
  verifier_keys = [],
  checkpoints = [],
  since,
}: AuditOptions): Effect.fn.Return<Given, InvalidInput> {
  const read = (note: CheckpointNote, keys: ReadonlyArray<VerifierKey>) =>
    Effect.suspend(() => {
      const checkpoint = readCheckpoint(note, keys);
      return checkpoint instanceof NoteInvalid
        ? Effect.fail(unusable(checkpoint, note.source))
        : Effect.succeed(checkpoint);
    });
  const keys = yield* Effect.forEach(verifier_keys, (text) =>
    Effect.mapError(
      refusable(() => parseVerifierKey(text)),
      (refusal) => unusable(refusal, "verifier keys"),
    ),
  );
  const kept = yield* Effect.forEach(checkpoints, (note) => read(note, keys));
  const from = since === undefined ? null : yield* read(since, keys);
  return { keys, checkpoints: from === null ? kept : [...kept, from], since: from };
});

/** What there is before anything is checked, from one snapshot: a checkpoint is never newer than the log it is of. */
const readSurvey = Effect.fnUntraced(function* (bridge: Bridge, tally: AuditTally, given: Given) {
  const none = { traces: 0, steps: 0, entries: 0 };
  const started: AuditRun = {
    snapshot: bridge.snapshot,
    tally,
    signed_size: 0,
    tell: Effect.void,
  };
  const survey = yield* bridge
    .snapshot((reads) =>
      Effect.all({ size: reads.size, log: reads.logSize, checkpoint: reads.latestCheckpoint }),
    )
    .pipe(
      orUnreadable(started, "the evidence tables", {
        size: none,
        log: { size: 0, pending: 0 },
        checkpoint: null,
      }),
    );
  const { checkpoint } = survey;
  if (checkpoint === null) return { ...survey, stored: [] };
  const read = readCheckpoint({ source: STORED_SOURCE, note: checkpoint.note }, given.keys);
  for (const found of storedCheckpointFaults(checkpoint, read)) tally.find(found);
  return { ...survey, stored: read instanceof NoteInvalid ? [] : [read] };
});

interface Scope {
  readonly since: ReadCheckpoint | null;
  /** Why everything was checked though only what is new was asked for. */
  readonly widened: AuditNeeds["widened"];
}

const scopeOf = ({ since }: Given, size: number): Scope => {
  if (since === null) return { since: null, widened: null };
  if (since.signature === "untrusted") return { since: null, widened: "untrusted" };
  if (since.tree_size > size) return { since: null, widened: "shrunk" };
  if (size - since.tree_size > SINCE_ENTRIES_MAX) return { since: null, widened: "too much" };
  return { since, widened: null };
};

const signedSize = (checkpoints: ReadonlyArray<ReadCheckpoint>): number =>
  Math.max(
    0,
    ...checkpoints
      .filter(({ signature }) => signature === "trusted")
      .map(({ tree_size }) => tree_size),
  );

const teller = Effect.fnUntraced(function* (
  { checked }: AuditTally,
  total: AuditProgress["total"],
  onProgress: AuditOptions["onProgress"],
) {
  const started_ms = yield* Clock.currentTimeMillis;
  if (onProgress === undefined) return Effect.void;
  return Effect.gen(function* () {
    const elapsed_ms = (yield* Clock.currentTimeMillis) - started_ms;
    const { traces, steps, entries } = checked;
    const done = traces + steps + entries;
    const rows = total === null ? null : total.traces + total.steps + total.entries;
    yield* onProgress({
      traces,
      steps,
      entries,
      total,
      elapsed_ms,
      rate_per_s: elapsed_ms === 0 ? 0 : (done / elapsed_ms) * 1000,
      left_ms: rows === null || done === 0 ? null : (Math.max(0, rows - done) * elapsed_ms) / done,
    });
  });
});

const auditDefences = Effect.fnUntraced(function* (run: AuditRun) {
  const drift = yield* run
    .snapshot((reads) => reads.drift)
    .pipe(orUnreadable(run, "the database's catalog", []));
  for (const { object, what } of drift) {
    run.tally.find({ code: "CATALOG_DRIFT", object, message: `${object}: ${what}` });
  }
});

/** Everything is read by indexes: a row that was kept out of one would be missed by all that follows. */
const auditIndexes = Effect.fnUntraced(function* (run: AuditRun) {
  const gaps = yield* run
    .snapshot((reads) => reads.indexGaps)
    .pipe(orUnreadable(run, "the indexes of the evidence tables", []));
  for (const { table, by, rows, found } of gaps) {
    run.tally.find({
      code: "UNREADABLE",
      object: table,
      message: `${table}: it has ${rows} rows, and its index by ${by} finds ${found}: the others were not checked`,
    });
  }
});

/** Where to begin so that the tree is whole: at the first entry, or at the last full tile before what is new. */
const walkStart = Effect.fnUntraced(function* (
  run: AuditRun,
  check_from: number,
): Effect.fn.Return<WalkStart, DatabaseError> {
  const size = check_from - (check_from % TILE_WIDTH);
  const { nodes } = planRoot(size);
  if (nodes.length === 0) return FROM_THE_FIRST;
  return yield* run
    .snapshot((reads) => reads.nodes(nodes))
    .pipe(
      Effect.map((peaks) => ({ size, peaks })),
      orUnreadable(run, "aos_log_tiles", FROM_THE_FIRST),
    );
});

const auditEvidence = Effect.fnUntraced(function* (
  run: AuditRun,
  workers: number,
  log: {
    readonly check_from: number;
    readonly size: number;
    readonly checkpoints: ReadonlyArray<ReadCheckpoint>;
  },
) {
  const wanted = log.checkpoints.map((checkpoint) => checkpoint.tree_size);
  const walk = new LogWalk(yield* walkStart(run, log.check_from), wanted);
  if (log.check_from === 0) {
    yield* Effect.all(
      [auditLog(run, { ...log, walk, onTraceIds: () => undefined }), auditAllTraces(run, workers)],
      { concurrency: 2 },
    );
    yield* auditUnmet(run);
    return walk;
  }
  const trace_ids = new Set<string>();
  const onTraceIds = (ids: Iterable<string>) => {
    for (const id of ids) trace_ids.add(id);
  };
  yield* auditLog(run, { ...log, walk, onTraceIds });
  yield* readTraceIds(run, (reads) => reads.openTraceIds, onTraceIds);
  yield* readTraceIds(run, (reads) => reads.unloggedTraceIds, onTraceIds);
  yield* Effect.forEach(trace_ids, (trace_id) => auditTrace(run, trace_id), {
    concurrency: workers,
    discard: true,
  });
  return walk;
});

const auditAllTraces = Effect.fnUntraced(function* (run: AuditRun, workers: number) {
  const boundaries = yield* run
    .snapshot((reads) => reads.traceBoundaries(workers))
    .pipe(orUnreadable(run, "aos_traces", []));
  const parts = [null, ...boundaries].map((above, at) => ({
    above,
    through: boundaries[at] ?? null,
  }));
  yield* Effect.forEach(parts, (part) => auditTraces(run, part), {
    concurrency: workers,
    discard: true,
  });
});

const IDS_PAGE = 1000;

/** Ids that the new entries may not name: open traces may have grown without an entry, and a forged one may have none. */
const readTraceIds = Effect.fnUntraced(function* (
  run: AuditRun,
  readsOf: (reads: AuditReads) => AuditReads["openTraceIds"],
  onTraceIds: (trace_ids: ReadonlyArray<string>) => void,
) {
  let above: string | null = null;
  for (;;) {
    const from: string | null = above;
    const page: ReadonlyArray<string> = yield* run
      .snapshot((reads) => readsOf(reads)({ above: from, limit: IDS_PAGE }))
      .pipe(orUnreadable(run, "aos_traces", []));
    onTraceIds(page);
    above = page.at(-1) ?? null;
    if (above === null) return;
  }
});

/** Compares each checkpoint with the log. One of an older tree than the walk began at is proven by the one to go on from. */
const compareAll = (
  run: AuditRun,
  checkpoints: ReadonlyArray<ReadCheckpoint>,
  walk: LogWalk,
  since: ReadCheckpoint | null,
): Effect.Effect<AuditReport["checkpoints"], DatabaseError> =>
  Effect.forEach(
    checkpoints,
    Effect.fnUntraced(function* (checkpoint) {
      const { tree_size } = checkpoint;
      const root_hash =
        since === null || tree_size >= walk.start
          ? walk.rootAt(tree_size)
          : yield* rootBefore(run, checkpoint, {
              tree_size: since.tree_size,
              root_hash: walk.rootAt(since.tree_size),
            });
      const { size } = walk.head;
      const { compared, found } = compareCheckpoint(checkpoint, { size, root_hash });
      for (const each of found) run.tally.find(each);
      return compared;
    }),
  );

/** Keys were given to be relied on: a log with no checkpoint that one of them signed is not what was asked for, an empty one too. */
const demandTrusted = (
  tally: AuditTally,
  keys: ReadonlyArray<VerifierKey>,
  checkpoints: ReadonlyArray<ReadCheckpoint>,
): void => {
  if (keys.length === 0 || checkpoints.length > 0) return;
  tally.find({
    code: "KEY_UNTRUSTED",
    message: "the log: keys were given, and there is no checkpoint that one of them signed",
  });
};

interface Concluded {
  readonly database: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly scope: Scope;
  readonly tally: AuditTally;
  readonly walk: LogWalk;
  readonly compared: AuditReport["checkpoints"];
}

const reportOf = ({ scope, tally, walk, compared, database, ...times }: Concluded): AuditReport => {
  const isSigned = compared.every(({ holds, signature }) => holds || signature !== "trusted");
  const SIGNED = isSigned ? tally.verified_below : 0;
  const since =
    scope.since === null
      ? null
      : { tree_size: scope.since.tree_size, root_hash: scope.since.root_hash };
  // What a checkpoint covers and is audited already is not nothing.
  const isEmpty = since === null && tally.checked.traces + tally.checked.entries === 0;
  return {
    verdict: !tally.isClean ? "FINDINGS" : isEmpty ? "EMPTY" : "CLEAN",
    database,
    ...times,
    since,
    checked: tally.checked,
    traces: tally.traces,
    levels: { SELF: tally.traces.verified - SIGNED, SIGNED },
    payloads_erased: tally.payloads_erased,
    outcomes_unknown: tally.outcomes_unknown,
    deletions_recorded: tally.deletions_recorded,
    tree: walk.head,
    checkpoints: compared,
    findings: tally.findings,
    findings_omitted: tally.omitted,
    findings_by_code: Object.fromEntries(tally.byCode),
    notes: notesOf({ since, widened: scope.widened, tally, compared }),
  };
};

const resumeFrom = (
  report: AuditReport,
  checkpoints: ReadonlyArray<ReadCheckpoint>,
): string | null => {
  if (report.verdict === "FINDINGS") return null;
  const [largest] = checkpoints.toSorted((a, b) => b.tree_size - a.tree_size);
  return largest?.note ?? null;
};
