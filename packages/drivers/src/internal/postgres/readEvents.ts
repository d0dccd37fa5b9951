import { leafHash } from "@runproof/proof/Chain";
import { EventRecord } from "@runproof/schemas/EventRecord";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Schema from "effect/Schema";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

interface EventRow {
  readonly event_record: string;
  readonly digest: string;
}

/** What the log says was done with a trace. */
export interface TraceEvents {
  /** Payloads that were erased, such as `step 3:params`. */
  readonly erasures_recorded: ReadonlySet<string>;
  readonly archival_recorded: boolean;
}

const decodeEvent = Schema.decodeUnknownOption(Schema.fromJsonString(EventRecord));

/** An event whose text is not what the log holds, or is no event record of this trace, proves nothing. */
const eventsOf =
  (trace_id: string) =>
  ({ event_record, digest }: EventRow): ReadonlyArray<EventRecord> =>
    leafHash(event_record) === digest
      ? Option.toArray(decodeEvent(event_record)).filter((event) => event.trace_id === trace_id)
      : [];

/** Payloads named by an erasure: its detail's `payloads`, separated by commas. */
const erasedPayloads = ({ event, detail }: EventRecord): ReadonlyArray<string> =>
  event === "erasure" ? (detail["payloads"]?.split(",") ?? []) : [];

/** Reads which operations on a trace the log records. */
export const readEvents = (
  sql: SqlClient,
  trace_id: string,
): Effect.Effect<TraceEvents, SqlError> =>
  sql<EventRow>`
    select event_record, digest from aos_log_entries where trace_id = ${trace_id} and kind = 4 and event_record is not null
    union all
    select event_record, digest from aos_log_queue where trace_id = ${trace_id} and kind = 4 and event_record is not null`.pipe(
    Effect.map((rows) => {
      const events = rows.flatMap(eventsOf(trace_id));
      return {
        erasures_recorded: new Set(events.flatMap(erasedPayloads)),
        archival_recorded: events.some(({ event }) => event === "archival"),
      };
    }),
  );
