/** The health routes: whether the process answers, and whether it can do its work. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiError from "effect/http-api/HttpApiError";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";

/** One check of what the service needs. What it found is in the service's log: anyone may ask for this. */
export const Check = Schema.Struct({
  name: Schema.String,
  status: Schema.Literals(["ok", "warn", "fail"]),
}).annotate({ identifier: "Check" });

/** The service can't do its work now: `detail` names what fails. No host, login or remedy is in it. */
export class NotReady extends HttpApiError.Problem<NotReady>()(
  "NotReady",
  {
    type: "urn:runproof:problem:not-ready",
    status: 503,
    title: "The service is not ready",
  },
  { checks: Schema.Array(Check) },
) {}

const live = HttpApiEndpoint.get("live", "/health/live", {
  success: Schema.Struct({ status: Schema.Literal("live") }),
}).annotate(OpenApi.Summary, "Whether the process answers");

const ready = HttpApiEndpoint.get("ready", "/health/ready", {
  success: Schema.Struct({ status: Schema.Literal("ready"), checks: Schema.Array(Check) }),
  error: NotReady,
}).annotate(OpenApi.Summary, "Whether the database answers and its schema is as it must be");

/** `GET /health/live` and `GET /health/ready`. */
export const HealthGroup = HttpApiGroup.make("health").add(live, ready);
