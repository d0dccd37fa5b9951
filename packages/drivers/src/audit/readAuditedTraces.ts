import { isHashHex } from "@runproof/proof/Hash";
import { LogEntryKind } from "@runproof/proof/LogEntry";
import { nodeHash } from "@runproof/proof/MerkleTree";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { timeText } from "../internal/postgres/timeText.ts";
import {
  type TraceAndSeal,
  traceAndSeal,
  traceColumns,
  type TraceRow,
} from "../internal/postgres/TraceRow.ts";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";

/** The row that a run has beside its trace: where it stands, and since when. */
export interface AuditedRunRow {
  readonly trace_id: string | null;
  readonly status: string;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  /** What is left of a run whose evidence was deleted. */
  readonly root_hash: string | null;
  readonly deleted_at: string | null;
}

/** A trace with its run's row, as far as it has one, and with the lease that keeps it running; null where none does. */
export interface AuditedTrace extends TraceAndSeal {
  readonly run: AuditedRunRow | null;
  readonly lease: {
    readonly expires_at: string;
    /** How long ago it ended; negative while it holds. */
    readonly over_ms: number;
    /** What the lease says of the trace, and where it says that the trace stands. */
    readonly tenant_id: string;
    readonly run_id: string;
    readonly capture: string;
    readonly next_index: number;
    readonly link: string;
    readonly peaks_root: string | null;
    readonly open_intents: ReadonlyArray<number>;
    /** How many steps the last HEAD entry covers, and how long ago it was logged. */
    readonly head_index: number;
    readonly headed_ms: number;
  } | null;
}

/** Traces from one id to another, both included, in the database's order of ids. */
export interface TraceRange {
  readonly first: string;
  readonly last: string;
}

/** An id with what the trace's own row takes. */
export interface TraceSize {
  readonly trace_id: string;
  readonly bytes: number;
}

interface AuditedRow extends TraceRow {
  readonly has_run: boolean;
  readonly run_trace_id: string | null;
  readonly run_status: string | null;
  readonly run_created_at: string | null;
  readonly run_started_at: string | null;
  readonly run_completed_at: string | null;
  readonly run_root_hash: string | null;
  readonly run_deleted_at: string | null;
  readonly has_lease: boolean;
  readonly lease_expires_at: string | null;
  readonly lease_over_ms: number | null;
  readonly lease_head_index: bigint | null;
  readonly lease_headed_ms: number | null;
  readonly lease_tenant_id: string | null;
  readonly lease_run_id: string | null;
  readonly lease_capture: string | null;
  readonly lease_next_index: bigint | null;
  readonly lease_link: string | null;
  readonly lease_peaks: ReadonlyArray<string> | null;
  readonly lease_open_intents: ReadonlyArray<string> | null;
}

const runRow = (row: AuditedRow): AuditedRunRow => ({
  trace_id: row.run_trace_id,
  status: row.run_status ?? "",
  created_at: row.run_created_at ?? "",
  started_at: row.run_started_at,
  completed_at: row.run_completed_at,
  root_hash: row.run_root_hash,
  deleted_at: row.run_deleted_at,
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
        tenant_id: row.lease_tenant_id ?? "",
        run_id: row.lease_run_id ?? "",
        capture: row.lease_capture ?? "",
        next_index: Number(row.lease_next_index),
        link: row.lease_link ?? "",
        peaks_root: rootOfPeaks(row.lease_peaks ?? []),
        open_intents: (row.lease_open_intents ?? []).map(Number),
      }
    : null,
});

/** The tree root over the peaks of full subtrees, in hex; null where they are none. */
const rootOfPeaks = (peaks: ReadonlyArray<string>): string | null =>
  peaks.every(isHashHex) && peaks.length > 0
    ? peaks.reduceRight((root, peak) => nodeHash(peak, root))
    : null;

/** How long ago a time was; null of one that is none. */
const msSince = (time: string): string =>
  `case when isfinite(${time}) then extract(epoch from clock_timestamp() - ${time})::float8 * 1000 end`;

/** Reads the traces of a range in the order of their ids, with their runs' rows and their leases. */
export const readAuditedTraces = (
  sql: SqlClient,
  { first, last }: TraceRange,
): Effect.Effect<ReadonlyArray<AuditedTrace>, SqlError> =>
  sql<AuditedRow>`
    select t.*, r.run_id is not null as has_run, r.trace_id as run_trace_id, r.status as run_status,
           ${sql.literal(timeText("r.created_at"))} as run_created_at,
           ${sql.literal(timeText("r.started_at"))} as run_started_at,
           ${sql.literal(timeText("r.completed_at"))} as run_completed_at,
           r.root_hash as run_root_hash,
           ${sql.literal(timeText("r.deleted_at"))} as run_deleted_at,
           l.trace_id is not null as has_lease,
           ${sql.literal(timeText("l.expires_at"))} as lease_expires_at,
           ${sql.literal(msSince("l.expires_at"))} as lease_over_ms,
           l.head_index as lease_head_index, l.tenant_id as lease_tenant_id, l.run_id as lease_run_id,
           l.capture as lease_capture, l.next_index as lease_next_index, l.link as lease_link,
           array(select encode(peak, 'hex') from unnest(l.peaks) with ordinality as p(peak, place) order by place) as lease_peaks,
           array(select concat(intent) from unnest(l.open_intents) with ordinality as i(intent, place) order by place) as lease_open_intents,
           ${sql.literal(msSince("l.head_logged_at"))} as lease_headed_ms
    from (
      select ${sql.literal(traceColumns)}
      from ${sql.literal(TRACES)} a
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
    from ${sql.literal(TRACES)} a
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
    select trace_id from ${sql.literal(TRACES)} a
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
    select trace_id from ${sql.literal(TRACES)} t
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
    from (select trace_id, ntile(${parts}::int) over (order by trace_id) as part from ${sql.literal(TRACES)} a) as cut
    where part < ${parts}::int
    group by part
    order by 1`.pipe(Effect.map((rows) => rows.map((row) => row.trace_id)));
