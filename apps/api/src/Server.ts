/** The HTTP service: its routes on a port. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";

import { IdentityCoordinator } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { SchemaCoordinator } from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware";
import * as HttpApiScalar from "effect/http-api/HttpApiScalar";
import * as HttpRouter from "effect/http/HttpRouter";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as Layer from "effect/Layer";
import { createServer } from "node:http";
import { Api } from "./Api.ts";
import * as AuthorizationLayer from "./AuthorizationLayer.ts";
import { OPEN_TENANT } from "./AuthorizationLayer.ts";
import { ControlsHandlers } from "./ControlsHandlers.ts";
import { EventHandlers } from "./EventHandlers.ts";
import { EvidenceHandlers } from "./EvidenceHandlers.ts";
import { HealthHandlers } from "./HealthHandlers.ts";
import { HookHandlers } from "./HookHandlers.ts";
import { LogHandlers, PublishedLogHandlers } from "./LogHandlers.ts";
import { isLoopback } from "./Loopback.ts";
import { OtlpHandlers, sealer } from "./otlp/OtlpHandlers.ts";
import * as MetricsHandlers from "./MetricsHandlers.ts";
import { PlanHandlers } from "./PlanHandlers.ts";
import { ExecutesPlans } from "./Plans.ts";
import * as PublishedLog from "./PublishedLog.ts";
import { own } from "./Problem.ts";
import { RunHandlers } from "./RunHandlers.ts";
import * as ServiceConfig from "./ServiceConfig.ts";
import * as StrictBody from "./StrictBody.ts";

/** How long requests under way may go on once the service is told to end: a supervisor kills after some tens of seconds. */
const STOP_WITHIN = Duration.seconds(10);

const noSuchRoute = HttpRouter.add(
  "*",
  "/*",
  Effect.succeed(own("not-found", "/openapi.json lists what there is.")),
);

const isDecodable = (path: string): boolean => {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
};

/** The router answers a path that is no UTF-8 with nothing at all: it is one that there is no route for, and is told so. */
const toldApart = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.updateService(effect, HttpServerRequest.HttpServerRequest, (request) =>
    isDecodable(request.url.split("?", 1)[0]!) ? request : request.modify({ url: "/not-utf-8" }),
  );

/** Every route, with the OpenAPI document at `/openapi.json` and a page of it at `/docs`. */
export const routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }),
  HttpApiScalar.layer(Api, { path: "/docs" }),
  PublishedLog.tiles,
  noSuchRoute,
  StrictBody.layer,
  MetricsHandlers.layer,
).pipe(
  Layer.provide([
    ControlsHandlers,
    EventHandlers,
    EvidenceHandlers,
    PlanHandlers,
    PublishedLogHandlers,
  ]),
  Layer.provide([
    HealthHandlers,
    HookHandlers,
    LogHandlers,
    MetricsHandlers.MetricsHandlers,
    OtlpHandlers,
    RunHandlers,
  ]),
  Layer.provide(AuthorizationLayer.layer),
  Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
);

/** Without any key, whoever reaches the service may use it: that must be this machine alone. */
const requireKeys = Effect.fnUntraced(function* (host: string) {
  if (yield* (yield* IdentityCoordinator).hasKeys) return;
  if (!isLoopback(host)) {
    return yield* new ConfigurationInvalid({
      setting: "RUNPROOF_API_HOST",
      what: `it is ${host}, and there is no API key: whoever reaches it could write and read`,
      remedy:
        "Make a key first (`runproof tenants create`, `runproof keys api create`), or listen on 127.0.0.1.",
    });
  }
  yield* Effect.logWarning(
    `there is no API key: only programs of this machine are served, as the tenant ${OPEN_TENANT}`,
  );
});

/** The routes served where `config` says, over coordinators that are there. Closing it lets requests under way finish. */
export const layer = ({
  port,
  host,
  quiet_ms,
  executes_plans = false,
}: ServiceConfig.ServiceConfig) =>
  HttpRouter.serve(routes, { middleware: toldApart }).pipe(
    Layer.provide(Layer.succeed(ExecutesPlans, executes_plans)),
    Layer.provideMerge(
      NodeHttpServer.layer(createServer, { port, host, gracefulShutdownTimeout: STOP_WITHIN }),
    ),
    Layer.merge(sealer(quiet_ms)),
    Layer.provide(Layer.effectDiscard(requireKeys(host))),
  );

/** A process that holds the embedded database looks at it through what it has open: nobody else can. */
const openSchema = Layer.effect(
  SchemaCoordinator,
  Effect.map(IdentityCoordinator, ({ hasKeys }) =>
    SchemaCoordinator.of({
      migrate: () => Effect.succeed([]),
      doctor: () =>
        hasKeys.pipe(
          Effect.as([
            { name: "database", status: "ok" as const, detail: "it answers", remedy: null },
          ]),
          Effect.catch(({ message, remedy }) =>
            Effect.succeed([
              { name: "database", status: "fail" as const, detail: message, remedy },
            ]),
          ),
        ),
    }),
  ),
);

/** A service as flags and the environment say: its database is opened, its configuration is checked, and it listens. */
export const fromEnvironment = (
  flags: ServiceConfig.ServiceFlags & RunproofLayer.RunproofSettings = {},
) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const config = yield* ServiceConfig.read(flags);
      const { kind } = yield* RunproofLayer.configFromEnvironment(flags);
      const { holder_secret } = config;
      if (holder_secret === undefined && kind === "server") {
        yield* Effect.logWarning(
          "RUNPROOF_SERVICE_SECRET is not set: no other process, and not this one started anew, can go on with an open run",
        );
      }
      const schema = kind === "server" ? RunproofLayer.schemaFromEnvironment(flags) : openSchema;
      return layer(config).pipe(
        Layer.provide(schema),
        Layer.provide(RunproofLayer.fromEnvironment({ ...flags, holder_secret })),
      );
    }),
  );
