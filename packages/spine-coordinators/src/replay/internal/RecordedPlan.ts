/** A recorded run as a plan that can be executed again, or why it can't. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { PAYLOAD_GONE } from "@runproof/proof/Parity";
import { REDACTED } from "@runproof/proof/Redaction";
import type { PlanStep } from "@runproof/schemas/Plan";
import {
  NotReplayable,
  type SkillUnknown,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import type { InvalidInput } from "@runproof/schemas/RunProofError";
import type { ReplayBehavior } from "@runproof/schemas/StepRecord";
import type { TraceRecord } from "@runproof/schemas/TraceRecord";
import * as Effect from "effect/Effect";
import { checkPlan } from "../../runs/RunCoordinator.ts";
import {
  prepareCall,
  type PreparedCall,
  type StandIn,
  type StoodIn,
} from "../../runs/internal/PlanExecution.ts";
import type { SkillsBridge } from "../../skills/SkillsBridge.ts";
import { type Evidence, type RecordedAct, wordOf } from "./Evidence.ts";

/** The code of a step that is to be skipped, where the recorded run never came to it. */
export const NOT_RECORDED = "NOT_RECORDED";

/** A recorded run that can be executed again. */
export interface RecordedPlan {
  readonly trace: TraceRecord;
  readonly calls: ReadonlyArray<PreparedCall | StoodIn>;
}

const WHOLE = "Replay a run that is sealed and whole; `runproof run --plan` executes a plan anew.";
const OWN_PLAN =
  "Only runs that `runproof run` or the API executed from a plan hold all that a replay needs.";
const ERASED = "Erasing can't be undone: execute the plan anew from where you keep it.";

/** Makes of a run's evidence what executes it again. Nothing is called. */
export const recordedPlan = Effect.fnUntraced(function* (
  run_id: string,
  evidence: Evidence,
): Effect.fn.Return<
  RecordedPlan,
  NotReplayable | StoredDataUnreadable | SkillUnknown | InvalidInput,
  SkillsBridge
> {
  const trace = yield* wholeTrace(run_id, evidence);
  const steps = yield* storedPlan(run_id, trace, evidence);
  const acts = yield* byPlanStep(run_id, steps, evidence.acts);
  const calls = yield* Effect.forEach(steps, (step, plan_step) =>
    plannedStep(run_id, step, plan_step, acts.get(plan_step) ?? []),
  );
  return { trace, calls };
});

/** The trace of a run that is VERIFIED and COMPLETE. */
const wholeTrace = Effect.fnUntraced(function* (run_id: string, { verdict, trace }: Evidence) {
  const { lifecycle, integrity } = verdict;
  const { verification_status, failure_reason } = integrity;
  const why = failure_reason === null ? "" : `: ${failure_reason}`;
  if (verification_status === "FAILED") {
    const where = `run ${run_id}`;
    return yield* new StoredDataUnreadable({ where, what: `it is FAILED, and no evidence${why}` });
  }
  const refused = (what: string) => new NotReplayable({ run_id, why: what, remedy: WHOLE });
  if (lifecycle === "OPEN") return yield* refused("it is OPEN: it has no seal yet");
  if (lifecycle === "ABORTED")
    return yield* refused("it is ABORTED: what it did not come to do is not known");
  if (verification_status !== "VERIFIED" || lifecycle !== "COMPLETE" || trace === null)
    return yield* refused(`it is ${verification_status}${why}`);
  // VERIFIED: it was read as a trace record.
  return parseCanonical(wordOf(trace["record"])) as unknown as TraceRecord;
});

const storedPlan = Effect.fnUntraced(function* (
  run_id: string,
  { replay_of, capture, plan: commitment }: TraceRecord,
  { plan }: Evidence,
) {
  const refused = (why: string, remedy = OWN_PLAN) => new NotReplayable({ run_id, why, remedy });
  if (replay_of !== null)
    return yield* refused(`it is itself a replay of ${replay_of}`, "Replay the run that it names.");
  if (capture === "imported" || capture === "observed")
    return yield* refused(`it was ${capture}: nothing here executed a plan`);
  if (commitment === null) return yield* refused("no plan is stored with it");
  if (plan === undefined) return yield* refused("its plan was erased", ERASED);
  const { steps } = yield* checkPlan(plan).pipe(
    Effect.mapError(({ message }) => refused(`what is stored as its plan is none (${message})`)),
  );
  return steps;
});

/** The acts of each step of the plan, in their order. */
const byPlanStep = Effect.fnUntraced(function* (
  run_id: string,
  steps: ReadonlyArray<PlanStep>,
  acts: ReadonlyArray<RecordedAct>,
) {
  const found = new Map<number, Array<RecordedAct>>();
  for (const act of acts) {
    const { attributes, step_index, skill_id } = act;
    if (attributes === PAYLOAD_GONE) {
      const why = `the attributes of step ${step_index}, which say what of the plan it was, were erased`;
      return yield* new NotReplayable({ run_id, why, remedy: ERASED });
    }
    const plan_step = planStepOf(act);
    if (plan_step === null || steps[plan_step]?.skill !== skill_id) {
      const why = `step ${step_index} does not say which step of the plan it was: a program recorded it`;
      return yield* new NotReplayable({ run_id, why, remedy: OWN_PLAN });
    }
    found.set(plan_step, [...(found.get(plan_step) ?? []), act]);
  }
  return found;
});

/** Which step of the plan an act was; null where it does not say. */
export const planStepOf = ({ attributes }: RecordedAct): number | null => {
  const { plan_step } = Object(attributes) as { readonly plan_step?: unknown };
  return typeof plan_step === "number" ? plan_step : null;
};

const plannedStep = Effect.fnUntraced(function* (
  run_id: string,
  step: PlanStep,
  plan_step: number,
  acts: ReadonlyArray<RecordedAct>,
) {
  const last = acts.at(-1);
  // The record of an act says how it is replayed; of a step that was not come to, its plan does.
  const said = (last?.replay_behavior as ReplayBehavior | undefined) ?? step.replay_behavior;
  if (said === "skip") return yield* stoodIn(run_id, step, plan_step, last);
  if (JSON.stringify(step.params).includes(REDACTED)) {
    const why = `$.steps[${plan_step}].params hold a value that was masked when it was recorded, and the call can't be made without it`;
    const remedy = 'Give such a step "replay_behavior": "skip" in its plan.';
    return yield* new NotReplayable({ run_id, why, remedy });
  }
  const call = yield* prepareCall(step, plan_step);
  if (said === undefined && call.replay_behavior === "skip")
    return yield* stoodIn(run_id, step, plan_step, last);
  return { ...call, replay_behavior: said ?? call.replay_behavior };
});

const stoodIn = Effect.fnUntraced(function* (
  run_id: string,
  step: PlanStep,
  plan_step: number,
  last: RecordedAct | undefined,
) {
  if (last !== undefined && last.outcome_data === PAYLOAD_GONE) {
    const why = `the answer of step ${last.step_index}, which would stand in for its call, was erased`;
    return yield* new NotReplayable({ run_id, why, remedy: ERASED });
  }
  return {
    plan_step,
    skill_id: step.skill,
    skill_name: last?.skill_name ?? step.skill,
    recorded_params: step.params,
    replay_behavior: "skip",
    step,
    stand_in: last === undefined ? NOTHING_RECORDED : standInOf(last),
  } satisfies StoodIn;
});

const NOTHING_RECORDED: StandIn = {
  outcome: { status: "failure", outcome_category: "PERMANENT", outcome_code: NOT_RECORDED },
  outcome_data: undefined,
  attributes: {},
};

const standInOf = (act: RecordedAct): StandIn => {
  const { step_index, status, outcome_category, outcome_code, outcome_data } = act;
  const value: JsonValue | undefined =
    typeof outcome_data === "string" ? parseCanonical(outcome_data) : undefined;
  return {
    outcome: {
      status: status === "success" ? "success" : "failure",
      outcome_category: outcome_category as StandIn["outcome"]["outcome_category"],
      outcome_code,
    },
    outcome_data: value,
    attributes: { stands_in: { step_index, status, outcome_category } },
  };
};
