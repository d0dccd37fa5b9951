import * as Effect from "effect/Effect";
import { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { SchemaDamaged, SchemaMismatch } from "@runproof/schemas/RunProofError";
import { migrate } from "@runproof/drivers/Migrations";
import { evidenceTables } from "./EvidenceTable.ts";
import { pastTriggers } from "./pastTriggers.ts";

/** Where a copy of every row is kept; the attacked tables are in the database's own schema. */
const KEPT = "kept";

/** Keeps a copy of every row as it is now, in place of the one before. */
export const keepRows: Effect.Effect<void, SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient;
  yield* sql.unsafe(`drop schema if exists ${KEPT} cascade`);
  yield* sql.unsafe(`create schema ${KEPT}`);
  for (const table of evidenceTables) {
    yield* sql.unsafe(`create table ${KEPT}.${table} as table ${table}`);
  }
});

const copyBack = (sql: SqlClient) =>
  Effect.forEach(
    evidenceTables,
    (table) =>
      Effect.andThen(
        sql.unsafe(`delete from ${table}`),
        sql.unsafe(`insert into ${table} overriding system value select * from ${KEPT}.${table}`),
      ),
    { discard: true },
  );

/** Puts every row back as it was kept. */
export const restoreRows: Effect.Effect<void, SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient;
  yield* pastTriggers(sql, copyBack(sql));
});

const identities = [
  ["aos_log_queue", "queue_id"],
  ["aos_checkpoints", "checkpoint_id"],
] as const;

/** Attacks are not made in the product's schema alone: others, functions among the built-in ones, the database itself. */
const forgetTheRest = `do $$
declare
  each text;
begin
  for each in
    select format('drop schema %I cascade', nspname) from pg_namespace
      where nspname not like 'pg\\_%' and nspname not in ('information_schema', '${KEPT}')
    union all select format('drop function %s', oid::regprocedure) from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and proname like 'runproof\\_%'
    union all select format('alter database %I owner to current_user', current_database())
    union all select format('revoke create on database %I from runproof_app, public', current_database())
  loop
    execute each;
  end loop;
end
$$`;

/** Makes the whole schema anew, whatever was done to it, and puts every row back as it was kept. */
export const restoreSchema: Effect.Effect<
  void,
  SqlError | SchemaMismatch | SchemaDamaged,
  SqlClient
> = Effect.gen(function* () {
  const sql = yield* SqlClient;
  yield* sql.unsafe(forgetTheRest);
  yield* sql.unsafe("create schema public");
  yield* migrate();
  yield* restoreRows;
  for (const [table, column] of identities) {
    yield* sql.unsafe(
      `select setval(pg_get_serial_sequence('${table}', '${column}'), (select coalesce(max(${column}), 0) + 1 from ${table}), false)`,
    );
  }
});
