/** Answers that say how long they may be kept. */
import * as Effect from "effect/Effect";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as HttpServerResponse from "effect/http/HttpServerResponse";

/** JSON that is never kept: a verdict is of the moment that it is given. */
export const freshJson = (text: string, status = 200) =>
  HttpServerResponse.text(text, {
    status,
    contentType: "application/json",
    headers: { "cache-control": "no-store" },
  });

/** JSON, to be kept by its reader alone; of a sealed run for ever, under a tag that its root gives. */
export const sealedJson = Effect.fnUntraced(function* (
  text: string,
  root_hash: string | null,
  of: string,
) {
  if (root_hash === null) return freshJson(text);
  const etag = `"${root_hash}-${of}"`;
  const headers = { etag, "cache-control": "private, immutable, max-age=31536000" };
  const request = yield* HttpServerRequest.HttpServerRequest;
  const known = (request.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim());
  return known.includes(etag)
    ? HttpServerResponse.empty({ status: 304, headers })
    : HttpServerResponse.text(text, { contentType: "application/json", headers });
});
