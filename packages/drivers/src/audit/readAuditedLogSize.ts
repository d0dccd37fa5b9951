import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { LogSize } from "../ledger/readLogSize.ts";

/** The largest index that an entry can have: the log's size after it is a safe integer still. */
const INDEX_MAX = Number.MAX_SAFE_INTEGER - 1;

/** What an entry of the log has for an index; another row is no entry, and must not make the rest unreadable. */
export const IS_INDEX = `log_index between 0 and ${INDEX_MAX}`;

/** Reads the log's size, whatever rows are there that no log can have, and how many entries wait for an index. */
export const readAuditedLogSize = (sql: SqlClient): Effect.Effect<LogSize, SqlError> =>
  sql<{ size: bigint; pending: bigint }>`
    select coalesce((select max(log_index) + 1 from aos_log_entries where ${sql.literal(IS_INDEX)}), 0) as size,
           (select count(*) from aos_log_queue) as pending`.pipe(
    Effect.map(([row]) => ({ size: Number(row!.size), pending: Number(row!.pending) })),
  );

/** Most stray entries that are named. */
const STRAY_ENTRIES_MAX = 10;

/** Reads indexes that no entry of a log can have, a few at most, in decimal. */
export const readStrayEntries = (sql: SqlClient): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  sql<{ log_index: string }>`
    select concat(log_index) as log_index from aos_log_entries
    where log_index < 0 or log_index > ${BigInt(INDEX_MAX)}
    order by aos_log_entries.log_index
    limit ${BigInt(STRAY_ENTRIES_MAX)}`.pipe(
    Effect.map((rows) => rows.map((row) => row.log_index)),
  );
