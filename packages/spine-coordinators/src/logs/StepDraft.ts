/** A step as its source tells it, before it has a place in a trace. */
import type { StepInput } from "@runproof/proof/StepRecord";
import type { Decision } from "../policies/Guard.ts";
import { PENDING } from "@runproof/schemas/StepRecord";

/** The step record's fields, but for those that follow from the trace. */
export interface StepDraft extends Omit<
  StepInput,
  "trace_id" | "step_index" | "timestamp" | "is_synthetic" | "synthetic_scenario_id" | "capture"
> {
  /** What the guard decided before the step acted. */
  readonly decision?: Decision | undefined;
}

/** The fields by which a step is an intent: what is about to be done, with nothing known of how it goes. */
export const INTENDED = {
  status: "intended",
  outcome_category: PENDING,
  outcome_code: null,
  outcome_data: undefined,
  intent_index: null,
  cost_cents: null,
  duration_ms: null,
} as const satisfies Partial<StepDraft>;
