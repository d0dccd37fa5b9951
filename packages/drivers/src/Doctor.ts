/** Checks of the database's side: reachable, of a known version, at head, its defences in place. */
import * as Effect from "effect/Effect";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import { readDrift } from "./CatalogDrift.ts";
import { Database, describeDatabase, type DatabaseConfig, type OpenError } from "./Database.ts";
import { readServer } from "./internal/postgres/readServer.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";

/** Versions of PostgreSQL that the product is made for. */
export const POSTGRES_VERSIONS = { oldest: 14, newest: 18 } as const;

/** One check with what was found and, unless it is fine, what to do. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly remedy: string | null;
}

const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail, remedy: null });

const versionCheck = (version: number, text: string): Check => {
  const { oldest, newest } = POSTGRES_VERSIONS;
  return version >= oldest && version <= newest
    ? ok("version", text)
    : {
        name: "version",
        status: "warn",
        detail: `${text} is not among ${oldest} to ${newest}, which are tested`,
        remedy: `Use PostgreSQL ${oldest} to ${newest}.`,
      };
};

const loginCheck = (server: {
  readonly login: string;
  readonly login_is_superuser: boolean;
  readonly login_owns: ReadonlyArray<string>;
}): Check => {
  const { login, login_is_superuser, login_owns } = server;
  if (!login_is_superuser && login_owns.length === 0)
    return ok("login", `${login} acts as runproof_app and owns nothing`);
  const what = login_is_superuser ? "is a superuser" : `owns ${login_owns.join(", ")}`;
  return {
    name: "login",
    status: "warn",
    detail: `the login ${login} ${what}; sessions act as runproof_app, but whoever has this login can leave that role`,
    remedy:
      "For production give the application a login of its own: CREATE ROLE app LOGIN; GRANT runproof_app TO app.",
  };
};

const durabilityCheck = (undurable: ReadonlyArray<string>): Check =>
  undurable.length === 0
    ? ok("durability", "what is acknowledged is on the disk")
    : {
        name: "durability",
        status: "warn",
        detail: `${undurable.join(" and ")} ${undurable.length === 1 ? "is" : "are"} off: a crash of the machine can lose what was acknowledged`,
        remedy: `Set ${undurable.map((setting) => `${setting} = on`).join(", ")} in the server's configuration.`,
      };

const schemaCheck = (head: string | null): Check =>
  head === null
    ? {
        name: "schema",
        status: "fail",
        detail: "the record of its migrations (aos_schema_migrations) is empty",
        remedy: "Migrate nothing; keep the database as it is, and audit it.",
      }
    : ok("schema", `at head: ${head}`);

const writesCheck = (takes_writes: boolean): Check =>
  takes_writes
    ? ok("writes", "the server takes writes")
    : {
        name: "writes",
        status: "fail",
        detail: "the server takes no writes: it is a standby, or set to be read only",
        remedy:
          "To record, name the primary in DATABASE_URL (after a failover it may be another host), or take default_transaction_read_only back. Proofs and lists work here.",
      };

/** The application's role belongs to the whole server: a login that has it for one database has it in all. */
const reachCheck = (
  database: string,
  { login, shared_with }: { readonly login: string; readonly shared_with: ReadonlyArray<string> },
): Check =>
  shared_with.length === 0
    ? ok("reach", "no other database of the server lets the application's role in here")
    : {
        name: "reach",
        status: "warn",
        detail: `whoever may record in ${shared_with.join(", ")} may read and write here too: they share the role runproof_app, and everyone may connect to this database`,
        remedy: `REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC; GRANT CONNECT ON DATABASE ${database} TO ${login}; and so for the others.`,
      };

/** Checks an open database. */
export const checkOpenDatabase: Effect.Effect<
  ReadonlyArray<Check>,
  DatabaseError,
  Database
> = Effect.gen(function* () {
  const database = yield* Database;
  const server = yield* readServer(database.sql);
  const drift = yield* readDrift(database.sql);
  const [first] = drift;
  const defences: Check =
    first === undefined
      ? ok("defences", "every trigger, function, owner and grant is as the migrations made it")
      : {
          name: "defences",
          status: "fail",
          detail: drift.map(({ object, what }) => `${object}: ${what}`).join("; "),
          remedy:
            "Find out who changed it and when; then check the evidence itself with `runproof audit`.",
        };
  return [
    ok("database", `${database.kind === "embedded" ? "embedded in " : ""}${database.description}`),
    versionCheck(server.major_version, server.version),
    schemaCheck(server.head),
    writesCheck(server.takes_writes),
    defences,
    durabilityCheck(server.undurable),
    // The embedded database has one login only, and no other process reaches it.
    ...(database.kind === "server"
      ? [loginCheck(server), reachCheck(server.database, server)]
      : []),
  ];
}).pipe((checks) =>
  Effect.flatMap(Database, ({ description }) =>
    Effect.catchTag(checks, "SqlError", (error) =>
      Effect.fail(databaseError("doctor", description)(error)),
    ),
  ),
);

const failed = (config: DatabaseConfig, error: OpenError): Check => ({
  name: error._tag === "SchemaMismatch" ? "schema" : "database",
  status: "fail",
  detail: `${error.message}${error._tag === "DatabaseUnreachable" ? "" : ` (${describeDatabase(config)})`}`,
  remedy: error.remedy,
});

/** Checks the database of a configuration: one that can't be opened is a failed check, not a failure. */
export const examine = (config: DatabaseConfig): Effect.Effect<ReadonlyArray<Check>> =>
  checkOpenDatabase.pipe(
    Effect.provide(Database.layer(config)),
    Effect.catch((error) => Effect.succeed([failed(config, error)])),
  );
