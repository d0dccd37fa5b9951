/** Reads a response's body up to a limit and turns it into what is recorded. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import type * as Schema from "effect/Schema";

/** A body as it is recorded: `json` the parsed value, `text` the characters, `base64` the bytes of what is neither. */
export interface RecordedBody {
  readonly body: Schema.Json;
  readonly body_format: "json" | "text" | "base64";
}

/** The body was longer than the limit; reading stopped there. */
export interface BodyTooLarge {
  readonly _tag: "BodyTooLarge";
  readonly bytes_read: number;
}

/** All bytes of a stream, or where it went over the limit. Nothing beyond the chunk that crosses it is read. */
export const readBody = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>,
  bytes_max: number,
): Effect.Effect<Uint8Array | BodyTooLarge, E, R> => {
  const chunks: Array<Uint8Array> = [];
  let bytes_read = 0;
  return stream.pipe(
    Stream.takeUntil((chunk) => {
      bytes_read += chunk.length;
      if (bytes_read <= bytes_max) chunks.push(chunk);
      return bytes_read > bytes_max;
    }),
    Stream.runDrain,
    Effect.map(() =>
      bytes_read > bytes_max
        ? { _tag: "BodyTooLarge" as const, bytes_read }
        : new Uint8Array(Buffer.concat(chunks)),
    ),
  );
};

/** What is recorded of a body. JSON that a strict reading refuses, or could not hold exactly, stays the text it is. */
export const recordedBody = (
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
): RecordedBody => {
  const text = decodeUtf8(bytes);
  if (text === undefined)
    return { body: Buffer.from(bytes).toString("base64"), body_format: "base64" };
  const value = isJson(headers["content-type"] ?? "") ? strictJson(text) : undefined;
  return value === undefined
    ? { body: text, body_format: "text" }
    : { body: value, body_format: "json" };
};

const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

const isJson = (contentType: string): boolean =>
  /^application\/(json|[^\s;]+\+json)\s*(;|$)/iu.test(contentType.trim());

const strictJson = (text: string): Schema.Json | undefined => {
  try {
    const value = parseJson(text);
    canonicalize(value);
    return value;
  } catch {
    return undefined;
  }
};
