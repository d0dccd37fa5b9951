import { LogEntryKind } from "@runproof/proof/LogEntry";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { AuditedTrace, TraceRange, TraceSize } from "../../AuditStore.ts";
import { timeText } from "./timeText.ts";
import { traceAndSeal, traceColumns, type TraceRow } from "./TraceRow.ts";

interface AuditedRow extends TraceRow {
  readonly has_lease: boolean;
  readonly lease_expires_at: string | null;
  readonly lease_over_ms: number | null;
}

const auditedTrace = (row: AuditedRow): AuditedTrace => ({
  ...traceAndSeal(row),
  lease: row.has_lease
    ? {
        expires_at: row.lease_expires_at ?? "",
        // A time that is none never ends: as good as over.
        over_ms: row.lease_over_ms ?? Number.POSITIVE_INFINITY,
      }
    : null,
});

/** Reads the traces of a range in the order of their ids, with their leases. */
export const readAuditedTraces = (
  sql: SqlClient,
  { first, last }: TraceRange,
): Effect.Effect<ReadonlyArray<AuditedTrace>, SqlError> =>
  sql<AuditedRow>`
    select t.*, l.trace_id is not null as has_lease,
           ${sql.literal(timeText("l.expires_at"))} as lease_expires_at,
           extract(epoch from clock_timestamp() - nullif(l.expires_at, 'infinity'))::float8 * 1000 as lease_over_ms
    from (
      select ${sql.literal(traceColumns)}
      from aos_traces
      where trace_id >= ${first} and trace_id <= ${last}
    ) as t
    left join aos_trace_leases l on l.trace_id = t.trace_id
    order by t.trace_id`.pipe(Effect.map((rows) => rows.map(auditedTrace)));

/** Reads the next ids after one, with what their rows take. */
export const readTraceSizes = (
  sql: SqlClient,
  {
    above,
    through,
    limit,
  }: { readonly above: string | null; readonly through: string | null; readonly limit: number },
): Effect.Effect<ReadonlyArray<TraceSize>, SqlError> =>
  sql<{ trace_id: string; bytes: bigint }>`
    select trace_id,
           (octet_length(record) + coalesce(octet_length(plan), 0) + coalesce(octet_length(attributes), 0)
            + coalesce(octet_length(metadata), 0))::bigint as bytes
    from aos_traces
    where ${sql.and([
      above === null ? "trace_id is not null" : sql`trace_id > ${above}`,
      ...(through === null ? [] : [sql`trace_id <= ${through}`]),
    ])}
    order by trace_id
    limit ${BigInt(limit)}`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, bytes: Number(row.bytes) }))),
  );

/** Reads the next ids of traces that have no seal. */
export const readOpenTraceIds = (
  sql: SqlClient,
  { above, limit }: { readonly above: string | null; readonly limit: number },
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  sql<{ trace_id: string }>`
    select trace_id from aos_traces
    where seal_record is null and ${above === null ? sql.literal("true") : sql`trace_id > ${above}`}
    order by trace_id
    limit ${BigInt(limit)}`.pipe(Effect.map((rows) => rows.map((row) => row.trace_id)));

/** Reads the next ids of traces whose start or seal no entry holds. */
export const readUnloggedTraceIds = (
  sql: SqlClient,
  { above, limit }: { readonly above: string | null; readonly limit: number },
): Effect.Effect<ReadonlyArray<string>, SqlError> => {
  const holds = (kind: LogEntryKind, digest: string) => sql`(
      exists (select from aos_log_entries e where e.trace_id = t.trace_id and e.kind = ${kind}::int and e.digest = ${sql.literal(digest)})
      or exists (select from aos_log_queue q where q.trace_id = t.trace_id and q.kind = ${kind}::int and q.digest = ${sql.literal(digest)})
    )`;
  return sql<{ trace_id: string }>`
    select trace_id from aos_traces t
    where ${above === null ? sql.literal("true") : sql`trace_id > ${above}`}
      and (not ${holds(LogEntryKind.OPENED, "t.link")}
           or seal_record is not null and not ${holds(LogEntryKind.SEALED, "t.root_hash")})
    order by trace_id
    limit ${BigInt(limit)}`.pipe(Effect.map((rows) => rows.map((row) => row.trace_id)));
};

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
