import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { StoredLogEntry } from "../../LogStore.ts";

/** Entries of one round trip: about a megabyte. */
export const LOG_PAGE = 5000;

type EntryRow = Omit<StoredLogEntry, "log_index"> & { readonly log_index: bigint };

const storedEntry = (row: EntryRow): StoredLogEntry => ({
  ...row,
  log_index: Number(row.log_index),
});

/** Reads entries with an index in [from, from + limit), in order. */
export const readLogEntries = (
  sql: SqlClient,
  { from, limit = LOG_PAGE }: { readonly from: number; readonly limit?: number },
): Effect.Effect<ReadonlyArray<StoredLogEntry>, SqlError> =>
  sql<EntryRow>`
    select log_index, kind::int as kind, digest, trace_id, event_record
    from aos_log_entries
    where log_index >= ${BigInt(from)} and log_index < ${BigInt(from + limit)}
    order by log_index`.pipe(Effect.map((rows) => rows.map(storedEntry)));

/** Reads a trace's numbered entries in order. */
export const readLogEntriesOfTrace = (
  sql: SqlClient,
  trace_id: string,
): Effect.Effect<ReadonlyArray<StoredLogEntry>, SqlError> =>
  sql<EntryRow>`
    select log_index, kind::int as kind, digest, trace_id, event_record
    from aos_log_entries
    where trace_id = ${trace_id}
    order by log_index`.pipe(Effect.map((rows) => rows.map(storedEntry)));
