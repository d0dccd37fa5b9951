/** What OTLP's routes answer, in the encoding of the request. */
import * as HttpServerResponse from "effect/http/HttpServerResponse";

/** The two encodings. */
export type Encoding = "application/json" | "application/x-protobuf";

/** Codes of `google.rpc.Status`. */
export const Code = {
  INVALID: 3,
  EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
};

/** A message's number and text, as fields 1 and 2. */
const numberAndText = (number: number, text: string): Buffer => {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([
    Buffer.from(number === 0 ? [] : [0x08, ...varint(number)]),
    Buffer.from(bytes.length === 0 ? [] : [0x12, ...varint(bytes.length)]),
    bytes,
  ]);
};

/** All was taken, or all but some. */
export const taken = (encoding: Encoding, rejected: number, message: string) => {
  if (encoding === "application/json") {
    return HttpServerResponse.jsonUnsafe(
      rejected === 0
        ? {}
        : { partialSuccess: { rejectedSpans: String(rejected), errorMessage: message } },
    );
  }
  const partial = numberAndText(rejected, message);
  const body =
    rejected === 0
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from([0x0a, ...varint(partial.length)]), partial]);
  return HttpServerResponse.uint8Array(body, { contentType: encoding });
};

/** Nothing was taken: a `google.rpc.Status` says why. */
export const refused = (
  encoding: Encoding,
  status: number,
  code: number,
  message: string,
): HttpServerResponse.HttpServerResponse => {
  const headers = [429, 502, 503, 504].includes(status) ? { "retry-after": "1" } : {};
  return encoding === "application/json"
    ? HttpServerResponse.jsonUnsafe({ code, message }, { status, headers })
    : HttpServerResponse.uint8Array(numberAndText(code, message), {
        status,
        headers,
        contentType: encoding,
      });
};
