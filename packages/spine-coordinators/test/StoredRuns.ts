/** What tests read of stored runs, and do to a database as its owner. */
import { Database } from "@runproof/drivers/Database";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { asOwner as asLogin } from "@runproof/tooling/OwnerSession";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as SqlClient from "effect/sql/SqlClient";

/** The tenant of the tests' runs. */
export const tenant_id = "tenant-of-runs";

/** A run id of its own. */
export const runId = () => `run-${crypto.randomUUID()}`;

export const show = (run_id: string) =>
  Effect.flatMap(TraceCoordinator, (traces) => traces.show({ tenant_id, run_id }));

export const verdict = (run_id: string) =>
  Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getRunProof({ tenant_id, run_id }));

/** Rows of a query with the application's rights. */
export const rows = <Row extends object>(statement: string) =>
  Effect.flatMap(Database, ({ sql }) => sql.unsafe<Row>(statement));

/** The id of a run's trace and who holds its lease, which only the owner may read. */
export const lease = (run_id: string) =>
  Effect.flatMap(Database, (database) =>
    asLogin(database)(
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) =>
          sql<{ trace_id: string; holder: string }>`
            select trace_id, l.holder from aos_traces t join aos_trace_leases l using (trace_id) where t.run_id = ${run_id}`,
      ),
    ),
  ).pipe(Effect.map(([row]) => row!));

/** Runs statements in one transaction as the owner of the database. */
export const asOwner = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(Database, (database) =>
    asLogin(database)(
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }),
      ),
    ),
  );

/** Says that it began, then waits to be let go. */
export const gate = Effect.gen(function* () {
  const began = yield* Deferred.make<void>();
  const release = yield* Deferred.make<void>();
  return {
    began: Deferred.await(began),
    release: Deferred.succeed(release, undefined),
    pass: Effect.andThen(Deferred.succeed(began, undefined), Deferred.await(release)),
  };
});

/** Changes a table's rows past its triggers, as an attacker who owns the database, and leaves the triggers as they were. */
export const tamper = (table: "aos_traces" | "aos_trace_steps", statement: string) =>
  asOwner(
    `alter table ${table} disable trigger user`,
    statement,
    `do $$
declare
  trigger_name text;
begin
  for trigger_name in select tgname from pg_trigger where tgrelid = '${table}'::regclass and not tgisinternal loop
    execute format('alter table ${table} enable always trigger %I', trigger_name);
  end loop;
end
$$`,
  );
