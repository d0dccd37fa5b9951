/** The last record of a run's evidence: how it ended, and what it is bound to. */
import * as Schema from "effect/Schema";
import { Commitment } from "./Commitment.ts";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { Count, HashHex, Identifier, RecordText } from "./Text.ts";
import { Timestamp } from "./Timestamp.ts";

/** The type tag of a seal record. */
export const SEAL_RECORD_TYPE = "runproof/seal@v1";

/** The payloads that a seal record commits to. */
export const SEAL_PAYLOAD_NAMES = ["metadata"] as const;
export type SealPayloadName = (typeof SEAL_PAYLOAD_NAMES)[number];

export const SealStatus = Schema.Literals(["completed", "failed", "aborted"]);
export type SealStatus = typeof SealStatus.Type;

/** What a stored trace's status may be: a seal's, or `running` while there is none. */
export const TraceStatus = Schema.Literals(["running", "completed", "failed", "aborted"]);
export type TraceStatus = typeof TraceStatus.Type;

/** Whether a trace ended, and how: COMPLETE and ABORTED are a seal's word, OPEN is a trace without one. */
export const Lifecycle = Schema.Literals(["COMPLETE", "ABORTED", "OPEN"]);
export type Lifecycle = typeof Lifecycle.Type;

/** The lifecycle that a seal's status means. */
export const lifecycleOf = (status: SealStatus): "COMPLETE" | "ABORTED" =>
  status === "aborted" ? "ABORTED" : "COMPLETE";

const fields = {
  type: Schema.Literal(SEAL_RECORD_TYPE),
  trace_id: Identifier,
  status: SealStatus,
  reason: Schema.NullOr(RecordText),
  completed_at: Timestamp,
  sealed_at: Timestamp,
  step_count: Count,
  chain_head: HashHex,
  merkle_root: HashHex,
  metadata: Schema.NullOr(Commitment),
} as const;

/** Every key of a seal record. */
export const SEAL_RECORD_KEYS: ReadonlyArray<keyof SealRecord> = Object.keys(fields) as Array<
  keyof SealRecord
>;

/** A seal record: every key present, no other allowed. */
export const SealRecord = closedStruct(fields).check(
  Schema.makeFilter((record) =>
    record.status !== "completed" && record.reason === null
      ? { path: ["reason"], issue: `must be a string where status is ${record.status}` }
      : undefined,
  ),
);
export interface SealRecord extends Schema.Struct.Type<typeof fields> {}
