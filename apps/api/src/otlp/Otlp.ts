/** The routes of OTLP over HTTP. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "../Authorization.ts";

const answers = { success: Schema.Json };

/** `POST /v1/traces`; the other two signals get a clear answer. */
export const OtlpGroup = HttpApiGroup.make("otlp")
  .add(
    HttpApiEndpoint.post("traces", "/v1/traces", answers).annotate(
      OpenApi.Summary,
      "Send spans: ExportTraceServiceRequest as JSON or protobuf, gzip or not",
    ),
    HttpApiEndpoint.post("logs", "/v1/logs", answers).annotate(
      OpenApi.Summary,
      "Not taken: 501 says so",
    ),
    HttpApiEndpoint.post("metrics", "/v1/metrics", answers).annotate(
      OpenApi.Summary,
      "Not taken: 501 says so",
    ),
  )
  .middleware(Authorization);
