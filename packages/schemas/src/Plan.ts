/** Plans: what `runproof run` executes. */
import * as Schema from "effect/Schema";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { ReplayBehavior } from "./StepRecord.ts";
import { RecordText } from "./Text.ts";

/** Most steps of one plan. */
export const PLAN_STEPS_MAX = 10_000;
/** Most retries of one step, on top of its first attempt. */
export const PLAN_RETRIES_MAX = 100;
/** Longest time that one attempt may take: one day. */
export const PLAN_TIMEOUT_MS_MAX = 86_400_000;
/** Longest name of a skill. */
export const PLAN_SKILL_CHARACTERS_MAX = 255;

const intBetween = (minimum: number, maximum: number) =>
  Schema.Finite.check(
    Schema.makeFilter((n: number) => Number.isSafeInteger(n) && n >= minimum && n <= maximum, {
      message: `must be an integer from ${minimum} to ${maximum}`,
    }),
  );

/** One step of a plan. */
export const PlanStep = closedStruct({
  skill: RecordText.check(
    Schema.isBetweenCodePoints(1, PLAN_SKILL_CHARACTERS_MAX, {
      message: `must be 1 to ${PLAN_SKILL_CHARACTERS_MAX} characters`,
    }),
  ),
  params: Schema.JsonObject,
  retries: Schema.optionalKey(intBetween(0, PLAN_RETRIES_MAX)),
  timeout_ms: Schema.optionalKey(intBetween(1, PLAN_TIMEOUT_MS_MAX)),
  /** What a step that failed for good does to the run; `stop` where absent. */
  on_failure: Schema.optionalKey(Schema.Literals(["stop", "continue"])),
  /** What a replay does; where absent `execute` of a call that only reads, and `skip` of any other. */
  replay_behavior: Schema.optionalKey(ReplayBehavior),
});
export interface PlanStep extends Schema.Schema.Type<typeof PlanStep> {}

/** A plan: at least one step, and no key beyond those listed. */
export const Plan = closedStruct({
  steps: Schema.Array(PlanStep).check(
    Schema.isBetweenLength(1, PLAN_STEPS_MAX, {
      message: `must have 1 to ${PLAN_STEPS_MAX} steps`,
    }),
  ),
});
export interface Plan extends Schema.Schema.Type<typeof Plan> {}
