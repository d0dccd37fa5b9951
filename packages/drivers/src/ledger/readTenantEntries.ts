import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";
import { boundedText } from "../internal/postgres/boundedText.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import type { StoredLogEntry } from "./readLogEntries.ts";

/** An entry of the log with the run that it is of. */
export interface TenantEntry extends Omit<StoredLogEntry, "trace_id"> {
  readonly trace_id: string;
  readonly run_id: string;
  readonly sequenced_at: string;
}

/** A tenant's entries of a stretch of the log. */
export interface TenantEntries {
  readonly entries: ReadonlyArray<TenantEntry>;
  /** The last index that was looked at, whosever it is. */
  readonly read_to: number;
}

type Row = Omit<TenantEntry, "log_index" | "trace_id" | "run_id"> & {
  readonly log_index: bigint;
  readonly trace_id: string | null;
  readonly run_id: string | null;
};

/**
 * Reads which of up to `limit` entries after an index are of a tenant's runs. An index is given once all before it are: what is
 * read from where the last call stopped misses none. Of a run that was deleted nothing says any more whose it was.
 */
export const readTenantEntries =
  ({ sql, description }: Pick<Database["Service"], "sql" | "description">) =>
  ({
    tenant_id,
    after,
    limit,
  }: {
    readonly tenant_id: string;
    readonly after: number;
    readonly limit: number;
  }): Effect.Effect<TenantEntries, DatabaseError> =>
    sql<Row>`
      select e.log_index, e.kind::int as kind, e.digest, ${sql.literal(boundedText("e.event_record"))} as event_record, t.trace_id, t.run_id,
             ${sql.literal(timeText("e.sequenced_at"))} as sequenced_at
      from (
        select * from aos_log_entries where log_index > ${BigInt(after)} order by log_index limit ${BigInt(limit)}
      ) e
      left join ${sql.literal(TRACES)} t on t.trace_id = e.trace_id and t.tenant_id = ${tenant_id}
      order by e.log_index`.pipe(
      Effect.map((rows) => ({
        entries: rows.flatMap(({ log_index, trace_id, run_id, ...entry }) =>
          trace_id === null || run_id === null
            ? []
            : [{ ...entry, log_index: Number(log_index), trace_id, run_id }],
        ),
        read_to: Number(rows.at(-1)?.log_index ?? after),
      })),
      Effect.mapError(databaseError("readTenantEntries", description)),
    );
