/** The HTTP API, apart from how it is served. */
import { parseJson } from "@runproof/proof/JsonText";
import * as HttpApi from "effect/http-api/HttpApi";
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware";
import * as OpenApi from "effect/http-api/OpenApi";
import { readFileSync } from "node:fs";
import { ControlsGroup } from "./Controls.ts";
import { EventsGroup } from "./Events.ts";
import { EvidenceGroup } from "./Evidence.ts";
import { HealthGroup } from "./Health.ts";
import { HooksGroup } from "./Hooks.ts";
import { LogGroup } from "./Log.ts";
import { MetricsGroup } from "./Metrics.ts";
import { OtlpGroup } from "./otlp/Otlp.ts";
import { PlansGroup } from "./Plans.ts";
import { PublishedLogGroup } from "./PublishedLog.ts";
import { RunsGroup } from "./Runs.ts";

/** The version in this package's `package.json`. */
export const version: string = (
  parseJson(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as unknown as {
    readonly version: string;
  }
).version;

/** Every route. A request that does not fit is answered with `application/problem+json`. */
export const Api = HttpApi.make("runproof")
  .add(HealthGroup)
  .add(RunsGroup)
  .add(PlansGroup)
  .add(EvidenceGroup)
  .add(EventsGroup)
  .add(ControlsGroup)
  .add(LogGroup)
  .add(PublishedLogGroup)
  .add(OtlpGroup)
  .add(HooksGroup)
  .add(MetricsGroup)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotate(OpenApi.Title, "runproof")
  .annotate(OpenApi.Version, version)
  .annotate(OpenApi.Description, "Tamper-evident records of what AI agents did.");
