import { SEAL_RECORD_KEYS, SEAL_RECORD_TYPE, SealRecord } from "@runproof/schemas/SealRecord";
import { STEP_RECORD_KEYS, STEP_RECORD_TYPE, StepRecord } from "@runproof/schemas/StepRecord";
import { TRACE_RECORD_KEYS, TRACE_RECORD_TYPE, TraceRecord } from "@runproof/schemas/TraceRecord";
import type { JsonObject, JsonValue } from "../CanonicalJson.ts";
import { parseCanonical } from "../JsonText.ts";
import { type RecordInvalid, validator } from "../RecordInvalid.ts";

/** What a stored text turned out to be. */
export interface Reading<Record> {
  /** The record, where the text is one of the kind asked for. */
  readonly record: Record | null;
  /** The object that the text says, where it says one in canonical form. */
  readonly object: JsonObject | null;
  /**
   * Why it is not such a record: `form`, the text is not the canonical form of an object with the right keys; `type`, it
   * says that it is something else; `values`, the form is right and a value breaks a rule.
   */
  readonly fault: "form" | "type" | "values" | null;
  readonly what: string;
}

/** A function that reads one kind of record. It never throws. */
export type RecordReader<Record> = (text: unknown) => Reading<Record>;

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const keyFault = (object: JsonObject, keys: ReadonlyArray<string>): string | null => {
  const missing = keys.find((key) => !Object.hasOwn(object, key));
  if (missing !== undefined) return `the key ${missing} is missing`;
  const extra = Object.keys(object).find((key) => !keys.includes(key));
  return extra === undefined ? null : `the key ${JSON.stringify(extra)} does not belong to it`;
};

const makeReader =
  <Record>(
    type: string,
    keys: ReadonlyArray<string>,
    validate: (value: unknown) => Record,
  ): RecordReader<Record> =>
  (text) => {
    const fault = (
      kind: "form" | "type" | "values",
      what: string,
      object: JsonObject | null = null,
    ) => ({
      record: null,
      object,
      fault: kind,
      what,
    });
    if (typeof text !== "string") return fault("form", "there is no text");
    const object = parseCanonical(text);
    if (object === undefined) return fault("form", "the text is not the canonical form of itself");
    if (!isObject(object)) return fault("form", "the text is no object");
    if (object["type"] !== type)
      return fault("type", `its type is ${JSON.stringify(object["type"])}, not ${type}`, object);
    const wrongKeys = keyFault(object, keys);
    if (wrongKeys !== null) return fault("form", wrongKeys, object);
    try {
      return { record: validate(object), object, fault: null, what: "" };
    } catch (error) {
      return fault("values", (error as RecordInvalid).message, object);
    }
  };

export const readTraceRecord: RecordReader<TraceRecord> = makeReader(
  TRACE_RECORD_TYPE,
  TRACE_RECORD_KEYS,
  validator(TraceRecord, ""),
);
export const readStepRecord: RecordReader<StepRecord> = makeReader(
  STEP_RECORD_TYPE,
  STEP_RECORD_KEYS,
  validator(StepRecord, ""),
);
export const readSealRecord: RecordReader<SealRecord> = makeReader(
  SEAL_RECORD_TYPE,
  SEAL_RECORD_KEYS,
  validator(SealRecord, ""),
);
