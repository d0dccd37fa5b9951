import { migrateDatabase, Database } from "@runproof/drivers/Database";
import * as PostgresLogStore from "@runproof/drivers/PostgresLogStore";
import { LogStore } from "@runproof/drivers/LogStore";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect"; import * as Layer from "effect/Layer"; import * as Redacted from "effect/Redacted"; import * as SqlClient from "effect/sql/SqlClient";
const db = await createDatabase(process.env.RUNPROOF_TEST_DATABASE_URL!);
const config = { kind: "server", url: Redacted.make(db.url) } as const;
await Effect.runPromise(migrateDatabase(config));
const N = Number(process.argv[2]);
await Effect.runPromise(Effect.gen(function* () {
  const { asOwner } = yield* Database; const log = yield* LogStore;
  yield* asOwner(Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`insert into aos_log_queue (kind, digest) select 1 + n % 4, encode(sha256(convert_to('entry ' || n, 'UTF8')), 'hex') from generate_series(0, ${N - 1}) as n`)));
  const t = performance.now(); yield* log.sequence; console.log("sequenced", N, "in", Math.round(performance.now() - t), "ms");
}).pipe(Effect.provide(Layer.provideMerge(PostgresLogStore.layer, Database.layer(config)))));
await db.drop();
