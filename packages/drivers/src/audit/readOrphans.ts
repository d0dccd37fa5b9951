import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { forEachPage, type UsePage } from "../internal/postgres/forEachPage.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";

/** Rows that name a trace which has no row, or a run that names another's or none; a `trace` is one whose id is null. */
export interface Orphan {
  readonly rows: "steps" | "lease" | "run" | "trace";
  readonly trace_id: string | null;
  /** Whose row it is, where that is one run. */
  readonly tenant_id: string | null;
  readonly run_id: string | null;
  /** Of a run. */
  readonly status: string | null;
  /** Of a run whose evidence was deleted. */
  readonly root_hash: string | null;
}

/** Most orphans of a page: each may need its own look into the log. */
const PAGE_ORPHANS = 1000;

/**
 * Reads what names a trace that has no row of its own: steps, leases, runs that began it; and rows whose id is null, which
 * no reading in the order of ids meets. A run's trace must be of that run, and a run that is no longer queued has begun one.
 */
export const readOrphans = <E, R>(
  sql: SqlClient,
  use: UsePage<Orphan, E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachPage<Orphan, E, R>(
    sql,
    {
      name: "orphans",
      columns: "rows, trace_id, tenant_id, run_id, status, root_hash",
      source: sql`(
        select distinct 'steps' as rows, trace_id, null as tenant_id, null as run_id, null as status, null as root_hash from ${sql.literal(STEPS)} s
        where not exists (select from ${sql.literal(TRACES)} t where t.trace_id = s.trace_id)
        union all
        select 'lease', trace_id, null, null, null, null from aos_trace_leases l
        where not exists (select from ${sql.literal(TRACES)} t where t.trace_id = l.trace_id)
        union all
        select 'run', trace_id, tenant_id, run_id, status, root_hash from runs r
        where r.trace_id is not null and not exists (
          select from ${sql.literal(TRACES)} t where t.trace_id = r.trace_id and t.tenant_id = r.tenant_id and t.run_id = r.run_id)
        union all
        select 'run', null, tenant_id, run_id, status, root_hash from runs r
        where r.trace_id is null and r.status is distinct from 'queued' and not exists (
          select from ${sql.literal(TRACES)} t where t.tenant_id = r.tenant_id and t.run_id = r.run_id)
        union all
        select 'trace', trace_id, tenant_id, run_id, null, null from ${sql.literal(TRACES)} t where trace_id is null
      ) as orphans`,
      order: "trace_id, rows",
      rows: PAGE_ORPHANS,
      bytes: "0::bigint",
    },
    use,
  );
