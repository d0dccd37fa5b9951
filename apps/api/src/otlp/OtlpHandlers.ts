/** Takes spans in, and seals the runs that they end. */
import { IngestCoordinator } from "@runproof/spine-coordinators/ingest/IngestCoordinator";
import * as ByteSize from "effect/ByteSize";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage";
import type * as HttpServerRequest from "effect/http/HttpServerRequest";
import type * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Api } from "../Api.ts";
import { Tenant } from "../Authorization.ts";
import { type Encoding, Code, refused, taken } from "./OtlpAnswer.ts";
import { type Span, SpansUnreadable } from "./Span.ts";
import { spansFromJson } from "./SpansFromJson.ts";
import { spansFromProtobuf } from "./SpansFromProtobuf.ts";
import { receivedSpan } from "./SpanStep.ts";

/** Bytes of a request, and of what it decompresses to: what OTLP recommends. */
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

/** How long a run whose root has ended must be quiet before it is sealed: exporters send every five seconds. */
export const QUIET_MS = 10_000;

/** How often quiet runs are looked for. */
const SEAL_EVERY = Duration.seconds(2);

/** Why spans were rejected, of as many as an answer has room for. */
const REASONS_MAX = 5;

type Request = HttpServerRequest.HttpServerRequest;
type Response = HttpServerResponse.HttpServerResponse;

const encodingOf = ({ headers }: Request): Encoding | null => {
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  return type === "application/json" || type === "application/x-protobuf" ? type : null;
};

const unzip = promisify(gunzip);
const utf8 = new TextDecoder("utf-8", { fatal: true });

const tooLarge = (encoding: Encoding) =>
  refused(
    encoding,
    413,
    Code.INVALID,
    `A request has at most ${REQUEST_BYTES_MAX} bytes, decompressed too.`,
  );

/** The request's bytes, decompressed; or the answer to one that has none. */
const bytesOf = Effect.fnUntraced(function* (
  request: Request,
  encoding: Encoding,
): Effect.fn.Return<Uint8Array | Response> {
  const compressed = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (compressed !== "gzip" && compressed !== "identity")
    return refused(encoding, 415, Code.INVALID, "Send gzip, or nothing compressed.");
  if (Number(request.headers["content-length"] ?? 0) > REQUEST_BYTES_MAX) return tooLarge(encoding);
  const sent = yield* request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(REQUEST_BYTES_MAX)),
    Effect.orElseSucceed(() => null),
  );
  if (sent === null) return tooLarge(encoding);
  if (compressed === "identity") return new Uint8Array(sent);
  return yield* Effect.tryPromise({
    try: () => unzip(new Uint8Array(sent), { maxOutputLength: REQUEST_BYTES_MAX }),
    catch: (error) =>
      (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
        ? tooLarge(encoding)
        : refused(encoding, 400, Code.INVALID, "The body is no gzip."),
  }).pipe(Effect.catch((answer) => Effect.succeed(answer)));
});

const spansOf = (bytes: Uint8Array, encoding: Encoding): ReadonlyArray<Span> | SpansUnreadable => {
  try {
    return encoding === "application/json"
      ? spansFromJson(utf8.decode(bytes))
      : spansFromProtobuf(bytes);
  } catch (error) {
    if (error instanceof SpansUnreadable) return error;
    if (error instanceof TypeError) return new SpansUnreadable("the body is no UTF-8");
    throw error;
  }
};

const NOT_READABLE = "Send application/json or application/x-protobuf.";

const receive = Effect.fnUntraced(function* (request: Request) {
  const encoding = encodingOf(request);
  if (encoding === null) return refused("application/json", 415, Code.INVALID, NOT_READABLE);
  const bytes = yield* bytesOf(request, encoding);
  if (!(bytes instanceof Uint8Array)) return bytes;
  const spans = spansOf(bytes, encoding);
  if (spans instanceof SpansUnreadable) return refused(encoding, 400, Code.INVALID, spans.message);
  const { tenant_id } = yield* Tenant;
  const ingest = yield* IngestCoordinator;
  return yield* ingest.receive(tenant_id, spans.map(receivedSpan)).pipe(
    Effect.map((rejected) => {
      const reasons = rejected
        .slice(0, REASONS_MAX)
        .map(({ span_id, reason }) => `span ${span_id}: ${reason}`);
      return taken(encoding, rejected.length, reasons.join("; "));
    }),
    Effect.catch((error) => {
      if (error._tag === "RunRefused")
        return Effect.succeed(refused(encoding, 429, Code.EXHAUSTED, error.message));
      if (error._tag === "InvalidInput")
        return Effect.succeed(refused(encoding, 400, Code.INVALID, error.message));
      // Whatever else it is, the same spans may be taken when they come again.
      return Effect.as(
        Effect.logError(`spans were not taken: ${error._tag}: ${error.message}`),
        refused(encoding, 503, Code.UNAVAILABLE, "The spans could not be stored now."),
      );
    }),
  );
});

const notTaken = (request: Request) =>
  Effect.succeed(
    refused(
      encodingOf(request) ?? "application/json",
      501,
      Code.UNIMPLEMENTED,
      "Only traces are taken: send spans to /v1/traces.",
    ),
  );

/** The handlers of the otlp group. */
export const OtlpHandlers = HttpApiBuilder.group(Api, "otlp", (handlers) =>
  handlers
    .handleRaw("traces", ({ request }) => receive(request))
    .handleRaw("logs", ({ request }) => notTaken(request))
    .handleRaw("metrics", ({ request }) => notTaken(request)),
);

/** Seals quiet runs for as long as the service lives. */
export const sealer = (quiet_ms: number = QUIET_MS): Layer.Layer<never, never, IngestCoordinator> =>
  Layer.effectDiscard(
    IngestCoordinator.use((ingest) => ingest.sealQuiet(quiet_ms)).pipe(
      Effect.catch((error) => Effect.logWarning(`can't look for quiet runs: ${error.message}`)),
      Effect.schedule(Schedule.spaced(SEAL_EVERY)),
      Effect.forkScoped,
    ),
  );
