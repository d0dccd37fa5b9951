/**
 * The log as C2SP tlog-tiles publishes it, under `/log`. Nobody needs a key: witnesses and monitors are strangers, and entries
 * hold digests only, so that tiles show how much the service did and nothing of what any tenant did.
 */
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as HttpRouter from "effect/http/HttpRouter";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Schema from "effect/Schema";
import { answered, problems } from "./Problem.ts";

/** `GET /log/checkpoint`. */
export const PublishedLogGroup = HttpApiGroup.make("publishedLog").add(
  HttpApiEndpoint.get("publishedCheckpoint", "/log/checkpoint", {
    success: Schema.String.pipe(HttpApiSchema.asText()),
    error: problems,
  }).annotate(
    OpenApi.Summary,
    "The latest signed checkpoint, for anyone; its tiles are at /log/tile/…, as C2SP tlog-tiles names them",
  ),
);

/** Where tiles are; what follows is their path of C2SP tlog-tiles, without `tile/`. */
const TILES = "/log/tile/";

/** A tile never changes: the log only grows. */
const FOR_EVER = "public, max-age=31536000, immutable";

/** `GET /log/tile/…`: paths of more than one depth, which an OpenAPI document can't say. */
export const tiles = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const log = yield* LogCoordinator;
    const tile = Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest;
      const path = `tile/${url.slice(TILES.length)}`;
      const bytes = yield* log.publishedFile(path);
      return HttpServerResponse.uint8Array(bytes, {
        contentType: "application/octet-stream",
        headers: { "cache-control": FOR_EVER },
      });
    });
    yield* router.add("GET", `${TILES}*`, answered(tile));
  }),
);
