/** What a check found, with the record that it is about. */
import * as Schema from "effect/Schema";
import type { Lifecycle } from "./SealRecord.ts";

/** Every code of a finding. */
export const FindingCode = Schema.Literals([
  "CONTENT_MISMATCH",
  "NOT_CANONICAL",
  "LINK_BROKEN",
  "GAP",
  "TRUNCATED",
  "REORDERED",
  "FOREIGN_RECORD",
  "COLUMN_MISMATCH",
  "PAYLOAD_MISMATCH",
  "PAYLOAD_MISSING",
  "PAYLOAD_ERASED",
  "SEAL_MISMATCH",
  "INTENT_MISMATCH",
  "OUTCOME_UNKNOWN",
  "NOT_IN_LOG",
  "LOG_SHRUNK",
  "LOG_FORKED",
  "KEY_UNTRUSTED",
  "ORPHAN_LOG_ENTRY",
  "UNSEALED_PAST_LEASE",
]);
export type FindingCode = typeof FindingCode.Type;

/** One finding. `step_index` is null where it is about the trace record, the seal or the log. */
export const Finding = Schema.Struct({
  code: FindingCode,
  step_index: Schema.NullOr(Schema.Int),
  message: Schema.String,
});
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

/**
 * Whether a finding leaves VERIFIED standing: a recorded erasure does, and so does an act of an ABORTED run whose outcome
 * nobody knows.
 */
export const isHarmless = (finding: Pick<Finding, "code">, lifecycle: Lifecycle | null): boolean =>
  finding.code === "PAYLOAD_ERASED" ||
  (finding.code === "OUTCOME_UNKNOWN" && lifecycle === "ABORTED");
