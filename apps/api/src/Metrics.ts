/** The metrics route: what a Prometheus server reads of the service. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";

/** `GET /metrics`. Numbers of all tenants together, and of no tenant's own. */
export const MetricsGroup = HttpApiGroup.make("metrics")
  .add(
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain" })),
      error: problems,
    }).annotate(
      OpenApi.Summary,
      "Requests by route and status, and what is under way, in Prometheus' text format",
    ),
  )
  .middleware(Authorization);
