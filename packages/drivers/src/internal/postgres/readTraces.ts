import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { traceAndSeal, traceColumns, type TraceAndSeal, type TraceRow } from "./TraceRow.ts";
import { STEPS, TRACES } from "./EvidenceTables.ts";

/**
 * Reads the trace rows of one run: one, unless someone added another. Where the tenant's run has no row of that name any
 * more, its steps or its `runs` row still name the trace: an identity edited in one place is found to contradict, and does
 * not hide the run. Whether such a row is that run's at all is the caller's to check.
 */
export const readTraces = (
  sql: SqlClient,
  { tenant_id, run_id }: { readonly tenant_id: string; readonly run_id: string },
): Effect.Effect<ReadonlyArray<TraceAndSeal>, SqlError> =>
  sql<TraceRow>`
    with named as (
      select 1 as preference, trace_id from ${sql.literal(TRACES)} t where tenant_id = ${tenant_id} and run_id = ${run_id}
      union all
      (select 2, s.trace_id from ${sql.literal(STEPS)} s join ${sql.literal(TRACES)} t on t.trace_id = s.trace_id
        where s.tenant_id = ${tenant_id} and s.run_id = ${run_id} limit 1)
      union all
      select 3, r.trace_id from runs r join ${sql.literal(TRACES)} t on t.trace_id = r.trace_id
        where r.tenant_id = ${tenant_id} and r.run_id = ${run_id}
    )
    select ${sql.literal(traceColumns)}
    from ${sql.literal(TRACES)} t
    where trace_id in (select trace_id from named where preference = (select min(preference) from named))
    limit 2`.pipe(Effect.map((rows) => rows.map(traceAndSeal)));
