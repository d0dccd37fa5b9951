import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { Database, type DatabaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import type { LogStore } from "@runproof/drivers/LogStore";
import * as PostgresLogStore from "@runproof/drivers/PostgresLogStore";
import * as PostgresTraceStore from "@runproof/drivers/PostgresTraceStore";
import type { TraceStore } from "@runproof/drivers/TraceStore";
import { createDatabase, startPostgresServer } from "@runproof/tooling/PostgresServer";

/** Makes a migrated database for `use`: on the server of `RUNPROOF_TEST_DATABASE_URL`, else on a throwaway one that is durable as yours is. */
export const withMeasuredDatabase = async (use: (url: string) => Promise<void>): Promise<void> => {
  const server = await startPostgresServer({ durable: true });
  try {
    const database = await createDatabase(server.url);
    try {
      console.log(`PostgreSQL ${server.version} (${server.source})`);
      await Effect.runPromise(migrateDatabase(configOf(database.url)));
      await use(database.url);
    } finally {
      await database.drop();
    }
  } finally {
    await server.stop();
  }
};

const configOf = (url: string): DatabaseConfig => ({ kind: "server", url: Redacted.make(url) });

/** Stores with connections of their own. */
export const storesOf = (url: string) =>
  Layer.merge(PostgresTraceStore.layer, PostgresLogStore.layer).pipe(
    Layer.provide(Database.layer(configOf(url))),
  );

/** Runs a program with stores of its own. */
export const withStores = <A, E>(
  url: string,
  program: Effect.Effect<A, E, TraceStore | LogStore>,
): Promise<A> => Effect.runPromise(Effect.provide(program, storesOf(url)));
