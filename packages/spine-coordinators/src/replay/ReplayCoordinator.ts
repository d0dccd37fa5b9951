/** Executes a recorded run's plan again, and says where it comes to something else. */
import { canonicalize, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import {
  type ComparedField,
  compareActs,
  PARITY_FIELDS,
  type ParityRow,
} from "@runproof/proof/Parity";
import type { DatabaseError, NotReplayable, RunNotFound } from "@runproof/schemas/RunProofError";
import type { ReplayBehavior } from "@runproof/schemas/StepRecord";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import type * as Schema from "effect/Schema";
import { type Ending, prepareRun, recordRun } from "../logs/RecordedRun.ts";
import { Guard } from "../policies/Guard.ts";
import type { BundleError } from "../proof/RunProofCoordinator.ts";
import { RunProofCoordinator } from "../proof/RunProofCoordinator.ts";
import type { ExecuteError, StepEvent } from "../runs/RunCoordinator.ts";
import type { RunOutcome } from "../runs/RunOutcome.ts";
import type { RecordingBridges } from "../runs/TracedRun.ts";
import {
  endingOf,
  executeSteps,
  type PlanTrace,
  type PreparedCall,
  type StoodIn,
} from "../runs/internal/PlanExecution.ts";
import type { SkillsBridge } from "../skills/SkillsBridge.ts";
import { type Evidence, readEvidence, type RecordedAct, wordOf } from "./internal/Evidence.ts";
import {
  NOT_RECORDED,
  planStepOf,
  type RecordedPlan,
  recordedPlan,
} from "./internal/RecordedPlan.ts";
import { keeping, ReplayedActs, unrecorded } from "./internal/ReplayTrace.ts";
import {
  type Divergence,
  isMasked,
  named,
  sayChange,
  type ShownRow,
  shownRow,
} from "./internal/ShownRows.ts";

/** Which run to replay. */
export interface ReplayRun {
  readonly tenant_id: string;
  readonly run_id: string;
  /** Records the replay as a run of its own, whose trace names this one; nothing is written where it is left out. */
  readonly record?: { readonly run_id?: string | undefined } | undefined;
  /** Told of each step as it begins and once it has ended. The replay waits for it. */
  readonly onStep?: ((event: StepEvent) => Effect.Effect<void>) | undefined;
}

/** A row of what was recorded beside what the replay came to. */
export interface ReplayRow extends ShownRow {
  /** How the step was replayed; only what `check` says decides the verdict. */
  readonly replay_behavior: ReplayBehavior;
}

/** What a replay came to. */
export interface ReplayReport {
  /**
   * By the steps to check: `DIVERGED` where one differs, `UNKNOWN` where that can't be said, `UNCHECKED` where there are
   * none, else `PARITY`.
   */
  readonly verdict: "PARITY" | "DIVERGED" | "UNKNOWN" | "UNCHECKED";
  /** Why, in a sentence; null for `PARITY`. */
  readonly reason: string | null;
  readonly tenant_id: string;
  readonly run_id: string;
  readonly recorded: {
    readonly trace_id: string;
    readonly root_hash: string;
    readonly status: string;
  };
  readonly replayed: Pick<Ending, "status" | "reason">;
  /** The run that the replay was recorded as; null where nothing was written. */
  readonly run: RunOutcome | null;
  /** Steps of the plan by how they were replayed, come to or not. */
  readonly steps: Readonly<Record<ReplayBehavior, number>>;
  readonly compared: ReadonlyArray<ComparedField>;
  /** The first step to check that differs. */
  readonly first_divergence: Divergence | null;
  /** Steps to check that agree and hold values that were masked in both: whether these were the same, nobody can say. */
  readonly masked_checks: number;
  readonly is_aligned: boolean;
  readonly rows: ReadonlyArray<ReplayRow>;
}

/** What keeps a run from being replayed. */
export type ReplayError = BundleError | RunNotFound | NotReplayable | ExecuteError | DatabaseError;

/** Replays recorded runs. */
export class ReplayCoordinator extends Context.Service<
  ReplayCoordinator,
  { readonly replay: (input: ReplayRun) => Effect.Effect<ReplayReport, ReplayError> }
>()("@runproof/spine-coordinators/replay/ReplayCoordinator") {
  static readonly layer: Layer.Layer<
    ReplayCoordinator,
    never,
    RunProofCoordinator | RecordingBridges | SkillsBridge
  > = Layer.effect(
    ReplayCoordinator,
    Effect.gen(function* () {
      const context = yield* Effect.context<
        RunProofCoordinator | RecordingBridges | SkillsBridge
      >();
      return ReplayCoordinator.of({
        replay: (input) => Effect.provideContext(replayRun(input), context),
      });
    }),
  );
}

/** What is compared: params as well, so that a skill that reads them otherwise today is seen. */
const COMPARED: ReadonlyArray<ComparedField> = [
  ...PARITY_FIELDS,
  "outcome_category",
  "outcome_code",
  "outcome_data",
];

const replayRun = Effect.fn("ReplayCoordinator.replay")(function* (input: ReplayRun) {
  const { tenant_id, run_id, record } = input;
  const evidence = yield* readEvidence(yield* RunProofCoordinator, { tenant_id, run_id });
  const plan = yield* recordedPlan(run_id, evidence);
  const acts = new ReplayedActs();
  const { ending, run } = yield* record === undefined
    ? executeUnrecorded(input, plan, acts)
    : executeRecorded(input, plan, evidence, acts, record.run_id);
  return reportOn(input, plan, evidence, acts.all, ending, run);
});

const execution = (
  { onStep }: ReplayRun,
  { calls }: RecordedPlan,
  trace: PlanTrace,
  isGated: boolean,
) =>
  executeSteps({
    trace,
    isGated,
    source: "replay",
    calls,
    onStep: onStep ?? (() => Effect.void),
  });

const executeUnrecorded = Effect.fnUntraced(function* (
  input: ReplayRun,
  plan: RecordedPlan,
  acts: ReplayedActs,
) {
  const guard = yield* Guard.load(input.tenant_id);
  // Of a trace that nobody reads no intent is told.
  const trace = yield* unrecorded(guard, { ...plan.trace, capture: "inline" }, acts);
  const outcome = yield* execution(input, plan, trace, false);
  return { ending: endingOf(Exit.succeed(outcome)), run: null };
});

const executeRecorded = Effect.fnUntraced(function* (
  input: ReplayRun,
  plan: RecordedPlan,
  { verdict }: Evidence,
  acts: ReplayedActs,
  run_id: string | undefined,
) {
  const { calls, trace: recorded } = plan;
  const { agent_id, origin_system_id, incident_id, seed, is_synthetic } = recorded;
  const { trace_id, synthetic_scenario_id } = recorded;
  const redactions = calls.flatMap((call) =>
    "call" in call && call.redaction !== null ? [call.redaction] : [],
  );
  const capture = recorded.capture === "gated" ? ("gated" as const) : ("inline" as const);
  const prepared = yield* prepareRun({
    tenant_id: input.tenant_id,
    run_id,
    correlation_id: recorded.correlation_id,
    agent_id,
    origin_system_id,
    incident_id,
    replay_of: input.run_id,
    plan: { steps: calls.map(({ step }) => step) },
    // A run id is its tenant's to give; these name the very evidence.
    attributes: { replay: { trace_id, root_hash: verdict.integrity.root_hash } },
    seed,
    frozen_timestamp: null,
    is_synthetic,
    synthetic_scenario_id,
    capture,
    redaction: redactions.length === 0 ? null : [...new Set(redactions)].toSorted().join(" "),
  });
  const fields = { ...recorded, trace_id: prepared.input.trace_id, capture };
  const { exit, outcome } = yield* recordRun(
    prepared,
    (trace) => execution(input, plan, keeping(trace, fields, acts), capture === "gated"),
    endingOf,
  );
  yield* exit;
  return { ending: outcome, run: outcome };
});

/** What of an answer is compared, by the skill that gave it. */
const comparableAct = (act: RecordedAct, call: PreparedCall | StoodIn | undefined): RecordedAct => {
  if (call === undefined || !("call" in call) || typeof act.outcome_data !== "string") return act;
  const value = parseCanonical(act.outcome_data) as Schema.Json;
  const outcome_data = canonicalize(call.comparable(value), PARSED_LIMITS);
  return { ...act, outcome_data };
};

const reportOn = (
  { tenant_id, run_id }: ReplayRun,
  { trace, calls }: RecordedPlan,
  { acts: recorded, verdict, trace: columns }: Evidence,
  replayed: ReadonlyArray<RecordedAct>,
  { status, reason }: Pick<Ending, "status" | "reason">,
  run: RunOutcome | null,
): ReplayReport => {
  const callOf = (act: RecordedAct) => calls[planStepOf(act) ?? -1];
  const behaviorOf = (act: RecordedAct) => callOf(act)?.replay_behavior ?? "execute";
  const a = recorded.map((act) => comparableAct(act, callOf(act)));
  // What stood in is what was recorded, and is no difference.
  const b = replayed.flatMap((act) =>
    act.status === "skipped" && act.outcome_code !== NOT_RECORDED
      ? recorded.filter((each) => planStepOf(each) === planStepOf(act))
      : [comparableAct(act, callOf(act))],
  );
  const { rows, is_aligned } = compareActs(a, b, COMPARED);
  const behaviorAt = (row: ParityRow) => behaviorOf(row.a === null ? b[row.b!]! : a[row.a]!);
  const checks = rows.map((row) => behaviorAt(row) === "check");
  const at = rows.findIndex(
    ({ kind }, place) => checks[place] && kind !== "same" && kind !== "unknown",
  );
  const first_divergence = at === -1 ? null : divergenceAt(rows[at]!, at, a, b);
  const unknown = rows.find(({ kind }, place) => checks[place] && kind === "unknown");
  const missing = replayed.find(({ outcome_code }) => outcome_code === NOT_RECORDED);
  const counts = { execute: 0, skip: 0, check: 0 };
  for (const { replay_behavior } of calls) counts[replay_behavior] += 1;
  const [decided, why] =
    first_divergence !== null
      ? (["DIVERGED", first_divergence.reason] as const)
      : unknown !== undefined
        ? ([
            "UNKNOWN",
            `${unknown.fields.join(", ")} of ${named(a[unknown.a!]!)} can't be compared: the payload was erased`,
          ] as const)
        : missing !== undefined
          ? ([
              "UNKNOWN",
              `${named(missing)} is to be skipped, and the recorded run never came to it`,
            ] as const)
          : counts.check === 0
            ? (["UNCHECKED", "no step of the plan is to be checked"] as const)
            : (["PARITY", null] as const);
  return {
    verdict: decided,
    reason: why,
    tenant_id,
    run_id,
    recorded: {
      trace_id: trace.trace_id,
      root_hash: String(verdict.integrity.root_hash),
      status: wordOf(columns?.["status"]),
    },
    replayed: { status, reason },
    run,
    steps: counts,
    compared: COMPARED,
    first_divergence,
    masked_checks: rows.filter((row, place) => checks[place] && isMasked(row, a, COMPARED)).length,
    is_aligned,
    rows: rows.map((row) => ({ ...shownRow(row, a, b), replay_behavior: behaviorAt(row) })),
  };
};

const divergenceAt = (
  { a: left, b: right, fields }: ParityRow,
  row: number,
  a: ReadonlyArray<RecordedAct>,
  b: ReadonlyArray<RecordedAct>,
): Divergence => {
  if (left === null)
    return { row, reason: `${named(b[right!]!)} is only in the replay`, value: null };
  if (right === null)
    return { row, reason: `the replay did not come to ${named(a[left]!)}`, value: null };
  const sides = ["as recorded", "in the replay"] as const;
  const { what, value } = sayChange(fields[0]!, a[left]!, b[right]!, sides);
  return { row, reason: `${named(a[left]!)}: ${what}`, value };
};
