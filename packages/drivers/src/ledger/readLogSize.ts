import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** How far the log is: entries with an index, and those committed that wait for one. */
export interface LogSize {
  readonly size: number;
  readonly pending: number;
}

/** Reads the log's size and how many entries wait for an index. */
export const readLogSize = ({
  sql,
  description,
}: Database["Service"]): Effect.Effect<LogSize, DatabaseError> =>
  sql<{ size: bigint; pending: bigint }>`
    select coalesce((select max(log_index) + 1 from aos_log_entries), 0) as size,
           (select count(*) from aos_log_queue) as pending`.pipe(
    Effect.map(([row]) => ({ size: Number(row!.size), pending: Number(row!.pending) })),
    Effect.mapError(databaseError("readLogSize", description)),
  );
