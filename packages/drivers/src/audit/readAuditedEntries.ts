import { LogEntryKind } from "@runproof/proof/LogEntry";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { Fragment } from "effect/sql/Statement";
import { bounded } from "../internal/postgres/boundedText.ts";
import { forEachPage } from "../internal/postgres/forEachPage.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import type { TraceRange } from "./readAuditedTraces.ts";
import type { StoredLogEntry } from "../ledger/readLogEntries.ts";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";

/** An entry as an audit sees it; `log_index` is null while it waits for its index. */
export interface AuditedEntry extends Omit<StoredLogEntry, "log_index"> {
  readonly log_index: number | null;
  /** When it was put into the log's queue. */
  readonly queued_at: string;
}

/** What an entry's trace looks like from the log. */
export interface EntryTrace {
  readonly trace_id: string;
  /** C_0 and the seal's root as they are stored. */
  readonly link: string;
  readonly root_hash: string | null;
  readonly status: string;
}

/** Entries are small, but for an event's record. */
const PAGE_ENTRIES = 1000;

interface EntryRow extends Omit<AuditedEntry, "log_index"> {
  readonly log_index: bigint | null;
}

const auditedEntry = (row: EntryRow): AuditedEntry => ({
  log_index: row.log_index === null ? null : Number(row.log_index),
  kind: row.kind,
  digest: row.digest,
  trace_id: row.trace_id,
  event_record: row.event_record,
  queued_at: row.queued_at,
});

type Use<E, R> = (entries: ReadonlyArray<AuditedEntry>) => Effect.Effect<void, E, R>;

const forEachEntryPage = <E, R>(
  sql: SqlClient,
  query: { readonly name: string; readonly source: Fragment; readonly order: string },
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachPage<EntryRow, E, R>(
    sql,
    {
      ...query,
      rows: PAGE_ENTRIES,
      columns: `log_index, kind, digest, trace_id, ${bounded("event_record")}, ${timeText("queued_at")} as queued_at`,
      bytes: "coalesce(octet_length(event_record), 0)",
    },
    (rows) => use(rows.map(auditedEntry)),
  );

const NUMBERED =
  "select log_index, kind::int as kind, digest, trace_id, event_record, queued_at, 0::bigint as queue_id from aos_log_entries";
const QUEUED =
  "select null::bigint as log_index, kind::int as kind, digest, trace_id, event_record, queued_at, queue_id from aos_log_queue";

/** Reads the entries of a range of traces, by trace id: the numbered ones in order, then those that wait. */
export const readEntriesOfTraces = <E, R>(
  sql: SqlClient,
  { first, last }: TraceRange,
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> => {
  const isInRange = sql`trace_id >= ${first} and trace_id <= ${last}`;
  return forEachEntryPage(
    sql,
    {
      name: "entries_of_traces",
      source: sql`(${sql.literal(NUMBERED)} where ${isInRange} union all ${sql.literal(QUEUED)} where ${isInRange}) as entries`,
      order: "trace_id, log_index nulls last, queue_id",
    },
    use,
  );
};

/** Reads the entries that name some traces. */
export const readEntriesOf = <E, R>(
  sql: SqlClient,
  trace_ids: ReadonlyArray<string>,
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> => {
  const isNamed = sql`trace_id = any(${textArray(trace_ids)})`;
  return forEachEntryPage(
    sql,
    {
      name: "entries_of",
      source: sql`(${sql.literal(NUMBERED)} where ${isNamed} union all ${sql.literal(QUEUED)} where ${isNamed}) as entries`,
      order: "log_index, queue_id",
    },
    use,
  );
};

/** Reads the numbered entries from one index to before another, in order. */
export const readAuditedEntries = <E, R>(
  sql: SqlClient,
  { from, before }: { readonly from: number; readonly before: number },
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachEntryPage(
    sql,
    {
      name: "audited_entries",
      source: sql`(${sql.literal(NUMBERED)} where log_index >= ${BigInt(from)} and log_index < ${BigInt(before)}) as entries`,
      order: "log_index",
    },
    use,
  );

/** Reads the OPENED entries before an index whose trace is not there, in order. */
export const readOpenedOfNone = <E, R>(
  sql: SqlClient,
  before: number,
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachEntryPage(
    sql,
    {
      name: "opened_of_none",
      source: sql`(
        ${sql.literal(NUMBERED)} e
        where kind = ${LogEntryKind.OPENED}::int and log_index < ${BigInt(before)} and trace_id is not null
          and not exists (select from ${sql.literal(TRACES)} t where t.trace_id = e.trace_id)
      ) as entries`,
      order: "log_index",
    },
    use,
  );

/** Reads where a number of entries from an index on ends; a gap, however wide, is passed in one step. */
export const readEntryEnd = (
  sql: SqlClient,
  {
    from,
    before,
    count,
  }: { readonly from: number; readonly before: number; readonly count: number },
): Effect.Effect<number | null, SqlError> =>
  sql<{ last: bigint | null }>`
    select max(log_index) as last
    from (
      select log_index from aos_log_entries
      where log_index >= ${BigInt(from)} and log_index < ${BigInt(before)}
      order by log_index
      limit ${BigInt(count)}
    ) as next_entries`.pipe(
    Effect.map(([row]) => (row!.last === null ? null : Number(row!.last) + 1)),
  );

/** Reads the entries that wait for their index, in the order that they came. */
export const readQueuedEntries = <E, R>(
  sql: SqlClient,
  use: Use<E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachEntryPage(
    sql,
    {
      name: "queued_entries",
      source: sql`(${sql.literal(QUEUED)}) as entries`,
      order: "queue_id",
    },
    use,
  );

/** Reads what the log says of some traces can be compared with. */
export const readEntryTraces = (
  sql: SqlClient,
  trace_ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<EntryTrace>, SqlError> =>
  sql<EntryTrace>`
    select trace_id, link, root_hash, status from ${sql.literal(TRACES)} t where trace_id = any(${textArray(trace_ids)})`;
