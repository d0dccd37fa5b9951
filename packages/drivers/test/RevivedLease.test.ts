/**
 * Goal: a step that came while its lease was over, by a clock that is set back right after, is not called a record that breaks
 * the rules. It is taken, for its lease holds on.
 * Method: at its first call the append finds no lease that holds, and by the time that the database is asked why, it holds.
 */
import { expect, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import { SqlClient } from "effect/sql/SqlClient";
import { openRun, record, seal, verify } from "./Evidence.ts";
import { serverConfig, storesOn } from "./Stores.ts";
import { migratedDatabase } from "./Databases.ts";
import * as Layer from "effect/Layer";

const stores = Layer.unwrap(Effect.map(migratedDatabase, ({ url }) => storesOn(serverConfig(url))));

const asked = (statement: string) =>
  Effect.flatMap(Database, (database) =>
    asOwner(database)(Effect.flatMap(SqlClient, (sql) => sql.unsafe(statement))),
  );

/** Has a function find the lease over at its first call, and as it is from then on. */
const overAtFirst = (name: string) =>
  asked(`do $$
declare
  f pg_proc := (select p from pg_proc p where proname = '${name}');
begin
  execute format('alter function %s rename to ${name}_in_time', f.oid::regprocedure);
  execute 'create sequence tries_of_${name}';
  execute format(
    'create function ${name}(%s) returns %s language plpgsql security definer set search_path from current as $f$
begin
  if nextval(''tries_of_${name}'') > 1 then
    return query select * from ${name}_in_time(%s);
  end if;
end
$f$',
    pg_get_function_identity_arguments(f.oid), pg_get_function_result(f.oid),
    (select string_agg('$' || at, ', ') from generate_series(1, f.pronargs) as at));
end
$$`);

layer(stores, { excludeTestServices: true, timeout: 60_000 })("a lease that lives again", (it) => {
  it.effect("takes the step, and the steps, that came while it was over", () =>
    Effect.gen(function* () {
      const run = yield* openRun(1);
      yield* overAtFirst("runproof_append_step");
      yield* overAtFirst("runproof_append_steps");
      expect((yield* record(run.trace_id)).next_index).toBe(2);
      expect((yield* record(run.trace_id, {}, {})).next_index).toBe(4);
      yield* seal(run.trace_id);
      expect(yield* verify(run)).toMatchObject({
        verification_status: "VERIFIED",
        chain_length: 4,
      });
    }),
  );
});
