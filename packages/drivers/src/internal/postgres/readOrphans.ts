import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { Orphan } from "../../AuditStore.ts";

/** Most orphans that are named: more of them say nothing that these don't. */
const ORPHANS_MAX = 1000;

/**
 * Reads what names a trace that has no row of its own: steps, leases, runs that began it; and rows whose id is null, which
 * no reading in the order of ids meets.
 */
export const readOrphans = (sql: SqlClient): Effect.Effect<ReadonlyArray<Orphan>, SqlError> =>
  sql<Orphan>`
    select rows, trace_id from (
      select distinct 'steps' as rows, trace_id from aos_trace_steps s
      where not exists (select from aos_traces t where t.trace_id = s.trace_id)
      union all
      select 'lease', trace_id from aos_trace_leases l
      where not exists (select from aos_traces t where t.trace_id = l.trace_id)
      union all
      select 'run', trace_id from runs r
      where r.trace_id is not null and not exists (select from aos_traces t where t.trace_id = r.trace_id)
      union all
      select 'trace', trace_id from aos_traces where trace_id is null
    ) as orphans
    order by trace_id, rows
    limit ${BigInt(ORPHANS_MAX)}`;
