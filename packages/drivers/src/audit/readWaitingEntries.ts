import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Entries that wait for their index in the log. */
export interface WaitingEntries {
  readonly count: number;
  /** How long the oldest has waited; null where none does, infinite where its time is none. */
  readonly waited_ms: number | null;
  /** Transactions that were prepared in this database and not ended: each keeps its locks until somebody does. */
  readonly prepared: ReadonlyArray<string>;
}

/** Most prepared transactions that are named. */
const PREPARED_MAX = 10;

/** Reads how long entries have waited for their index, and which prepared transactions may keep the log's lock. */
export const readWaitingEntries = (sql: SqlClient): Effect.Effect<WaitingEntries, SqlError> =>
  sql<{ count: bigint; waited_ms: number | null; prepared: ReadonlyArray<string> }>`
    select (select count(*) from aos_log_queue) as count,
           (select max(case when isfinite(queued_at) then extract(epoch from clock_timestamp() - queued_at)::float8 * 1000
                            else 'infinity'::float8 end) from aos_log_queue) as waited_ms,
           array(select concat(gid, ' of ', owner, ' since ', prepared) from pg_prepared_xacts
                 where database = current_database() order by prepared limit ${BigInt(PREPARED_MAX)}) as prepared`.pipe(
    Effect.map(([row]) => ({ ...row!, count: Number(row!.count) })),
  );
