/** One step of a run: what was called, with what outcome. */
import * as Schema from "effect/Schema";
import { Commitment } from "./Commitment.ts";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { Amount, Count, Identifier, RecordText } from "./Text.ts";
import { Timestamp } from "./Timestamp.ts";
import type { Capture } from "./TraceRecord.ts";

/** The type tag of a step record. */
export const STEP_RECORD_TYPE = "runproof/step@v1";

/** The payloads that a step record commits to. */
export const STEP_PAYLOAD_NAMES = ["params", "outcome_data", "attributes"] as const;
export type StepPayloadName = (typeof STEP_PAYLOAD_NAMES)[number];

export const StepSource = Schema.Literals(["engine", "external", "replay"]);
export type StepSource = typeof StepSource.Type;

/** `intended` is an intent's: what is about to be done. Every other status is an outcome's. */
export const StepStatus = Schema.Literals(["intended", "success", "failure", "retry", "skipped"]);
export type StepStatus = typeof StepStatus.Type;

export const StepLevel = Schema.Literals(["INFO", "WARN", "ERROR"]);
export type StepLevel = typeof StepLevel.Type;

export const ReplayBehavior = Schema.Literals(["execute", "skip", "check"]);
export type ReplayBehavior = typeof ReplayBehavior.Type;

/** The level that follows from a status. */
export const levelOf = (status: StepStatus): StepLevel =>
  status === "failure" ? "ERROR" : status === "retry" ? "WARN" : "INFO";

const fields = {
  type: Schema.Literal(STEP_RECORD_TYPE),
  trace_id: Identifier,
  step_index: Count,
  parent_step_index: Schema.NullOr(Count),
  intent_index: Schema.NullOr(Count),
  skill_id: RecordText,
  skill_name: RecordText,
  source: StepSource,
  status: StepStatus,
  level: StepLevel,
  outcome_category: RecordText,
  outcome_code: Schema.NullOr(RecordText),
  params: Schema.NullOr(Commitment),
  outcome_data: Schema.NullOr(Commitment),
  attributes: Schema.NullOr(Commitment),
  cost_cents: Schema.NullOr(Amount),
  duration_ms: Schema.NullOr(Amount),
  started_at: Schema.NullOr(Timestamp),
  retry_count: Count,
  replay_behavior: ReplayBehavior,
  idempotency_key: Schema.NullOr(RecordText),
  timestamp: Timestamp,
  is_synthetic: Schema.Boolean,
  synthetic_scenario_id: Schema.NullOr(RecordText),
} as const;

/** Every key of a step record. */
export const STEP_RECORD_KEYS: ReadonlyArray<keyof StepRecord> = Object.keys(fields) as Array<
  keyof StepRecord
>;

/** A step record: every key present, no other allowed. */
export const StepRecord = closedStruct(fields).check(
  Schema.makeFilter((record) => {
    const issues: Array<Schema.FilterIssue> = [];
    if (record.level !== levelOf(record.status)) {
      issues.push({
        path: ["level"],
        issue: `must be ${levelOf(record.status)} where status is ${record.status}`,
      });
    }
    if (record.parent_step_index !== null && record.parent_step_index >= record.step_index) {
      issues.push({ path: ["parent_step_index"], issue: "must be below step_index" });
    }
    return issues;
  }),
);
export interface StepRecord extends Schema.Struct.Type<typeof fields> {}

/** The outcome category of an intent. */
export const PENDING = "PENDING";

const NULL_IN_AN_INTENT = [
  "intent_index",
  "outcome_code",
  "outcome_data",
  "cost_cents",
  "duration_ms",
] as const;

/** What `intentFault` judges of a record. */
export type IntentFields = Pick<
  StepRecord,
  "step_index" | "status" | "outcome_category" | "params" | (typeof NULL_IN_AN_INTENT)[number]
>;

/**
 * What a step record contradicts of the rules on intents and outcomes (format, section 1.1), as far as it shows by
 * itself under its trace's capture; null where nothing does. Which intent it answers is for whoever knows the others.
 */
export const intentFault = (record: IntentFields, capture: Capture): string | null => {
  if (record.status === "intended") {
    if (capture !== "gated") return `it is an intent, and the trace is ${capture}`;
    if (record.outcome_category !== PENDING)
      return `it is an intent, and its outcome_category is not ${PENDING}`;
    const filled = NULL_IN_AN_INTENT.find((key) => record[key] !== null);
    return filled === undefined ? null : `it is an intent, and its ${filled} is not null`;
  }
  if (record.intent_index === null) {
    return capture === "gated" && record.status !== "skipped"
      ? "it is an outcome that answers no intent, and the trace is gated"
      : null;
  }
  if (capture !== "gated") return `it answers an intent, and the trace is ${capture}`;
  if (record.status === "skipped") return "it was skipped, and answers an intent";
  if (record.intent_index >= record.step_index) return "it answers no earlier step";
  return record.params === null ? null : "it answers an intent, and has params of its own";
};
