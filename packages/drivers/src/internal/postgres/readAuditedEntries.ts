import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { AuditedEntry, EntryTrace } from "../../AuditStore.ts";
import { textArray } from "./textArray.ts";

type EntryRow = Omit<AuditedEntry, "log_index"> & { readonly log_index: bigint | null };

/** Reads the entries of some traces: the numbered ones in order, then those that wait for their index. */
export const readAuditedEntries = (
  sql: SqlClient,
  trace_ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<AuditedEntry>, SqlError> =>
  sql<EntryRow>`
    select log_index, kind::int as kind, digest, trace_id, event_record, 0 as queue_id
    from aos_log_entries where trace_id = any(${textArray(trace_ids)})
    union all
    select null, kind::int, digest, trace_id, event_record, queue_id
    from aos_log_queue where trace_id = any(${textArray(trace_ids)})
    order by log_index nulls last, queue_id`.pipe(
    Effect.map((rows) =>
      rows.map((row) => ({
        log_index: row.log_index === null ? null : Number(row.log_index),
        kind: row.kind,
        digest: row.digest,
        trace_id: row.trace_id,
        event_record: row.event_record,
      })),
    ),
  );

/** Reads what the log says of some traces can be compared with. */
export const readEntryTraces = (
  sql: SqlClient,
  trace_ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<EntryTrace>, SqlError> =>
  sql<EntryTrace>`
    select trace_id, link, root_hash, status from aos_traces where trace_id = any(${textArray(trace_ids)})`;
