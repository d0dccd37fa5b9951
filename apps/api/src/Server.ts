/** The HTTP service: its routes on a port. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import * as Config from "effect/Config";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware";
import * as HttpRouter from "effect/http/HttpRouter";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import { createServer } from "node:http";
import { Api } from "./Api.ts";
import { HealthHandlers } from "./HealthHandlers.ts";

/** The port where `RUNPROOF_API_PORT` names none. */
export const DEFAULT_PORT = 8787;

/** Only this machine reaches the service where `RUNPROOF_API_HOST` names no other address. */
export const DEFAULT_HOST = "127.0.0.1";

/** A port to listen on; 0 takes a free one, which the log names. */
const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }));

/** Where the service listens. */
export const listen = Config.all({
  port: Config.schema(Port, "RUNPROOF_API_PORT").pipe(Config.withDefault(DEFAULT_PORT)),
  host: Config.String("RUNPROOF_API_HOST").pipe(Config.withDefault(DEFAULT_HOST)),
});

const noSuchRoute = HttpRouter.add(
  "*",
  "/*",
  Effect.succeed(
    HttpServerResponse.jsonUnsafe(
      {
        type: "about:blank",
        title: "Not Found",
        status: 404,
        detail: "No such route: /openapi.json lists what there is.",
      },
      { status: 404, contentType: "application/problem+json" },
    ),
  ),
);

/** Every route, with the OpenAPI document at `/openapi.json`. */
export const routes = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(HealthHandlers),
  Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
  Layer.merge(noSuchRoute),
);

/** The routes served where `listen` says. Closing it lets the requests that are under way finish. */
export const layer = HttpRouter.serve(routes).pipe(
  Layer.provideMerge(NodeHttpServer.layerConfig(createServer, listen)),
);
