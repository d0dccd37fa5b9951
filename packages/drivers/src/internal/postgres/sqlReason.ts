/** The one place where SQL reasons become the domain's errors. */
import { parseJson } from "@runproof/proof/JsonText";
import {
  ChainMoved,
  DatabaseFailed,
  DatabaseUnfit,
  DatabaseUnreachable,
  ImmutabilityViolation,
  InvalidInput,
  LeaseLost,
  NotAuthorised,
  RunHeld,
  RunNotFound,
  RunRefused,
  SchemaMismatch,
  TraceNotFound,
  TraceSealed,
  type ControlsError,
  type DatabaseError,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import type { SqlError } from "effect/sql/SqlError";

/** SQLSTATEs that the immutability migration raises. */
const S6 = {
  evidenceWouldChange: "S6001",
  traceSealed: "S6002",
  notNext: "S6003",
  noTrace: "S6004",
  leaseLost: "S6005",
  notARecord: "S6006",
  held: "S6007",
  noRoom: "S6008",
} as const;

const INVALID_PASSWORD = "28P01";
const UNDEFINED_OBJECT_CODES = ["42P01", "42883", "42704"];
/** `role "runproof_app" does not exist`, from the start-up packet. */
const INVALID_PARAMETER = "22023";
const DATABASE_MISSING = "3D000";
const PROTOCOL_VIOLATION = "08P01";
/** Classes of input that the server could not take: data exception, integrity, over a limit (such as an index row's). */
const DATA_CLASSES = ["22", "23", "54"];
/** Shutdown, crash, too many connections, starting up. */
const UNAVAILABLE = ["57P01", "57P02", "57P03", "53300", "53400"];

/** What a server is unfit for, by SQLSTATE: what it says of itself, and what to do. */
const UNFIT: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  "25006": [
    "takes no writes: it is a standby, or set to be read only",
    "Name the primary in DATABASE_URL (after a failover it may be another host), or take default_transaction_read_only back.",
  ],
  "53100": [
    "has no space left on its disk",
    "Make room on the server. Nothing that was acknowledged is lost.",
  ],
  "53200": ["is out of memory", "Give the server more memory, or ask for less at once."],
  "57014": [
    "ended a statement that took too long",
    "Raise statement_timeout for this login, or see what the server is busy with.",
  ],
  "55P03": [
    "did not get a lock in time",
    "See what holds the lock (pg_stat_activity), or raise lock_timeout for this login.",
  ],
  "40P01": [
    "ended a statement that waited for another session while that one waited for it",
    "See who changes the schema meanwhile (pg_stat_activity), and try again after that.",
  ],
  "25P03": [
    "ended a transaction that it found idle too long",
    "Raise idle_in_transaction_session_timeout for this login.",
  ],
  ...Object.fromEntries(
    // A statement that another session prepared, or one that this session has prepared and that is not there.
    ["26000", "42P05"].map((code) => [
      code,
      [
        "mixes up sessions: a connection pooler stands before it",
        "Connect to the server itself, or use a pooler that keeps prepared statements (PgBouncer 1.21 and max_prepared_statements above 0, or pool_mode = session).",
      ],
    ]),
  ),
};

const APPLICATION_REMEDY =
  "Let the application's login be a member of its role: GRANT runproof_app TO <login>.";
const OPERATOR_REMEDY =
  "Use a login that may operate: GRANT runproof_operator TO <the operator's login>. The owner's may.";
const SIGNER_REMEDY =
  "Use a login that may sign: GRANT runproof_signer TO <the signer's login>. The owner's may.";
const MIGRATION_REMEDY =
  "Migrate with the login that owns the database or schema. Where it may not create roles, let a superuser do it before: CREATE ROLE runproof_app NOLOGIN; CREATE ROLE runproof_tenant NOLOGIN; CREATE ROLE runproof_operator NOLOGIN; CREATE ROLE runproof_signer NOLOGIN; GRANT runproof_app TO runproof_operator, runproof_signer; GRANT runproof_app TO <the application's login>; GRANT runproof_operator, runproof_signer TO <the owner's login>.";

interface ServerFields {
  readonly code?: string;
  readonly message?: string;
  readonly detail?: string;
}

const fieldsOf = (error: SqlError): ServerFields => {
  const cause: unknown = error.reason.cause;
  if (typeof cause !== "object" || cause === null) return { message: String(cause) };
  // Node wraps a refused connection's code in the cause of the cause.
  const inner = "cause" in cause ? cause.cause : undefined;
  const message = cause instanceof Error ? cause.message : "no reason given";
  return {
    ...(cause as ServerFields),
    message:
      inner instanceof Error && inner.message !== "" ? `${message}: ${inner.message}` : message,
  };
};

const remedyFor = (operation: string, message: string): string => {
  if (operation === "migrate") return MIGRATION_REMEDY;
  if (message.includes("runproof_signer")) return SIGNER_REMEDY;
  return message.includes("runproof_operator") ? OPERATOR_REMEDY : APPLICATION_REMEDY;
};

/** The SQLSTATE of a server's error, or undefined where the server did not answer. */
export const sqlState = (error: SqlError): string | undefined => fieldsOf(error).code;

/** Maps what any operation can meet. `database` is the URL with its password hidden, or the embedded folder. */
export const databaseError =
  (operation: string, database: string) =>
  (error: SqlError): DatabaseError => {
    const { code = "", message = error.message } = fieldsOf(error);
    if (error.reason._tag === "AuthenticationError" || code === INVALID_PASSWORD) {
      return new NotAuthorised({
        detail: `the database at ${database} refused the login: ${message}`,
        remedy: "Check the user and password in DATABASE_URL.",
      });
    }
    // The role's name is in the message of any language.
    if (code === INVALID_PARAMETER && message.includes("runproof_app")) {
      return new SchemaMismatch({
        migration: "traces",
        is_empty: true,
        what: `the database at ${database} has no runproof schema yet (${message})`,
        remedy: "Run `runproof migrate` with the owner's DATABASE_URL.",
      });
    }
    if (error.reason._tag === "AuthorizationError") {
      return new NotAuthorised({
        detail: `${operation}: ${message}`,
        remedy: remedyFor(operation, message),
      });
    }
    if (UNDEFINED_OBJECT_CODES.includes(code)) {
      return new SchemaMismatch({
        migration: operation,
        what: `the database at ${database} lacks a part of the schema: ${message}`,
        remedy:
          "Migrating brings nothing back. Keep the database as it is and run `runproof audit`: it says what is gone.",
      });
    }
    // PgBouncer's own answer: it passes on no parameter that it does not know.
    if (code === PROTOCOL_VIOLATION && message.includes("startup parameter")) {
      return new DatabaseUnfit({
        url: database,
        what: `is behind a connection pooler that refuses what sessions ask for at their start (${message})`,
        remedy:
          "Connect to the server itself; or put the parameters into the pooler's ignore_startup_parameters and give them to the application's login: opening the database then says which.",
      });
    }
    const unfit = UNFIT[code];
    if (unfit !== undefined) {
      const [what, remedy] = unfit;
      return new DatabaseUnfit({ url: database, what: `${what} (${message})`, remedy });
    }
    if (
      error.reason._tag === "ConnectionError" ||
      UNAVAILABLE.includes(code) ||
      code === DATABASE_MISSING
    ) {
      return new DatabaseUnreachable({ url: database, detail: message });
    }
    if (code === "") return new DatabaseUnreachable({ url: database, detail: message });
    return new DatabaseFailed({ operation, detail: `${message} (SQLSTATE ${code})` });
  };

/** Maps what a write to the trace `trace_id` can meet. */
export const traceWriteError = (operation: string, database: string, trace_id: string) => {
  const otherwise = databaseError(operation, database);
  return (error: SqlError): TraceWriteError | InvalidInput => {
    const { code = "", message = "", detail } = fieldsOf(error);
    switch (code) {
      case S6.evidenceWouldChange:
        return new ImmutabilityViolation({ detail: message });
      case S6.traceSealed:
        return new TraceSealed({ trace_id, status: detail ?? "sealed" });
      case S6.notNext:
        return new ChainMoved({ trace_id, detail: message });
      case S6.noTrace:
        return new TraceNotFound({ trace_id });
      case S6.leaseLost:
        return new LeaseLost({ trace_id });
      case S6.notARecord:
        return invalidRecord(trace_id, message);
    }
    if (DATA_CLASSES.includes(code.slice(0, 2))) return invalidRecord(trace_id, message);
    return otherwise(error);
  };
};

/** Maps what an operation on a run's sealed evidence can meet. */
export const controlsError = (
  operation: string,
  database: string,
  { tenant_id, run_id }: { readonly tenant_id: string; readonly run_id: string | null },
) => {
  const otherwise = databaseError(operation, database);
  const where = run_id === null ? `tenant ${tenant_id}` : `run ${run_id}`;
  return (error: SqlError): ControlsError => {
    const { code = "", message = "" } = fieldsOf(error);
    switch (code) {
      case S6.evidenceWouldChange:
        return new ImmutabilityViolation({ detail: message });
      case S6.noTrace:
        return new RunNotFound({ tenant_id, run_id: run_id ?? "" });
      case S6.held:
        return new RunHeld({ tenant_id, run_id: run_id ?? "" });
    }
    if (code === S6.notARecord || DATA_CLASSES.includes(code.slice(0, 2))) {
      return new InvalidInput({
        what: message,
        where,
        remedy: "Correct it and ask again; nothing was changed.",
      });
    }
    return otherwise(error);
  };
};

/** What a run's start was refused for by a limit of its tenant's; undefined where it was refused for something else. */
export const runRefusal = (
  error: SqlError,
  run: { readonly tenant_id: string; readonly run_id: string },
): RunRefused | undefined => {
  const { code, detail = "{}" } = fieldsOf(error);
  if (code !== S6.noRoom) return undefined;
  const { kind, value, observed } = parseJson(detail) as Pick<
    RunRefused,
    "kind" | "value" | "observed"
  >;
  return new RunRefused({ ...run, kind, value, observed });
};

const invalidRecord = (trace_id: string, message: string) =>
  new InvalidInput({
    what: message,
    where: `trace ${trace_id}`,
    remedy:
      "Make records with @runproof/proof; the database takes nothing that a verifier would refuse.",
  });
