import { leafHash } from "@runproof/proof/Chain";
import { LogEntryKind } from "@runproof/proof/LogEntry";
import { EventRecord } from "@runproof/schemas/EventRecord";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Schema from "effect/Schema";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { bounded } from "./boundedText.ts";

/** An EVENT, or the SEALED entry of the same trace, which has no record. */
interface EventRow {
  readonly event_record: string | null;
  readonly digest: string;
}

/** What the log says was done with a trace. */
export interface TraceEvents {
  /** Payloads that were erased, such as `step 3:params`. */
  readonly erasures_recorded: ReadonlySet<string>;
  readonly archival_recorded: boolean;
  /** When it was deleted and the root that it had; null where no deletion is recorded. */
  readonly deletion_recorded: { readonly root_hash: string; readonly deleted_at: string } | null;
}

const decodeEvent = Schema.decodeUnknownOption(Schema.fromJsonString(EventRecord));

/** An event whose text is not what the log holds, or is no event record of this trace, proves nothing. */
const eventsOf =
  (trace_id: string) =>
  ({ event_record, digest }: EventRow): ReadonlyArray<EventRecord> =>
    event_record !== null && leafHash(event_record) === digest
      ? Option.toArray(decodeEvent(event_record)).filter((event) => event.trace_id === trace_id)
      : [];

/** Payloads named by an erasure: its detail's `payloads`, separated by commas. */
const erasedPayloads = ({ event, detail }: EventRecord): ReadonlyArray<string> =>
  event === "erasure" ? (detail["payloads"]?.split(",") ?? []) : [];

/** A deletion counts where it says the root that the log has as the trace's. */
const deletionIn = (
  events: ReadonlyArray<EventRecord>,
  sealed: ReadonlyArray<string>,
): TraceEvents["deletion_recorded"] => {
  for (const { event, detail, occurred_at } of events) {
    const root_hash = detail["root_hash"];
    if (event === "deletion" && root_hash !== undefined && sealed.includes(root_hash))
      return { root_hash, deleted_at: occurred_at };
  }
  return null;
};

/** Reads which operations on a trace the log records. */
export const readEvents = (
  sql: SqlClient,
  trace_id: string,
): Effect.Effect<TraceEvents, SqlError> =>
  sql<EventRow>`
    select ${sql.literal(bounded("event_record"))}, digest from aos_log_entries
    where trace_id = ${trace_id} and (kind = ${LogEntryKind.EVENT}::int and event_record is not null or kind = ${LogEntryKind.SEALED}::int)
    union all
    select ${sql.literal(bounded("event_record"))}, digest from aos_log_queue
    where trace_id = ${trace_id} and (kind = ${LogEntryKind.EVENT}::int and event_record is not null or kind = ${LogEntryKind.SEALED}::int)`.pipe(
    Effect.map((rows) => {
      const events = rows.flatMap(eventsOf(trace_id));
      return {
        erasures_recorded: new Set(events.flatMap(erasedPayloads)),
        archival_recorded: events.some(({ event }) => event === "archival"),
        deletion_recorded: deletionIn(
          events,
          rows.flatMap(({ event_record, digest }) => (event_record === null ? [digest] : [])),
        ),
      };
    }),
  );
