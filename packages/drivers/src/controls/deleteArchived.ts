import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import type { TraceEvent } from "./archiveTraces.ts";

/**
 * Deletes archived traces that were sealed before a time, each beside its EVENT, in one commit; answers which. Their runs'
 * rows stay, with their roots. What is held, younger, or being deleted by another is left.
 */
export const deleteArchived =
  ({ write: sql, description }: Database["Service"]) =>
  (
    traces: ReadonlyArray<TraceEvent>,
    sealed_before: string,
  ): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
    sql<{ deleted_trace_id: string }>`
      select deleted_trace_id from runproof_delete_archived(
        ${textArray(traces.map(({ trace_id }) => trace_id))},
        ${textArray(traces.map(({ event_record }) => event_record))},
        ${sealed_before}::text::timestamptz)`.pipe(
      Effect.map((rows) => rows.map((row) => row.deleted_trace_id)),
      Effect.mapError(databaseError("deleteArchived", description)),
    );
