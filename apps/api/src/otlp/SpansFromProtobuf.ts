/** Reads `ExportTraceServiceRequest` in its binary encoding. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { bytesOf, forEachField, numberOf, textOf } from "./ProtobufReader.ts";
import {
  double,
  idOf,
  integer,
  nanos,
  type Span,
  SpansUnreadable,
  VALUE_DEPTH_MAX,
} from "./Span.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const readValue = (bytes: Uint8Array, depth = 0): JsonValue => {
  if (depth > VALUE_DEPTH_MAX) throw new SpansUnreadable("a value is nested too deep");
  let value: JsonValue = null;
  forEachField(bytes, (field, wire) => {
    if (field === 1) value = textOf(wire);
    else if (field === 2) value = numberOf(wire) !== 0n;
    else if (field === 3) value = integer(BigInt.asIntN(64, numberOf(wire)));
    else if (field === 4) {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, numberOf(wire));
      value = double(view.getFloat64(0));
    } else if (field === 5) {
      const items: Array<JsonValue> = [];
      forEachField(bytesOf(wire), (inner, item) => {
        if (inner === 1) items.push(readValue(bytesOf(item), depth + 1));
      });
      value = items;
    } else if (field === 6) {
      const entries: Array<[string, JsonValue]> = [];
      forEachField(bytesOf(wire), (inner, item) => {
        if (inner === 1) entries.push(readKeyValue(bytesOf(item), depth + 1));
      });
      value = Object.fromEntries(entries);
    } else if (field === 7) value = { base64: Buffer.from(bytesOf(wire)).toString("base64") };
  });
  return value;
};

const readKeyValue = (bytes: Uint8Array, depth = 0): [string, JsonValue] => {
  let key = "";
  let value: JsonValue = null;
  forEachField(bytes, (field, wire) => {
    if (field === 1) key = textOf(wire);
    else if (field === 2) value = readValue(bytesOf(wire), depth);
  });
  return [key, value];
};

const readEvent = (bytes: Uint8Array): JsonObject => {
  let time = 0n;
  let name = "";
  let dropped_attributes_count = 0;
  const attributes: Array<[string, JsonValue]> = [];
  forEachField(bytes, (field, wire) => {
    if (field === 1) time = numberOf(wire);
    else if (field === 2) name = textOf(wire);
    else if (field === 3) attributes.push(readKeyValue(bytesOf(wire)));
    else if (field === 4) dropped_attributes_count = Number(numberOf(wire));
  });
  return {
    name,
    time_unix_nano: nanos(time),
    attributes: Object.fromEntries(attributes),
    dropped_attributes_count,
  };
};

const readLink = (bytes: Uint8Array): JsonObject => {
  let trace_id = "";
  let span_id = "";
  const attributes: Array<[string, JsonValue]> = [];
  forEachField(bytes, (field, wire) => {
    if (field === 1) trace_id = hex(bytesOf(wire));
    else if (field === 2) span_id = hex(bytesOf(wire));
    else if (field === 4) attributes.push(readKeyValue(bytesOf(wire)));
  });
  return { trace_id, span_id, attributes: Object.fromEntries(attributes) };
};

type Around = Pick<Span, "resource" | "scope">;

const readSpan = (bytes: Uint8Array, around: Around): Span => {
  const span = {
    trace_id: "",
    span_id: "",
    parent_span_id: null as string | null,
    trace_state: "",
    name: "",
    kind: 0,
    start: 0n,
    end: 0n,
    dropped_attributes_count: 0,
    dropped_events_count: 0,
    dropped_links_count: 0,
    status_code: 0,
    status_message: "",
  };
  const attributes: Array<[string, JsonValue]> = [];
  const events: Array<JsonObject> = [];
  const links: Array<JsonObject> = [];
  forEachField(bytes, (field, wire) => {
    if (field === 1) span.trace_id = hex(bytesOf(wire));
    else if (field === 2) span.span_id = hex(bytesOf(wire));
    else if (field === 3) span.trace_state = textOf(wire);
    else if (field === 4) span.parent_span_id = hex(bytesOf(wire));
    else if (field === 5) span.name = textOf(wire);
    else if (field === 6) span.kind = Number(numberOf(wire));
    else if (field === 7) span.start = numberOf(wire);
    else if (field === 8) span.end = numberOf(wire);
    else if (field === 9) attributes.push(readKeyValue(bytesOf(wire)));
    else if (field === 10) span.dropped_attributes_count = Number(numberOf(wire));
    else if (field === 11) events.push(readEvent(bytesOf(wire)));
    else if (field === 12) span.dropped_events_count = Number(numberOf(wire));
    else if (field === 13) links.push(readLink(bytesOf(wire)));
    else if (field === 14) span.dropped_links_count = Number(numberOf(wire));
    else if (field === 15)
      forEachField(bytesOf(wire), (inner, value) => {
        if (inner === 2) span.status_message = textOf(value);
        else if (inner === 3) span.status_code = Number(numberOf(value));
      });
  });
  const parent = span.parent_span_id ?? "";
  return {
    ...span,
    ...around,
    trace_id: idOf(span.trace_id, 32, "a trace id"),
    span_id: idOf(span.span_id, 16, "a span id"),
    parent_span_id: parent === "" ? null : idOf(parent, 16, "a parent's span id"),
    attributes: Object.fromEntries(attributes),
    events,
    links,
  };
};

/** All spans of a request. Throws `SpansUnreadable`. */
export const spansFromProtobuf = (request: Uint8Array): ReadonlyArray<Span> => {
  const spans: Array<Span> = [];
  forEachField(request, (field, resourceSpans) => {
    if (field !== 1) return;
    const resource: Array<[string, JsonValue]> = [];
    const scopes: Array<Uint8Array> = [];
    forEachField(bytesOf(resourceSpans), (inner, wire) => {
      if (inner === 1)
        forEachField(bytesOf(wire), (of, attribute) => {
          if (of === 1) resource.push(readKeyValue(bytesOf(attribute)));
        });
      else if (inner === 2) scopes.push(bytesOf(wire));
    });
    for (const scopeSpans of scopes) {
      const scope = { name: "", version: "" };
      const texts: Array<Uint8Array> = [];
      forEachField(scopeSpans, (inner, wire) => {
        if (inner === 1)
          forEachField(bytesOf(wire), (of, value) => {
            if (of === 1) scope.name = textOf(value);
            else if (of === 2) scope.version = textOf(value);
          });
        else if (inner === 2) texts.push(bytesOf(wire));
      });
      const around = { resource: Object.fromEntries(resource), scope };
      for (const text of texts) spans.push(readSpan(text, around));
    }
  });
  return spans;
};
