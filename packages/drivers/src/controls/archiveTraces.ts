import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** A trace with the EVENT record of what is done to it. */
export interface TraceEvent {
  readonly trace_id: string;
  readonly event_record: string;
}

/**
 * Moves traces that were sealed before a time to the archive, each beside its EVENT, in one commit; answers which. What is
 * open, held, younger, or being moved by another is left.
 */
export const archiveTraces =
  ({ write: sql, description }: Database["Service"]) =>
  (
    traces: ReadonlyArray<TraceEvent>,
    sealed_before: string,
  ): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
    sql<{ archived_trace_id: string }>`
      select archived_trace_id from runproof_archive_traces(
        ${textArray(traces.map(({ trace_id }) => trace_id))},
        ${textArray(traces.map(({ event_record }) => event_record))},
        ${sealed_before}::text::timestamptz)`.pipe(
      Effect.map((rows) => rows.map((row) => row.archived_trace_id)),
      Effect.mapError(databaseError("archiveTraces", description)),
    );
