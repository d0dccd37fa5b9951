/** The databases that suites run on: one of their own on the real server, and one embedded. Both are dropped at the end. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layer, type Vitest } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { createDatabase, queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { SqlClient } from "effect/sql/SqlClient";
import { isSqlError } from "effect/sql/SqlError";
import { inject } from "vitest";
import { serverConfig, storesOn } from "./Stores.ts";

/** The URL of the same server with another login or database. */
export const urlWith = (
  url: string,
  parts: Partial<Pick<URL, "username" | "password" | "pathname" | "port">>,
) => Object.assign(new URL(url), parts).href;

/** A database on the server, dropped with the scope. */
const database = (template?: string) =>
  Effect.acquireRelease(
    Effect.promise(() => createDatabase(inject("postgresUrl"), template)),
    ({ drop }) => Effect.promise(drop),
  );

/** An empty database on the server. */
export const emptyDatabase = database();

/** A migrated database on the server. */
export const migratedDatabase = database(inject("migratedDatabase"));

/** A folder for an embedded database, removed with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "runproof-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
);

/** The stores on the real server, logged in as a superuser. */
export const serverStores = Layer.unwrap(
  Effect.map(migratedDatabase, ({ url }) => storesOn(serverConfig(url))),
);

/** A folder with an embedded database at head, which nobody has open. */
export const embeddedFolder = Effect.gen(function* () {
  const folder = yield* temporaryFolder;
  cpSync(inject("embeddedFolder"), folder, { recursive: true });
  return folder;
});

/** The stores on an embedded database. */
export const embeddedStores = Layer.unwrap(
  Effect.map(embeddedFolder, (home) => storesOn({ kind: "embedded", home })),
);

const on =
  <R, E>(where: string, stores: Layer.Layer<R, E>) =>
  (name: string, suite: (it: Vitest.MethodsNonLive<R>) => void) =>
    // Leases end by the real clock.
    layer(stores, { excludeTestServices: true, timeout: "2 minutes" })(`${name} (${where})`, suite);

/** Registers a suite on the real server. */
export const onServer = on(
  `PostgreSQL ${inject("postgresVersion")}, ${inject("postgresSource")}`,
  serverStores,
);

/** Registers a suite on the embedded database. */
export const onEmbedded = on("embedded", embeddedStores);

/** Registers a suite twice; once where another version of the server is all that is new. */
export const onEachDatabase = (
  name: string,
  suite: (it: Vitest.MethodsNonLive<Database>) => void,
) => {
  onServer(name, suite);
  if (process.env["RUNPROOF_TEST_SERVER_ONLY"] !== "1") onEmbedded(name, suite);
};

/** Runs statements as the login itself, in one transaction: here a superuser. */
export const asSuperuser = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(Database, (database) =>
    asOwner(database)(
      Effect.gen(function* () {
        const sql = yield* SqlClient;
        let rows: ReadonlyArray<Record<string, unknown>> = [];
        for (const statement of statements)
          rows = yield* sql.unsafe<Record<string, unknown>>(statement);
        return rows;
      }),
    ),
  );

/** Runs a statement as the application does. */
export const asApplication = (statement: string) =>
  Effect.flatMap(Database, ({ sql }) => sql.unsafe<Record<string, unknown>>(statement));

/** Runs a statement with the signer's rights. */
export const asSigner = (statement: string) =>
  asSuperuser("set local role runproof_signer", statement);

/** What the database answered to a statement that it refused: `null` where it did not refuse. */
export const refusalOf = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<{ readonly code: string; readonly message: string } | null, never, R> =>
  Effect.match(effect, {
    onSuccess: () => null,
    onFailure: (error) => {
      const cause = isSqlError(error) ? (error.reason.cause as Record<string, unknown>) : {};
      return { code: String(cause["code"]), message: String(cause["message"]) };
    },
  });

/** How often a condition in a database is looked at again. */
const LOOK_AGAIN = Schedule.spaced("5 millis");

/** Waits until a statement, run as a superuser of a server's database, answers a row. */
export const untilRow = (url: string, statement: string) =>
  Effect.promise(() => queryDatabase(url, statement)).pipe(
    Effect.repeat({ schedule: LOOK_AGAIN, until: (rows) => rows.length > 0 }),
    Effect.asVoid,
  );

/** Waits until some sessions of a server's database wait for a lock. */
export const untilWaiting = (url: string, sessions: number) =>
  untilRow(
    url,
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
     having count(*) >= ${sessions}`,
  );

/** A text as an SQL literal. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
