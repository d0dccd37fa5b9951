import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Reads ids of traces that have steps or a lease and no row of their own. */
export const readOrphanTraceIds = (
  sql: SqlClient,
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  sql<{ trace_id: string }>`
    select distinct trace_id from aos_trace_steps s
    where not exists (select from aos_traces t where t.trace_id = s.trace_id)
    union
    select trace_id from aos_trace_leases l
    where not exists (select from aos_traces t where t.trace_id = l.trace_id)`.pipe(
    Effect.map((rows) => rows.map((row) => row.trace_id)),
  );
