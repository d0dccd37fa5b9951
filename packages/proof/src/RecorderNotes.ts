/** What the recorder itself has to say of a record's payloads: `attributes`, under the key `runproof` (section 2.1). */
import type { JsonObject, JsonValue } from "./CanonicalJson.ts";
import type { Lossy } from "./ToldValue.ts";

/** The key of the notes in `attributes`. */
export const NOTES_KEY = "runproof";

/** The recorder's notes. What is left out was not the case. */
export interface RecorderNotes {
  /** What JSON can't say of the record's payloads, and stands there in another form. */
  readonly lossy?: ReadonlyArray<Lossy>;
  /** How often each redaction rule matched. */
  readonly redaction?: JsonValue;
  /** What the guard decided, and by which version. */
  readonly policy?: JsonValue;
  /** Of an import: which file the record was read from. */
  readonly source?: JsonObject;
  /** Ids from outside. */
  readonly span?: JsonObject;
}

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * A caller's attributes with the recorder's notes beside them. Attributes that are no object stand under `value`, and so
 * do those that have the notes' key themselves: nobody writes the recorder's notes but the recorder.
 */
export const withNotes = (attributes: unknown, notes: RecorderNotes): unknown => {
  const isNoted = Object.keys(notes).length > 0;
  if (attributes === undefined) return isNoted ? { [NOTES_KEY]: notes } : undefined;
  if (isPlainObject(attributes) && !Object.hasOwn(attributes, NOTES_KEY)) {
    return isNoted ? { ...attributes, [NOTES_KEY]: notes } : attributes;
  }
  return isNoted || isPlainObject(attributes)
    ? { value: attributes, [NOTES_KEY]: notes }
    : attributes;
};
