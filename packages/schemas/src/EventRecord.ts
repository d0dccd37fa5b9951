/** What the log holds of an operation on evidence or keys, by its digest. */
import * as Schema from "effect/Schema";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { Identifier, RecordText } from "./Text.ts";
import { Timestamp } from "./Timestamp.ts";

/** The type tag of an event record. */
export const EVENT_RECORD_TYPE = "runproof/event@v1";

export const EventKind = Schema.Literals([
  "key_added",
  "key_retired",
  "erasure",
  "archival",
  "deletion",
]);
export type EventKind = typeof EventKind.Type;

const fields = {
  type: Schema.Literal(EVENT_RECORD_TYPE),
  event: EventKind,
  trace_id: Schema.NullOr(Identifier),
  occurred_at: Timestamp,
  actor: RecordText,
  reason: RecordText,
  /** For keys: `old_vkey`, `new_vkey`; for a deletion: `root_hash`. */
  detail: Schema.Record(RecordText, RecordText),
} as const;

/** An event record: every key present, no other allowed. */
export const EventRecord = closedStruct(fields);
export interface EventRecord extends Schema.Struct.Type<typeof fields> {}
