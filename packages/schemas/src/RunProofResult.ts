/** The answer to "is this run's evidence what was recorded?". */
import * as Schema from "effect/Schema";
import { Finding } from "./Finding.ts";
import { Lifecycle } from "./SealRecord.ts";
import { Timestamp } from "./Timestamp.ts";
import { Capture } from "./TraceRecord.ts";

export const IntegrityModel = Schema.Literals(["HASH_CHAIN", "MERKLE_TREE", "NONE"]);
export type IntegrityModel = typeof IntegrityModel.Type;

export const VerificationStatus = Schema.Literals(["VERIFIED", "FAILED", "UNSUPPORTED"]);
export type VerificationStatus = typeof VerificationStatus.Type;

/** Weakest first. */
export const Assurance = Schema.Literals(["SELF", "SIGNED", "WITNESSED", "ANCHORED"]);
export type Assurance = typeof Assurance.Type;

/** What a capture grade says of a run's records, in one sentence. */
export const CAPTURE_MEANING: Readonly<Record<Capture, string>> = {
  gated: "each act's intent was durable before the act began, and its outcome before the next act",
  inline: "the run recorded itself as it went: each outcome was durable before the next act",
  observed: "something beside the run reported it; a report can have been lost on the way",
  imported: "read from a file afterwards: it shows what the file said, since then",
};

/** Why a run with nothing to check is UNSUPPORTED. */
export const REASON_NO_TRACE = "No trace found for run";
export const REASON_NO_STEPS = "No steps to verify";
export const REASON_OPEN =
  "The trace is OPEN: it has no seal yet, and only a sealed trace can be verified";

/** What was checked, and with what outcome. `root_hash` is the one recomputed from the records, or null. */
export const Integrity = Schema.Struct({
  model: IntegrityModel,
  root_hash: Schema.NullOr(Schema.String),
  chain_length: Schema.Int,
  verification_status: VerificationStatus,
  failure_reason: Schema.NullOr(Schema.String),
});
export interface Integrity extends Schema.Schema.Type<typeof Integrity> {}

/** The proof of one run. The first six fields keep the earlier system's names. */
export const RunProofResult = Schema.Struct({
  run_id: Schema.String,
  integrity: Integrity,
  aos_traces: Schema.Array(Schema.JsonObject),
  aos_trace_steps: Schema.Array(Schema.JsonObject),
  raw_logs: Schema.Array(Schema.Json),
  verified_at: Timestamp,
  /** Null where there is no trace, or no seal that can be believed. */
  lifecycle: Schema.NullOr(Lifecycle),
  /** How close to the acts the records were made; null where the trace record can't be believed. */
  capture: Schema.NullOr(Capture),
  /** Null unless VERIFIED. */
  assurance: Schema.NullOr(Assurance),
  findings: Schema.Array(Finding),
  /** The predecessor's root, for comparison only: it never makes a verdict. */
  legacy_root_hash: Schema.NullOr(Schema.String),
  /** What the verdict does not cover, in sentences; nothing here speaks against the evidence. */
  notes: Schema.Array(Schema.String),
});
export interface RunProofResult extends Schema.Schema.Type<typeof RunProofResult> {}
