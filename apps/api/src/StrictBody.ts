/** Refuses bodies that are no exact JSON before a lenient reader sees them: evidence must not depend on who read it. */
import { parseJson } from "@runproof/proof/JsonText";
import { Refusal } from "@runproof/proof/Refusal";
import * as ByteSize from "effect/ByteSize";
import * as Effect from "effect/Effect";
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage";
import * as HttpRouter from "effect/http/HttpRouter";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import type * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Problem from "./Problem.ts";

/** Bytes of a JSON body: what the largest step may hold, with room for some beside it. */
export const BODY_BYTES_MAX = 8 * 1024 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Agents send what a tool answered, numbers that no double holds among it: that must not keep a call from its record. */
const HOOKS = /^\/v1\/hooks\//u;

const refusal = (
  bytes: ArrayBuffer,
  keeps_inexact: boolean,
): HttpServerResponse.HttpServerResponse | null => {
  try {
    const text = decoder.decode(bytes);
    if (text !== "") parseJson(text, { keeps_inexact });
    return null;
  } catch (error) {
    if (error instanceof TypeError) return Problem.own("not-json", "$: it is no UTF-8");
    if (!(error instanceof Refusal)) throw error;
    return Problem.own("not-json", `${error.path}: ${error.what}`);
  }
};

/** Routes of OTLP read their own bodies: more than one type, and compressed. */
const OTLP = /^\/v1\/(?:traces|logs|metrics)(?:$|\?)/u;

const takesJson = ({ method, url }: HttpServerRequest.HttpServerRequest): boolean =>
  method === "POST" && url.startsWith("/v1/") && !OTLP.test(url);

const isJson = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  /^application\/json(?:$|;)/u.test(headers["content-type"] ?? "application/json");

/** Reads each JSON body once, strictly; what passes is read again by the routes, to the same value. */
export const layer = HttpRouter.middleware(
  (httpEffect) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      if (!takesJson(request)) return yield* httpEffect;
      if (!isJson(request))
        return Problem.own("not-this-type", "Send application/json, not compressed.");
      const told = Number(request.headers["content-length"] ?? 0);
      if (told > BODY_BYTES_MAX)
        return Problem.own("too-large", `A body has at most ${BODY_BYTES_MAX} bytes.`);
      const bytes = yield* Effect.orElseSucceed(request.arrayBuffer, () => null);
      if (bytes === null)
        return Problem.own(
          "too-large",
          `The body could not be read: it was cut off, or has more than ${BODY_BYTES_MAX} bytes.`,
        );
      return refusal(bytes, HOOKS.test(request.url)) ?? (yield* httpEffect);
    }).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(BODY_BYTES_MAX))),
  { global: true },
);
