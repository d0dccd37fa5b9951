/** What an audit of a whole database found, and what it checked to say so. */
import * as Schema from "effect/Schema";
import { FindingCode } from "./Finding.ts";
import { Count, HashHex } from "./Text.ts";
import { Timestamp } from "./Timestamp.ts";

/**
 * The format's codes, and those of what is no run: `CATALOG_DRIFT` a defence of the database is not as it was made,
 * `TILE_MISMATCH` a stored hash of the log's tree is not that of its entries, `ORPHAN_ROWS` rows name a trace that is not
 * there or is sealed, `UNREADABLE` rows could not be read at all, `LOG_STALLED` entries wait for their place in the log too long.
 */
export const AuditCode = Schema.Union([
  FindingCode,
  Schema.Literals(["CATALOG_DRIFT", "TILE_MISMATCH", "ORPHAN_ROWS", "UNREADABLE", "LOG_STALLED"]),
]);
export type AuditCode = typeof AuditCode.Type;

/** One finding, with all that says where. What does not apply is null. */
export const AuditFinding = Schema.Struct({
  code: AuditCode,
  tenant_id: Schema.NullOr(Schema.String),
  run_id: Schema.NullOr(Schema.String),
  trace_id: Schema.NullOr(Schema.String),
  step_index: Schema.NullOr(Schema.Int),
  log_index: Schema.NullOr(Schema.Int),
  /** A part of the database, or where a checkpoint came from. */
  object: Schema.NullOr(Schema.String),
  message: Schema.String,
});
export interface AuditFinding extends Schema.Schema.Type<typeof AuditFinding> {}

/** A checkpoint that the log was compared with. */
export const ComparedCheckpoint = Schema.Struct({
  /** The file it came from, or that the database keeps it. */
  source: Schema.String,
  origin: Schema.String,
  tree_size: Count,
  root_hash: HashHex,
  /** `unchecked` where no key was given to check it with. */
  signature: Schema.Literals(["trusted", "untrusted", "unchecked"]),
  /** Verifier keys whose signature holds. */
  signed_by: Schema.Array(Schema.String),
  /** Whether the log's first `tree_size` entries hash to `root_hash`. */
  holds: Schema.Boolean,
});
export interface ComparedCheckpoint extends Schema.Schema.Type<typeof ComparedCheckpoint> {}

/** The result of one audit. */
export const AuditReport = Schema.Struct({
  /** `EMPTY` where nothing was found and nothing was there: no trace, no entry of the log. */
  verdict: Schema.Literals(["CLEAN", "FINDINGS", "EMPTY"]),
  /** The database that was audited: its URL without the password, or the embedded database's folder. */
  database: Schema.String,
  started_at: Timestamp,
  finished_at: Timestamp,
  /** The checkpoint up to which nothing was checked again; null where everything was. */
  since: Schema.NullOr(Schema.Struct({ tree_size: Count, root_hash: HashHex })),
  checked: Schema.Struct({
    traces: Count,
    steps: Count,
    /** Entries of the log, and of those that wait for their index. */
    entries: Count,
    entries_pending: Count,
    tiles: Count,
  }),
  /** Every checked trace is counted once. */
  traces: Schema.Struct({
    verified: Count,
    /** Sealed without a step: nothing to verify. */
    empty: Count,
    open: Count,
    open_past_lease: Count,
    failed: Count,
  }),
  /** The verified traces by level. */
  levels: Schema.Struct({ SELF: Count, SIGNED: Count }),
  /** Payloads that are gone by a recorded erasure. */
  payloads_erased: Count,
  /** Intents of ABORTED traces that nothing answers: those acts may or may not have happened. */
  outcomes_unknown: Count,
  /** Traces that are gone by a recorded deletion. */
  deletions_recorded: Count,
  tree: Schema.Struct({
    size: Count,
    /** Null where entries are missing or unreadable. */
    root_hash: Schema.NullOr(HashHex),
  }),
  checkpoints: Schema.Array(ComparedCheckpoint),
  findings: Schema.Array(AuditFinding),
  /** How many findings beyond those listed there are. */
  findings_omitted: Count,
  findings_by_code: Schema.Record(Schema.String, Count),
  /** What the audit did not check, in sentences. */
  notes: Schema.Array(Schema.String),
});
export interface AuditReport extends Schema.Schema.Type<typeof AuditReport> {}
