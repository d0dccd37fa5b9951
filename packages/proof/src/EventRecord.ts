/** Makes and reads event records: what the log holds, by their digest, of key changes and of operations on evidence. */
import { EVENT_RECORD_TYPE, EventRecord } from "@runproof/schemas/EventRecord";
import { canonicalize } from "./CanonicalJson.ts";
import { parseCanonical } from "./JsonText.ts";
import { RecordInvalid, validator } from "./RecordInvalid.ts";

const validate = validator(
  EventRecord,
  "Give every field of an event record, each as section 4 of the format says.",
);

/** An event record's canonical text. Throws `RecordInvalid` or `CanonicalJsonError`. */
export const eventRecordText = (event: Omit<EventRecord, "type">): string =>
  canonicalize(validate({ ...event, type: EVENT_RECORD_TYPE }));

/** Reads an event record's text; null where it is not the canonical form of one. */
export const readEventRecord = (text: string): EventRecord | null => {
  const value = parseCanonical(text);
  if (value === undefined) return null;
  try {
    return validate(value);
  } catch (error) {
    if (error instanceof RecordInvalid) return null;
    throw error;
  }
};
