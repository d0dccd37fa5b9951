/** Reads `ExportTraceServiceRequest` in its JSON encoding. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import { Refusal } from "@runproof/proof/Refusal";
import {
  double,
  idOf,
  integer,
  nanos,
  type Span,
  SpansUnreadable,
  VALUE_DEPTH_MAX,
} from "./Span.ts";

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown, what: string): Fields => {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new SpansUnreadable(`${what} is no object`);
  return value as Fields;
};

const listOf = (value: unknown, what: string): ReadonlyArray<unknown> => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new SpansUnreadable(`${what} is no array`);
  return value;
};

const textOf = (value: unknown, what: string): string => {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new SpansUnreadable(`${what} is no string`);
  return value;
};

const integerOf = (value: unknown, what: string): bigint => {
  if (value === undefined || value === null) return 0n;
  if (typeof value === "string" && /^-?\d{1,20}$/u.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new SpansUnreadable(`${what} is no integer`);
};

const countOf = (value: unknown, what: string): number => {
  const count = integerOf(value, what);
  if (count < 0n || count > 0xff_ff_ff_ffn) throw new SpansUnreadable(`${what} is no count`);
  return Number(count);
};

const timeOf = (value: unknown, what: string): bigint => {
  const time = integerOf(value, what);
  if (time < 0n || time >= 2n ** 64n) throw new SpansUnreadable(`${what} is no time`);
  return time;
};

const doubleOf = (value: unknown): JsonValue => {
  if (typeof value === "number") return double(value);
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return value;
  if (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)))
    return double(Number(value));
  throw new SpansUnreadable("a doubleValue is no number");
};

const valueOf = (said: unknown, depth: number): JsonValue => {
  if (depth > VALUE_DEPTH_MAX) throw new SpansUnreadable("a value is nested too deep");
  const value = fieldsOf(said, "a value");
  if (value["stringValue"] !== undefined) return textOf(value["stringValue"], "a stringValue");
  if (value["boolValue"] !== undefined) return value["boolValue"] === true;
  if (value["intValue"] !== undefined) return integer(integerOf(value["intValue"], "an intValue"));
  if (value["doubleValue"] !== undefined) return doubleOf(value["doubleValue"]);
  if (value["arrayValue"] !== undefined) {
    const { values } = fieldsOf(value["arrayValue"], "an arrayValue");
    return listOf(values, "an array's values").map((item) => valueOf(item, depth + 1));
  }
  if (value["kvlistValue"] !== undefined) {
    const { values } = fieldsOf(value["kvlistValue"], "a kvlistValue");
    return attributesOf(values, depth + 1);
  }
  if (value["bytesValue"] !== undefined) {
    const bytes = Buffer.from(textOf(value["bytesValue"], "a bytesValue"), "base64");
    return { base64: bytes.toString("base64") };
  }
  return null;
};

const attributesOf = (said: unknown, depth = 0): JsonObject =>
  Object.fromEntries(
    listOf(said, "attributes").map((each) => {
      const { key, value } = fieldsOf(each, "an attribute");
      return [textOf(key, "an attribute's key"), valueOf(value, depth)];
    }),
  );

const eventOf = (said: unknown): JsonObject => {
  const event = fieldsOf(said, "an event");
  return {
    name: textOf(event["name"], "an event's name"),
    time_unix_nano: nanos(timeOf(event["timeUnixNano"], "an event's time")),
    attributes: attributesOf(event["attributes"]),
    dropped_attributes_count: countOf(event["droppedAttributesCount"], "a dropped count"),
  };
};

const linkOf = (said: unknown): JsonObject => {
  const link = fieldsOf(said, "a link");
  return {
    trace_id: textOf(link["traceId"], "a link's trace id").toLowerCase(),
    span_id: textOf(link["spanId"], "a link's span id").toLowerCase(),
    attributes: attributesOf(link["attributes"]),
  };
};

const spanOf = (said: unknown, around: Pick<Span, "resource" | "scope">): Span => {
  const span = fieldsOf(said, "a span");
  const status = fieldsOf(span["status"], "a status");
  const parent = textOf(span["parentSpanId"], "a parent's span id");
  return {
    ...around,
    trace_id: idOf(textOf(span["traceId"], "a trace id"), 32, "a trace id"),
    span_id: idOf(textOf(span["spanId"], "a span id"), 16, "a span id"),
    parent_span_id: parent === "" ? null : idOf(parent, 16, "a parent's span id"),
    trace_state: textOf(span["traceState"], "a trace state"),
    name: textOf(span["name"], "a span's name"),
    kind: countOf(span["kind"], "a span's kind"),
    start: timeOf(span["startTimeUnixNano"], "a start"),
    end: timeOf(span["endTimeUnixNano"], "an end"),
    attributes: attributesOf(span["attributes"]),
    events: listOf(span["events"], "events").map(eventOf),
    links: listOf(span["links"], "links").map(linkOf),
    dropped_attributes_count: countOf(span["droppedAttributesCount"], "a dropped count"),
    dropped_events_count: countOf(span["droppedEventsCount"], "a dropped count"),
    dropped_links_count: countOf(span["droppedLinksCount"], "a dropped count"),
    status_code: countOf(status["code"], "a status code"),
    status_message: textOf(status["message"], "a status message"),
  };
};

/** Levels of JSON in a value: `kvlistValue`, `values`, an index and `value` for each level of values, and what a request has around them. */
const DEPTH_MAX = VALUE_DEPTH_MAX * 4 + 16;

/** OTLP allows 64-bit integers, which exact JSON refuses. A key that is there twice is another value to the next reader. */
const parse = (text: string): unknown => {
  try {
    return parseJson(text, { keeps_inexact: true, depth_max: DEPTH_MAX });
  } catch (error) {
    if (error instanceof Refusal) throw new SpansUnreadable(`${error.path}: ${error.what}`);
    throw error;
  }
};

/** All spans of a request. Throws `SpansUnreadable`. */
export const spansFromJson = (text: string): ReadonlyArray<Span> => {
  const request = parse(text);
  if (typeof request !== "object" || request === null || Array.isArray(request))
    throw new SpansUnreadable("the body is no object");
  return listOf((request as Fields)["resourceSpans"], "resourceSpans").flatMap((each) => {
    const resourceSpans = fieldsOf(each, "a member of resourceSpans");
    const resource = attributesOf(fieldsOf(resourceSpans["resource"], "a resource")["attributes"]);
    return listOf(resourceSpans["scopeSpans"], "scopeSpans").flatMap((some) => {
      const scopeSpans = fieldsOf(some, "a member of scopeSpans");
      const { name, version } = fieldsOf(scopeSpans["scope"], "a scope");
      const scope = {
        name: textOf(name, "a scope's name"),
        version: textOf(version, "a scope's version"),
      };
      return listOf(scopeSpans["spans"], "spans").map((span) => spanOf(span, { resource, scope }));
    });
  });
};
