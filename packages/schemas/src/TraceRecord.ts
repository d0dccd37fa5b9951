/** The first record of a run's evidence: which run, whose, begun when. */
import * as Schema from "effect/Schema";
import { Commitment } from "./Commitment.ts";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { Identifier, RecordText, SafeInteger } from "./Text.ts";
import { Timestamp } from "./Timestamp.ts";

/** The type tag of a trace record. */
export const TRACE_RECORD_TYPE = "runproof/trace@v1";

/** The payloads that a trace record commits to. */
export const TRACE_PAYLOAD_NAMES = ["plan", "attributes"] as const;
export type TracePayloadName = (typeof TRACE_PAYLOAD_NAMES)[number];

/** How close to the act each record of the trace was made (format, section 1.1). */
export const Capture = Schema.Literals(["gated", "inline", "observed", "imported"]);
export type Capture = typeof Capture.Type;

const fields = {
  type: Schema.Literal(TRACE_RECORD_TYPE),
  trace_id: Identifier,
  run_id: Identifier,
  tenant_id: Identifier,
  correlation_id: Identifier,
  agent_id: Schema.NullOr(RecordText),
  origin_system_id: Schema.NullOr(RecordText),
  incident_id: Schema.NullOr(RecordText),
  replay_of: Schema.NullOr(RecordText),
  started_at: Timestamp,
  created_at: Timestamp,
  plan: Schema.NullOr(Commitment),
  attributes: Schema.NullOr(Commitment),
  seed: Schema.NullOr(SafeInteger),
  frozen_timestamp: Schema.NullOr(Timestamp),
  is_synthetic: Schema.Boolean,
  synthetic_scenario_id: Schema.NullOr(RecordText),
  redaction: Schema.NullOr(RecordText),
  capture: Capture,
} as const;

/** Every key of a trace record. */
export const TRACE_RECORD_KEYS: ReadonlyArray<keyof TraceRecord> = Object.keys(fields) as Array<
  keyof TraceRecord
>;

/** A trace record: every key present, no other allowed. */
export const TraceRecord = closedStruct(fields).check(
  Schema.makeFilter((record) =>
    record.is_synthetic && record.synthetic_scenario_id === null
      ? { path: ["synthetic_scenario_id"], issue: "must be a string where is_synthetic is true" }
      : undefined,
  ),
);
export interface TraceRecord extends Schema.Struct.Type<typeof fields> {}
