/** A span as both encodings of OTLP say it. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";

/** Attributes by their keys; of a key that comes twice the last counts, as collectors have it. */
export type Attributes = Readonly<Record<string, JsonValue>>;

/** A span, with what it stands in. Times are nanoseconds since 1970. */
export interface Span {
  /** 32 lower-case hex digits. */
  readonly trace_id: string;
  /** 16 lower-case hex digits. */
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly trace_state: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Attributes;
  readonly events: ReadonlyArray<JsonObject>;
  readonly links: ReadonlyArray<JsonObject>;
  readonly dropped_attributes_count: number;
  readonly dropped_events_count: number;
  readonly dropped_links_count: number;
  readonly status_code: number;
  readonly status_message: string;
  readonly resource: Attributes;
  readonly scope: { readonly name: string; readonly version: string };
}

/** A request that can't be read as spans. */
export class SpansUnreadable extends Error {
  override readonly name = "SpansUnreadable";
}

/** Levels of values in values: deeper ones are no telemetry. */
export const VALUE_DEPTH_MAX = 32;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** An integer as records hold it: beyond 2^53-1 its digits. */
export const integer = (value: bigint): JsonValue => {
  if (value < INT64_MIN || value > INT64_MAX)
    throw new SpansUnreadable("an integer of more than 64 bits");
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : String(value);
};

/** A double as records hold it: what JSON can't say is its name, and an integer beyond 2^53-1 its digits. */
export const double = (value: number): JsonValue => {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return 0;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? String(BigInt(value)) : value;
};

/** An id from its hex digits, in either case. */
export const idOf = (text: string, digits: 16 | 32, what: string): string => {
  const id = text.toLowerCase();
  if (!/^[0-9a-f]+$/u.test(id) || id.length !== digits || /^0+$/u.test(id))
    throw new SpansUnreadable(`${what} is not ${digits} hex digits, other than zeros`);
  return id;
};

/** A time in nanoseconds as text. */
export const nanos = (value: bigint): string => String(value);
