import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { bounded } from "../internal/postgres/boundedText.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** An entry of the log. `kind` is the format's: 1 OPENED, 2 SEALED, 3 HEAD, 4 EVENT. */
export interface StoredLogEntry {
  readonly log_index: number;
  readonly kind: number;
  /** 64 lower-case hex digits. */
  readonly digest: string;
  readonly trace_id: string | null;
  /** The canonical text of an EVENT's record. */
  readonly event_record: string | null;
}

/** Entries of one round trip: about a megabyte. */
const LOG_PAGE = 5000;

type EntryRow = Omit<StoredLogEntry, "log_index"> & { readonly log_index: bigint };

const storedEntry = (row: EntryRow): StoredLogEntry => ({
  ...row,
  log_index: Number(row.log_index),
});

/** Which entries: those of a trace, or up to `limit` from an index on. A missing one is missing here too. */
export type EntryQuery =
  | { readonly trace_id: string }
  | { readonly from: number; readonly limit?: number | undefined };

/** Reads numbered entries in the log's order. */
export const readLogEntries =
  ({ sql, description }: Pick<Database["Service"], "sql" | "description">) =>
  (query: EntryQuery): Effect.Effect<ReadonlyArray<StoredLogEntry>, DatabaseError> => {
    const isAskedFor =
      "trace_id" in query
        ? sql`trace_id = ${query.trace_id}`
        : sql`log_index >= ${BigInt(query.from)} and log_index < ${BigInt(query.from + (query.limit ?? LOG_PAGE))}`;
    return sql<EntryRow>`
      select log_index, kind::int as kind, digest, trace_id, ${sql.literal(bounded("event_record"))}
      from aos_log_entries
      where ${isAskedFor}
      order by log_index`.pipe(
      Effect.map((rows) => rows.map(storedEntry)),
      Effect.mapError(databaseError("readLogEntries", description)),
    );
  };
