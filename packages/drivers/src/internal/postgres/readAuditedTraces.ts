import { LogEntryKind } from "@runproof/proof/LogEntry";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { AuditedRunRow, AuditedTrace, TraceRange, TraceSize } from "../../AuditStore.ts";
import { timeText } from "./timeText.ts";
import { traceAndSeal, traceColumns, type TraceRow } from "./TraceRow.ts";

interface AuditedRow extends TraceRow {
  readonly has_run: boolean;
  readonly run_trace_id: string | null;
  readonly run_status: string | null;
  readonly run_agent_id: string | null;
  readonly run_origin_system_id: string | null;
  readonly has_plan_of_trace: boolean;
  readonly run_goal: string | null;
  readonly is_goal_too_long: boolean;
  readonly has_lease: boolean;
  readonly lease_expires_at: string | null;
  readonly lease_over_ms: number | null;
  readonly lease_head_index: bigint | null;
  readonly lease_headed_ms: number | null;
}

const runRow = (row: AuditedRow): AuditedRunRow => ({
  trace_id: row.run_trace_id,
  status: row.run_status ?? "",
  agent_id: row.run_agent_id,
  origin_system_id: row.run_origin_system_id,
  has_plan_of_trace: row.has_plan_of_trace,
  goal: row.run_goal,
  is_goal_too_long: row.is_goal_too_long,
});

const auditedTrace = (row: AuditedRow): AuditedTrace => ({
  ...traceAndSeal(row),
  run: row.has_run ? runRow(row) : null,
  lease: row.has_lease
    ? {
        expires_at: row.lease_expires_at ?? "",
        // A time that is none never ends: as good as over.
        over_ms: row.lease_over_ms ?? Number.POSITIVE_INFINITY,
        head_index: Number(row.lease_head_index),
        headed_ms: row.lease_headed_ms ?? Number.NEGATIVE_INFINITY,
      }
    : null,
});

/** A goal in its canonical JSON takes no less than itself: a longer one is another, and is not read. */
const IS_GOAL_TOO_LONG =
  "coalesce(octet_length(r.goal) > coalesce(octet_length(t.attributes), 0), false)";

/** How long ago a time was; null of one that is none. */
const msSince = (time: string): string =>
  `case when isfinite(${time}) then extract(epoch from clock_timestamp() - ${time})::float8 * 1000 end`;

/** Reads the traces of a range in the order of their ids, with their runs' rows and their leases. */
export const readAuditedTraces = (
  sql: SqlClient,
  { first, last }: TraceRange,
): Effect.Effect<ReadonlyArray<AuditedTrace>, SqlError> =>
  sql<AuditedRow>`
    select t.*, r.run_id is not null as has_run, r.trace_id as run_trace_id, r.status as run_status, r.agent_id as run_agent_id,
           r.origin_system_id as run_origin_system_id, r.plan is not distinct from t.plan as has_plan_of_trace,
           ${sql.literal(IS_GOAL_TOO_LONG)} as is_goal_too_long,
           case when not ${sql.literal(IS_GOAL_TOO_LONG)} then r.goal end as run_goal,
           l.trace_id is not null as has_lease,
           ${sql.literal(timeText("l.expires_at"))} as lease_expires_at,
           ${sql.literal(msSince("l.expires_at"))} as lease_over_ms,
           l.head_index as lease_head_index,
           ${sql.literal(msSince("l.head_logged_at"))} as lease_headed_ms
    from (
      select ${sql.literal(traceColumns)}
      from aos_traces
      where trace_id >= ${first} and trace_id <= ${last}
    ) as t
    left join runs r on r.tenant_id = t.tenant_id and r.run_id = t.run_id
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
