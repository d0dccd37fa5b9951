import { leafHash } from "@runproof/proof/Chain";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

interface EventRow {
  readonly event_record: string;
  readonly digest: string;
}

/** Payloads named by one erasure event: its detail's `payloads`, separated by commas. */
const erasedPayloads = ({ event_record, digest }: EventRow): ReadonlyArray<string> => {
  // An event whose text is not what the log holds proves nothing.
  if (leafHash(event_record) !== digest) return [];
  const { event, detail } = JSON.parse(event_record) as {
    event: string;
    detail: { payloads?: string };
  };
  return event === "erasure" && typeof detail.payloads === "string"
    ? detail.payloads.split(",")
    : [];
};

/** Reads which payloads of a trace the log says were erased, such as `step 3:params`. */
export const readErasures = (
  sql: SqlClient,
  trace_id: string,
): Effect.Effect<ReadonlySet<string>, SqlError> =>
  sql<EventRow>`
    select event_record, digest from aos_log_entries where trace_id = ${trace_id} and kind = 4 and event_record is not null
    union all
    select event_record, digest from aos_log_queue where trace_id = ${trace_id} and kind = 4 and event_record is not null`.pipe(
    Effect.map((rows) => new Set(rows.flatMap(erasedPayloads))),
  );
