/** The PostgreSQL that holds the evidence: a server by its URL, or one embedded in this process. */
import { resolve } from "node:path";
import * as PgClient from "@effect/sql-pg/PgClient";
import { TEXT_BYTES_MAX } from "@runproof/proof/CanonicalJson";
import {
  ConfigurationInvalid,
  type DatabaseError,
  DatabaseMissing,
  type EmbeddedLocked,
  type FileFailed,
  type SchemaDamaged,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import * as SqlClient from "effect/sql/SqlClient";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { lockFolder } from "./internal/embedded/FolderLock.ts";
import { isEmbeddedMade, openPglite } from "./internal/embedded/openPglite.ts";
import { pgliteStream } from "./internal/embedded/PgliteStream.ts";
import { textArray } from "./internal/postgres/textArray.ts";
import { isPinned, pinnedPath, readPath } from "./internal/postgres/searchPath.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";
import { migrate, requireAllRows, requireHead } from "./Migrations.ts";

export { databaseError };

/** The role that the application's sessions take on; it owns nothing and writes through functions. */
export const APPLICATION_ROLE = "runproof_app";

/** The role of who archives, deletes, erases and holds evidence; it may do what the application may, too. */
export const OPERATOR_ROLE = "runproof_operator";

/** The role of who signs the log: it keeps checkpoints and says that a key changes. It may do what the application may, too. */
export const SIGNER_ROLE = "runproof_signer";

/** Where the embedded database lies when nothing says otherwise. */
export const DEFAULT_HOME = "./.runproof";

/** A server that does not answer within this is called unreachable: long for a network, short for a person. */
const CONNECT_TIMEOUT = Duration.seconds(10);

/**
 * Connections of one process, by purpose, so that a long search keeps no run waiting and no lease from being renewed:
 * enough of each for concurrent runs, few enough that some processes share a default server.
 */
const CONNECTIONS = { reads: 5, writes: 4, leases: 1 } as const;

/** The largest row: what the format allows as a record's text and its payloads', with the copies of a record's fields. */
const MAX_MESSAGE_BYTES = 8 * TEXT_BYTES_MAX;

/** A server that vanished without a word shows within a minute, while nothing is sent to it. */
const KEEP_ALIVE = Duration.seconds(30);

/** Which database to use. */
export type DatabaseConfig =
  | { readonly kind: "server"; readonly url: Redacted.Redacted<string> }
  | { readonly kind: "embedded"; readonly home: string };

/** Settings that decide the database, as they come from flags and the environment. */
export interface DatabaseSettings {
  readonly DATABASE_URL?: string | undefined;
  readonly RUNPROOF_HOME?: string | undefined;
  readonly USE_POSTGRES_TRACES?: string | undefined;
}

const TRUE_VALUES = ["1", "true", "yes", "on"];
const FALSE_VALUES = ["", "0", "false", "no", "off"];

/** Decides the database: `DATABASE_URL` a server, none the embedded one. The production path never falls back. */
export const databaseConfig = (
  settings: DatabaseSettings,
): DatabaseConfig | ConfigurationInvalid => {
  const demanded = (settings.USE_POSTGRES_TRACES ?? "").trim().toLowerCase();
  if (!TRUE_VALUES.includes(demanded) && !FALSE_VALUES.includes(demanded)) {
    return new ConfigurationInvalid({
      setting: "USE_POSTGRES_TRACES",
      what: `${JSON.stringify(settings.USE_POSTGRES_TRACES)} is neither true nor false`,
      remedy: "Set it to true or false.",
    });
  }
  const url = settings.DATABASE_URL?.trim() ?? "";
  if (url !== "") {
    const fault = urlFault(url);
    if (fault === null) return { kind: "server", url: Redacted.make(url) };
    return new ConfigurationInvalid({
      setting: "DATABASE_URL",
      what: fault,
      remedy:
        "Write it as postgresql://user:password@host:5432/database, with # / ? @ in the password as %23 %2F %3F %40.",
    });
  }
  if (TRUE_VALUES.includes(demanded)) {
    return new ConfigurationInvalid({
      setting: "USE_POSTGRES_TRACES",
      what: "it asks for a PostgreSQL server, and DATABASE_URL is not set",
      remedy: "Set DATABASE_URL, or unset USE_POSTGRES_TRACES to use the embedded database.",
    });
  }
  const home = settings.RUNPROOF_HOME?.trim() ?? "";
  return { kind: "embedded", home: resolve(home === "" ? DEFAULT_HOME : home) };
};

/** What is wrong with a URL; null where it is one of a server. */
const urlFault = (url: string): string | null => {
  if (!URL.canParse(url)) return "it is not a PostgreSQL URL";
  const { protocol, hash, pathname, search } = new URL(url);
  if (!/^postgres(ql)?:$/u.test(protocol)) return "it is not a PostgreSQL URL";
  // A password with one of these is cut there, and its rest would be read, and shown, as something else.
  return hash !== "" || pathname.includes("@") || search.includes("@")
    ? "its password is not percent-encoded"
    : null;
};

/** The URL as people may see it: its user, host, port and database, and nothing of its password or parameters. */
export const hidePassword = (url: string): string => {
  if (urlFault(url) !== null) return "(not a PostgreSQL URL)";
  const { protocol, username, password, host, pathname } = new URL(url);
  const secret = password === "" ? "" : ":***";
  const login = username + secret === "" ? "" : `${username}${secret}@`;
  return `${protocol}//${login}${host}${pathname}`;
};

/** How errors and people see the database: never with its password. */
export const describeDatabase = (config: DatabaseConfig): string =>
  config.kind === "server" ? hidePassword(Redacted.value(config.url)) : config.home;

/** Why a database can't be opened. */
export type OpenError =
  | DatabaseError
  | ConfigurationInvalid
  | EmbeddedLocked
  | FileFailed
  | SchemaDamaged;

/**
 * An open database at this version's schema, whose clients act as the application's role. A server has connections of their own for reads (`sql`), for writes and for leases; the embedded database has one.
 */
export class Database extends Context.Service<
  Database,
  {
    readonly config: DatabaseConfig;
    readonly kind: DatabaseConfig["kind"];
    readonly description: string;
    readonly sql: SqlClient.SqlClient;
    readonly write: SqlClient.SqlClient;
    readonly leases: SqlClient.SqlClient;
  }
>()("@runproof/drivers/Database") {
  /** Opens and checks the database; the embedded one is brought to its head first. */
  static readonly layer = (config: DatabaseConfig): Layer.Layer<Database, OpenError> =>
    Layer.effect(Database, openDatabase(config)).pipe(Layer.provide(Reactivity.layer));

  /** Opens and checks a database that is there, to read it: none is made, and none is brought to its head. */
  static readonly existing = (
    config: DatabaseConfig,
  ): Layer.Layer<Database, OpenError | DatabaseMissing> =>
    Layer.effect(
      Database,
      Effect.andThen(requireExisting(config), openDatabase(config, { makes: false })),
    ).pipe(Layer.provide(Reactivity.layer));

  /** Opens a database that is there to operate on it: its clients act as the operator's role. */
  static readonly operating = (
    config: DatabaseConfig,
  ): Layer.Layer<Database, OpenError | DatabaseMissing> =>
    Layer.effect(
      Database,
      Effect.andThen(
        requireExisting(config),
        openDatabase(config, { makes: false, role: OPERATOR_ROLE }),
      ),
    ).pipe(Layer.provide(Reactivity.layer));

  /** Opens one that is there, whatever rows it hides: for an audit, which says itself what it could not see. */
  static readonly asItIs = (
    config: DatabaseConfig,
  ): Layer.Layer<Database, OpenError | DatabaseMissing> =>
    Layer.effect(
      Database,
      Effect.andThen(
        requireExisting(config),
        openDatabase(config, { makes: false, may_hide: true }),
      ),
    ).pipe(Layer.provide(Reactivity.layer));
}

const requireExisting = (config: DatabaseConfig): Effect.Effect<void, DatabaseMissing> =>
  Effect.suspend(() =>
    config.kind === "server" || isEmbeddedMade(config.home)
      ? Effect.void
      : Effect.fail(new DatabaseMissing({ folder: config.home })),
  );

interface Opening {
  /** An embedded database is made where it is not, and brought to its head. */
  readonly makes: boolean;
  /** Rows that row security hides from this login are no reason to refuse. */
  readonly may_hide?: boolean;
  /** The role that clients take on; without one, the application's. */
  readonly role?: string;
}

const openDatabase = Effect.fnUntraced(function* (
  config: DatabaseConfig,
  opening: Opening = { makes: true },
) {
  const session = yield* openSession(config, opening);
  const description = describeDatabase(config);
  const ready =
    opening.may_hide === true ? requireHead : Effect.andThen(requireHead, requireAllRows);
  yield* ready.pipe(
    Effect.provideService(SqlClient.SqlClient, session.sql),
    toDomain("requireHead", description),
  );
  return Database.of({ ...session, config, kind: config.kind, description });
});

interface Session {
  readonly sql: SqlClient.SqlClient;
  readonly write: SqlClient.SqlClient;
  readonly leases: SqlClient.SqlClient;
}

const openSession = (
  config: DatabaseConfig,
  opening: Opening,
): Effect.Effect<Session, OpenError, Scope.Scope | Reactivity.Reactivity> =>
  config.kind === "server" ? openServer(config.url, opening) : openEmbedded(config.home, opening);

/** Settings that the guarantees stand on, whatever a database or a login sets for itself. */
const SESSION_SETTINGS = {
  // An appender that waited for a trace's lock must see the head that the other one left.
  default_transaction_isolation: "read committed",
  // What is acknowledged is durable.
  synchronous_commit: "on",
  // A number is read back as it was written.
  extra_float_digits: "1",
  // The functions' texts mean what they meant when they were made.
  standard_conforming_strings: "on",
  // A comparison with null finds nothing, as it is meant to.
  transform_null_equals: "off",
};

/** What a session asks for at its start; a pooler that drops the last costs time, and no guarantee. */
const START_SETTINGS = {
  ...SESSION_SETTINGS,
  // Statements here take well under a millisecond; compiling one takes hundreds, where statistics are missing.
  jit: "off",
};

/**
 * How long a statement waits for a lock, and how long it runs, at most, where the login has no limit of its own: far over
 * what an honest statement takes, and an end for one that another session holds up.
 */
const LIMITS: Readonly<Record<string, string>> = {
  lock_timeout: "30s",
  statement_timeout: "15min",
};

/** Of those limits, which a session does not have. */
const readMissingLimits = (
  sql: SqlClient.SqlClient,
): Effect.Effect<Readonly<Record<string, string>>, SqlError> =>
  Effect.map(
    sql<{ name: string }>`
      select name from pg_catalog.unnest(${textArray(Object.keys(LIMITS))}) as name
      where pg_catalog.current_setting(name) operator(pg_catalog.=) '0'`,
    (rows) => Object.fromEntries(rows.map(({ name }) => [name, LIMITS[name]!])),
  );

/** How a client acts: `schema` is the only one beside the built-in that it looks for names in; null where the server says. */
interface Acting {
  readonly connections: number;
  readonly role: string;
  readonly schema: string | null;
  readonly limits?: Readonly<Record<string, string>>;
}

/** A client of so many connections as a role; without these, one connection as the login itself. */
const serverClient = (url: Redacted.Redacted<string>, acting?: Acting) =>
  PgClient.make({
    url,
    applicationName: "runproof",
    connectTimeout: CONNECT_TIMEOUT,
    keepAlive: KEEP_ALIVE,
    maxMessageSize: MAX_MESSAGE_BYTES,
    ...(acting === undefined
      ? { maxConnections: 1, startupParameters: START_SETTINGS }
      : {
          maxConnections: acting.connections,
          multiplex: true,
          startupParameters: {
            ...START_SETTINGS,
            ...acting.limits,
            role: acting.role,
            ...(acting.schema === null ? {} : { search_path: pinnedPath(acting.schema) }),
          },
        }),
  });

/** A pooler may drop what a session asks for at its start, without a word. */
const requireSettings = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  description: string,
  { role, schema }: Acting,
) {
  const wanted = { ...SESSION_SETTINGS, role };
  const columns = Object.keys(wanted)
    .map((name) => `pg_catalog.current_setting('${name}') as ${name}`)
    .join(", ");
  const [found] = yield* sql.unsafe<Record<string, string>>(
    `select current_user::pg_catalog.text as acts_as, ${columns}`,
  );
  const { schemas } = yield* readPath(sql);
  const others = [
    ...(found?.["acts_as"] === role ? [] : [`acts as ${found?.["acts_as"]}`]),
    ...Object.entries(wanted)
      .filter(([name, value]) => found?.[name] !== value)
      .map(([name]) => `has ${name} = ${found?.[name]}`),
    ...(schema === null || isPinned(schemas, schema)
      ? []
      : [`looks for names in ${schemas.join(", ")}`]),
  ];
  if (others.length === 0) return;
  const set = [
    ...Object.entries(wanted).map(
      ([name, value]) => `ALTER ROLE <login> SET ${name} = '${value}';`,
    ),
    ...(schema === null ? [] : [`ALTER ROLE <login> SET search_path = ${pinnedPath(schema)};`]),
  ];
  return yield* new ConfigurationInvalid({
    setting: "DATABASE_URL",
    what: `a session of ${description} does not keep the settings it starts with: it ${others.join(", ")}`,
    remedy: `A connection pooler drops start-up parameters. Connect to the server itself, let the pooler pass them on (PgBouncer: not in ignore_startup_parameters), or give them to a login that only the application uses: ${set.join(" ")}`,
  });
});

const openServer = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  { role = APPLICATION_ROLE }: Opening,
) {
  const description = hidePassword(Redacted.value(url));
  // Connections are made lazily: without a first statement a dead server would show only at the first step.
  const connect = Effect.gen(function* () {
    const { schema, limits } = yield* Effect.scoped(
      Effect.gen(function* () {
        const probe = yield* serverClient(url, { connections: 1, role, schema: null });
        const path = yield* readPath(probe);
        return { schema: path.schema, limits: yield* readMissingLimits(probe) };
      }),
    );
    const clientOf = (connections: number) =>
      serverClient(url, { connections, role, schema, limits });
    const sql = yield* clientOf(CONNECTIONS.reads);
    yield* requireSettings(sql, description, { connections: CONNECTIONS.reads, role, schema });
    return {
      sql,
      write: yield* clientOf(CONNECTIONS.writes),
      leases: yield* clientOf(CONNECTIONS.leases),
    };
  }).pipe(toDomain("connect", description));
  return yield* connect;
});

const openEmbeddedClient = Effect.fnUntraced(function* (home: string) {
  yield* lockFolder(home);
  const pglite = yield* openPglite(home);
  return yield* PgClient.make({
    stream: () => pgliteStream(pglite),
    username: "postgres",
    database: "postgres",
    // PGlite has one session.
    maxConnections: 1,
    maxMessageSize: MAX_MESSAGE_BYTES,
  });
});

const toDomain = (operation: string, description: string) => {
  const map = databaseError(operation, description);
  return <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
    Effect.mapError(effect, (error) => (isSqlError(error) ? map(error) : error));
};

const openEmbedded = (home: string, { makes, role = APPLICATION_ROLE }: Opening) =>
  Effect.gen(function* () {
    const sql = yield* openEmbeddedClient(home);
    const ready = makes ? migrate() : requireHead;
    yield* Effect.provideService(ready, SqlClient.SqlClient, sql);
    yield* sql.unsafe(`set role ${role}`);
    const { schema } = yield* readPath(sql);
    if (schema !== null) yield* sql.unsafe(`set search_path = ${pinnedPath(schema)}`);
    return { sql, write: sql, leases: sql };
  }).pipe(toDomain("openEmbedded", home));

/** Brings a database's schema to its head, as its owner, and answers the names of what was applied. */
export const migrateDatabase = (
  config: DatabaseConfig,
): Effect.Effect<ReadonlyArray<string>, OpenError> =>
  Effect.gen(function* () {
    const sql = yield* config.kind === "server"
      ? serverClient(config.url)
      : openEmbeddedClient(config.home);
    return yield* Effect.provideService(migrate(), SqlClient.SqlClient, sql);
  }).pipe(
    toDomain("migrate", describeDatabase(config)),
    Effect.scoped,
    Effect.provide(Reactivity.layer),
  );
