import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

interface FoundTrigger {
  readonly on_table: string;
  readonly name: string;
  /** How PostgreSQL's catalog says when it fires. */
  readonly fires: keyof typeof verbs;
}

const verbs = { O: "enable", D: "disable", R: "enable replica", A: "enable always" } as const;

/** Runs `effect` with no trigger of the evidence firing, and leaves them as they were: no trace of it in the catalog. */
export const pastTriggers = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  Effect.gen(function* () {
    const triggers = yield* sql<FoundTrigger>`
      select t.tgrelid::regclass::text as on_table, quote_ident(t.tgname) as name, t.tgenabled::text as fires
      from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = quote_ident(current_schema())::regnamespace and not t.tgisinternal`;
    for (const { on_table, name } of triggers) {
      yield* sql.unsafe(`alter table ${on_table} disable trigger ${name}`);
    }
    const result = yield* effect;
    for (const { on_table, name, fires } of triggers) {
      yield* sql.unsafe(`alter table ${on_table} ${verbs[fires]} trigger ${name}`);
    }
    return result;
  });
