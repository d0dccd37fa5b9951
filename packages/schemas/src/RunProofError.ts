/**
 * The typed errors that cross a layer. Each says what failed and where in `message`, and what to do in `remedy`.
 * Drivers map SQL and network reasons to these once; the CLI maps each to an exit code and the API to problem+json.
 */
import * as Schema from "effect/Schema";

/** Input that can't be taken: a bad argument, plan, file, record or payload. Nothing was written. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()(
  "InvalidInput",
  {
    /** What is wrong, as a sentence without its full stop. */
    what: Schema.String,
    /** Where: a flag, a file with its line, or a JSON path. */
    where: Schema.String,
    remedy: Schema.String,
  },
  { httpApiStatus: 400 },
) {
  override get message(): string {
    return `${this.where}: ${this.what}`;
  }
}

/** A setting that is missing or contradicts another one. */
export class ConfigurationInvalid extends Schema.TaggedError<ConfigurationInvalid>()(
  "ConfigurationInvalid",
  { setting: Schema.String, what: Schema.String, remedy: Schema.String },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return `${this.setting}: ${this.what}`;
  }
}

/** No run of that id in that tenant. Another tenant's run answers the same. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()(
  "RunNotFound",
  { run_id: Schema.String, tenant_id: Schema.String },
  { httpApiStatus: 404 },
) {
  override get message(): string {
    return `no run ${this.run_id} in tenant ${this.tenant_id}`;
  }
  get remedy(): string {
    return "Check the run id and the tenant id; `runproof traces list --tenant-id T` shows what is there.";
  }
}

/** The tenant already has a run of that id. */
export class RunExists extends Schema.TaggedError<RunExists>()(
  "RunExists",
  { run_id: Schema.String, tenant_id: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `run ${this.run_id} is already recorded in tenant ${this.tenant_id}`;
  }
  get remedy(): string {
    return "Use another run id, or leave it out to have one made.";
  }
}

/** A run whose evidence was deleted once its time was over, as the log records: its root is left, and nothing to prove. */
export class RunDeleted extends Schema.TaggedError<RunDeleted>()(
  "RunDeleted",
  {
    run_id: Schema.String,
    tenant_id: Schema.String,
    root_hash: Schema.String,
    deleted_at: Schema.String,
  },
  { httpApiStatus: 410 },
) {
  override get message(): string {
    return `run ${this.run_id} in tenant ${this.tenant_id} was deleted at ${this.deleted_at}, as the log records; its root was ${this.root_hash}`;
  }
  get remedy(): string {
    return "Whoever kept its bundle can still verify that, and find this root in the log.";
  }
}

/** A step that a policy or a limit kept from being taken: it is recorded as skipped, and its run is over. */
export class StepBlocked extends Schema.TaggedError<StepBlocked>()(
  "StepBlocked",
  { trace_id: Schema.String, step_index: Schema.Int, what: Schema.String },
  { httpApiStatus: 403 },
) {
  override get message(): string {
    return `step ${this.step_index} was blocked: ${this.what}`;
  }
  get remedy(): string {
    return "Ask whoever sets the tenant's policies and limits, or have the run do without that step.";
  }
}

/** A recorded run that can't be replayed. Nothing was called, and nothing was written. */
export class NotReplayable extends Schema.TaggedError<NotReplayable>()(
  "NotReplayable",
  { run_id: Schema.String, why: Schema.String, remedy: Schema.String },
  { httpApiStatus: 422 },
) {
  override get message(): string {
    return `run ${this.run_id} is not replayable: ${this.why}`;
  }
}

/** A run that was not begun, for its tenant has as many as its limits allow. */
export class RunRefused extends Schema.TaggedError<RunRefused>()(
  "RunRefused",
  {
    tenant_id: Schema.String,
    run_id: Schema.String,
    kind: Schema.Literals(["runs_per_minute", "concurrent_runs"]),
    value: Schema.Finite,
    observed: Schema.Finite,
  },
  { httpApiStatus: 429 },
) {
  override get message(): string {
    return `run ${this.run_id} was not begun: the limit ${this.kind} of tenant ${this.tenant_id} is ${this.value}, and there are ${this.observed}`;
  }
  get remedy(): string {
    return "Begin it later, or have the limit raised.";
  }
}

/** A request that was sent before, by its idempotency key: its run is there, and no second one is begun. */
export class RunRepeated extends Schema.TaggedError<RunRepeated>()(
  "RunRepeated",
  {
    tenant_id: Schema.String,
    idempotency_key: Schema.String,
    /** The run that the first request began. */
    run_id: Schema.String,
    trace_id: Schema.String,
  },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `this request was sent before, and began run ${this.run_id}`;
  }
  get remedy(): string {
    return "Take that run's outcome, or send another request under another key.";
  }
}

/** A request under an idempotency key that another request of the tenant has. Nothing was written. */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()(
  "IdempotencyConflict",
  { tenant_id: Schema.String, idempotency_key: Schema.String, run_id: Schema.String },
  { httpApiStatus: 422 },
) {
  override get message(): string {
    return `the idempotency key ${JSON.stringify(this.idempotency_key)} began run ${this.run_id}, which asked for something else`;
  }
  get remedy(): string {
    return "Use a key of its own for each request; send the same request again only as it was.";
  }
}

/** A request that was sent before and whose run is still under way. */
export class IdempotencyInProgress extends Schema.TaggedError<IdempotencyInProgress>()(
  "IdempotencyInProgress",
  { tenant_id: Schema.String, idempotency_key: Schema.String, run_id: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `this request was sent before, and its run ${this.run_id} is still under way`;
  }
  get remedy(): string {
    return "Wait until that run is sealed, and ask again.";
  }
}

/** What an idempotency key may keep a run from. */
export type IdempotencyError = RunRepeated | IdempotencyConflict | IdempotencyInProgress;

/** A legal hold keeps a run's evidence as it is. */
export class RunHeld extends Schema.TaggedError<RunHeld>()(
  "RunHeld",
  { run_id: Schema.String, tenant_id: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `run ${this.run_id} in tenant ${this.tenant_id} is under a hold: nothing of it is moved, erased or deleted`;
  }
  get remedy(): string {
    return "Have the hold lifted by whoever set it, if it is over.";
  }
}

/** A write to a trace that is sealed: a late step, a second completion. */
export class TraceSealed extends Schema.TaggedError<TraceSealed>()(
  "TraceSealed",
  { trace_id: Schema.String, status: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `trace ${this.trace_id} is sealed as ${this.status} and takes no more records`;
  }
  get remedy(): string {
    return "Start a new run; a sealed trace is never changed.";
  }
}

/** A write to a trace that does not exist. */
export class TraceNotFound extends Schema.TaggedError<TraceNotFound>()(
  "TraceNotFound",
  { trace_id: Schema.String },
  { httpApiStatus: 404 },
) {
  override get message(): string {
    return `no trace ${this.trace_id}`;
  }
  get remedy(): string {
    return "Pass the trace id that starting the trace returned.";
  }
}

/** The trace grew by another writer: the index or the previous link named is not the next. */
export class ChainMoved extends Schema.TaggedError<ChainMoved>()(
  "ChainMoved",
  { trace_id: Schema.String, detail: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `trace ${this.trace_id}: ${this.detail}`;
  }
  get remedy(): string {
    return "Another writer added to this trace; let the store give the index, or stop the other writer.";
  }
}

/** The database answered another hash than the one computed here from what was sent: the trace can't be trusted. */
export class ChainMismatch extends Schema.TaggedError<ChainMismatch>()(
  "ChainMismatch",
  {
    trace_id: Schema.String,
    /** Which hash: `link of step 3`, `root_hash`. */
    what: Schema.String,
    expected: Schema.String,
    answered: Schema.String,
  },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return `trace ${this.trace_id}: the database answers ${this.answered} as ${this.what}, and what was sent gives ${this.expected}`;
  }
  get remedy(): string {
    return "The database's functions were changed, or rows were: run `runproof doctor` and `runproof proof` on the run.";
  }
}

/** The database refused a write that would change evidence (`S6_IMMUTABILITY_VIOLATION`, or a right not held). */
export class ImmutabilityViolation extends Schema.TaggedError<ImmutabilityViolation>()(
  "ImmutabilityViolation",
  { detail: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `the database refused to change evidence: ${this.detail}`;
  }
  get remedy(): string {
    return "Evidence is append-only; record a new run or step instead.";
  }
}

/** The run's lease is over: a sweeper may have aborted its trace. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()(
  "LeaseLost",
  { trace_id: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `the lease of trace ${this.trace_id} is over or held by another process`;
  }
  get remedy(): string {
    return "Stop the run: its trace is or will be ABORTED. Start a new one.";
  }
}

/** The database can't be reached or stopped answering. A password in `url` is hidden before it comes here. */
export class DatabaseUnreachable extends Schema.TaggedError<DatabaseUnreachable>()(
  "DatabaseUnreachable",
  { url: Schema.String, detail: Schema.String },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `can't reach the database at ${this.url}: ${this.detail}`;
  }
  get remedy(): string {
    return "Check that the server runs and that DATABASE_URL is right; `runproof doctor` checks each part.";
  }
}

/** The database answers and can't do what was asked as it is set up, or as it is now: no writes, no space, a time limit. */
export class DatabaseUnfit extends Schema.TaggedError<DatabaseUnfit>()(
  "DatabaseUnfit",
  { url: Schema.String, what: Schema.String, remedy: Schema.String },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `the database at ${this.url} ${this.what}`;
  }
}

/** An audit that the database cut off: what it had checked by then, and what it had not. Nothing was found out of the rest. */
export class AuditUnfinished extends Schema.TaggedError<AuditUnfinished>()(
  "AuditUnfinished",
  {
    /** What the database said. */
    why: Schema.String,
    /** What to do about that. */
    remedy: Schema.String,
    checked: Schema.Struct({
      traces: Schema.Int,
      steps: Schema.Int,
      entries: Schema.Int,
    }),
    /** Parts that were not checked, or not to their end. */
    not_checked: Schema.Array(Schema.String),
    /** What was found until then, each code once. */
    found: Schema.Array(Schema.String),
  },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    const { traces, steps, entries } = this.checked;
    const found = this.found.length === 0 ? "nothing" : this.found.join(", ");
    return `the audit was cut off: ${this.why}. Checked: ${traces} traces, ${steps} steps, ${entries} log entries; found until then: ${found}. Not checked: ${this.not_checked.join(", ")}`;
  }
}

/** The database did what was not foreseen. `operation` is the driver's file name. */
export class DatabaseFailed extends Schema.TaggedError<DatabaseFailed>()(
  "DatabaseFailed",
  { operation: Schema.String, detail: Schema.String },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return `${this.operation}: ${this.detail}`;
  }
  get remedy(): string {
    return "Run `runproof doctor`; if it finds nothing, report this with the text above.";
  }
}

/** The credentials given are not enough for what was asked. */
export class NotAuthorised extends Schema.TaggedError<NotAuthorised>()(
  "NotAuthorised",
  { detail: Schema.String, remedy: Schema.String },
  { httpApiStatus: 403 },
) {
  override get message(): string {
    return this.detail;
  }
}

/** The schema is not at the version this code needs, or a recorded migration was changed or numbered late. */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>()(
  "SchemaMismatch",
  {
    migration: Schema.String,
    what: Schema.String,
    remedy: Schema.String,
    /** Set where the database has nothing of the schema at all. */
    is_empty: Schema.optionalKey(Schema.Boolean),
  },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `${this.migration}: ${this.what}`;
  }
}

/** Parts of the schema, or the record of them, are gone from a database that had them: migrating would hide that. */
export class SchemaDamaged extends Schema.TaggedError<SchemaDamaged>()(
  "SchemaDamaged",
  { what: Schema.String },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return this.what;
  }
  get remedy(): string {
    return "Migrate nothing. Check that this is the database you mean; if it is, keep it as it is, look for who removed them, and restore a backup into a new database.";
  }
}

/** There is no database where one was looked for, and a command that only reads makes none. */
export class DatabaseMissing extends Schema.TaggedError<DatabaseMissing>()(
  "DatabaseMissing",
  { folder: Schema.String },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `no database to look at: no server is named, and there is no embedded database in ${this.folder}`;
  }
  get remedy(): string {
    return "Name the server in DATABASE_URL or --database-url, or the embedded database's folder in RUNPROOF_HOME or --home.";
  }
}

/** The embedded database's folder is in use by another process. */
export class EmbeddedLocked extends Schema.TaggedError<EmbeddedLocked>()(
  "EmbeddedLocked",
  {
    folder: Schema.String,
    pid: Schema.NullOr(Schema.Int),
    /** The name of the machine, or container, that the process is on. */
    host: Schema.optionalKey(Schema.String),
    /** The file by which it holds the folder. */
    file: Schema.optionalKey(Schema.String),
  },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `the embedded database in ${this.folder} is in use${this.pid === null ? "" : ` by process ${this.pid}${this.host === undefined ? "" : ` on ${this.host}`}`}`;
  }
  get remedy(): string {
    const remove =
      this.file === undefined
        ? ""
        : ` Where no such process is left on any machine or container that shares the folder, remove ${this.file}.`;
    return `Wait for that process or end it, set RUNPROOF_HOME to another folder, or use a server through DATABASE_URL.${remove}`;
  }
}

/** Stored rows that can't be read as what they should be, where a verdict is not what was asked for. */
export class StoredDataUnreadable extends Schema.TaggedError<StoredDataUnreadable>()(
  "StoredDataUnreadable",
  { where: Schema.String, what: Schema.String },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return `${this.where}: ${this.what}`;
  }
  get remedy(): string {
    return "Run `runproof audit`, or `runproof proof` on the run: it names what was changed.";
  }
}

/** A skill that the plan names and this process does not know. */
export class SkillUnknown extends Schema.TaggedError<SkillUnknown>()(
  "SkillUnknown",
  { skill_id: Schema.String, known: Schema.Array(Schema.String) },
  { httpApiStatus: 400 },
) {
  override get message(): string {
    return `unknown skill ${this.skill_id}`;
  }
  get remedy(): string {
    return `Known skills: ${this.known.join(", ")}.`;
  }
}

/** A file that can't be read or written. */
export class FileFailed extends Schema.TaggedError<FileFailed>()(
  "FileFailed",
  { path: Schema.String, what: Schema.String, remedy: Schema.String },
  { httpApiStatus: 500 },
) {
  override get message(): string {
    return `${this.path}: ${this.what}`;
  }
}

/** What any database operation may fail with, beside its own errors. */
export type DatabaseError =
  | DatabaseUnreachable
  | DatabaseUnfit
  | DatabaseFailed
  | NotAuthorised
  | SchemaMismatch;

/** What any write to a trace may fail with. */
export type TraceWriteError =
  | DatabaseError
  | TraceSealed
  | TraceNotFound
  | ChainMoved
  | ImmutabilityViolation
  | LeaseLost;

/** What an operation on sealed evidence may fail with. */
export type ControlsError =
  | DatabaseError
  | RunNotFound
  | RunHeld
  | ImmutabilityViolation
  | InvalidInput;

/** The log in the database is smaller than a checkpoint of it: entries were removed, or an old backup restored. `said_by` is where that checkpoint is from. */
export class LogShrunk extends Schema.TaggedError<LogShrunk>()(
  "LogShrunk",
  { signed_size: Schema.Int, size: Schema.Int, said_by: Schema.String },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `the log has ${this.size} entries, and ${this.said_by} is of ${this.signed_size}`;
  }
  get remedy(): string {
    return "Nothing is signed. Find the newer database, or run `runproof audit --checkpoint FILE` with a checkpoint kept elsewhere.";
  }
}

/** The log in the database does not extend a checkpoint of it: entries were rewritten. `said_by` is where that checkpoint is from. */
export class LogForked extends Schema.TaggedError<LogForked>()(
  "LogForked",
  {
    signed_size: Schema.Int,
    signed_root_hash: Schema.String,
    root_hash: Schema.String,
    said_by: Schema.String,
  },
  { httpApiStatus: 409 },
) {
  override get message(): string {
    return `the log's first ${this.signed_size} entries hash to ${this.root_hash}, and ${this.said_by} says ${this.signed_root_hash}`;
  }
  get remedy(): string {
    return "Nothing is signed. Keep the database as it is and run `runproof audit --checkpoint FILE` to see what was rewritten.";
  }
}

/** The signer's own state, kept outside the database, is lost, unreadable or another key's, so that nothing is signed. */
export class SignerStateInvalid extends Schema.TaggedError<SignerStateInvalid>()(
  "SignerStateInvalid",
  { path: Schema.String, what: Schema.String, remedy: Schema.String },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `the log signer's state ${this.path}: ${this.what}; nothing is signed`;
  }
}

/** A lock that another process holds, longer than is waited for. */
export class LockHeld extends Schema.TaggedError<LockHeld>()(
  "LockHeld",
  {
    /** The file by which it is held. */
    path: Schema.String,
    pid: Schema.Int,
  },
  { httpApiStatus: 503 },
) {
  override get message(): string {
    return `the lock ${this.path} is held by process ${this.pid}`;
  }
  get remedy(): string {
    return "Wait for that process or end it; where no such process is left on any machine that shares the folder, remove the file.";
  }
}

/** No such entry in the log, or no checkpoint that covers it yet. */
export class LogEntryNotFound extends Schema.TaggedError<LogEntryNotFound>()(
  "LogEntryNotFound",
  { what: Schema.String, remedy: Schema.String },
  { httpApiStatus: 404 },
) {
  override get message(): string {
    return this.what;
  }
}
