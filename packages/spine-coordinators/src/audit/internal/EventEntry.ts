import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import { parseCanonical } from "@runproof/proof/JsonText";
import { eventDigest, LogEntryKind } from "@runproof/proof/LogEntry";
import { EventRecord } from "@runproof/schemas/EventRecord";
import type { FindingCode } from "@runproof/schemas/Finding";
import * as Option from "effect/Option";
import * as Schema from "effect/Schema";

/** An EVENT's record where it can be believed, or why it can't. */
export type EventReading =
  | { readonly event: EventRecord }
  | { readonly event: null; readonly code: FindingCode; readonly what: string };

const decodeEvent = Schema.decodeUnknownOption(EventRecord);

const unbelieved = (code: FindingCode, what: string): EventReading => ({ event: null, code, what });

/** Reads what an EVENT records. A record that is not the one in the log, or is not of its trace, records nothing. */
export const readEvent = ({ digest, event_record, trace_id }: AuditedEntry): EventReading => {
  if (event_record === null) return unbelieved("CONTENT_MISMATCH", "its record is gone");
  if (eventDigest(event_record) !== digest) {
    return unbelieved("CONTENT_MISMATCH", "its record is not the one whose hash is in the log");
  }
  const event = Option.getOrNull(decodeEvent(parseCanonical(event_record)));
  if (event === null) return unbelieved("NOT_CANONICAL", "its record is not as the format says");
  if (event.trace_id !== trace_id) {
    return unbelieved("COLUMN_MISMATCH", "the column trace_id differs from the record");
  }
  return { event };
};

/** The event of an entry that is an EVENT and can be believed. */
export const eventOf = (entry: AuditedEntry): EventRecord | null =>
  entry.kind === LogEntryKind.EVENT ? readEvent(entry).event : null;

/** The payloads that an erasure names, such as `step 3:params`: its detail's `payloads`, separated by commas. */
export const erasedPayloads = ({ event, detail }: EventRecord): ReadonlyArray<string> =>
  event === "erasure" ? (detail["payloads"]?.split(",") ?? []) : [];
