import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { AuditedTrace } from "../../AuditStore.ts";
import { traceAndSeal, traceColumns, type TraceRow } from "./TraceRow.ts";

interface AuditedRow extends TraceRow {
  readonly lease_holder: string | null;
  readonly lease_expires_at: string | null;
  readonly lease_is_over: boolean | null;
}

/** Reads traces above an id, in the order of their ids, with their leases. */
export const readAuditedTraces = (
  sql: SqlClient,
  { above, limit }: { readonly above: string; readonly limit: number },
): Effect.Effect<ReadonlyArray<AuditedTrace>, SqlError> =>
  sql<AuditedRow>`
    select t.*, l.holder as lease_holder,
           to_char(l.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as lease_expires_at,
           l.expires_at <= clock_timestamp() as lease_is_over
    from (
      select ${sql.literal(traceColumns)}
      from aos_traces
      where trace_id > ${above}
      order by trace_id
      limit ${BigInt(limit)}
    ) as t
    left join aos_trace_leases l on l.trace_id = t.trace_id
    order by t.trace_id`.pipe(
    Effect.map((rows) =>
      rows.map((row) => ({
        ...traceAndSeal(row),
        lease:
          row.lease_holder === null
            ? null
            : {
                holder: row.lease_holder,
                expires_at: row.lease_expires_at ?? "",
                is_over: row.lease_is_over ?? true,
              },
      })),
    ),
  );

/** Reads ids that cut all traces into parts of about equal length. */
export const readTraceBoundaries = (
  sql: SqlClient,
  parts: number,
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  sql<{ trace_id: string }>`
    select max(trace_id) as trace_id
    from (select trace_id, ntile(${parts}::int) over (order by trace_id) as part from aos_traces) as cut
    where part < ${parts}::int
    group by part
    order by 1`.pipe(Effect.map((rows) => rows.map((row) => row.trace_id)));
