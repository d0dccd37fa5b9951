/** The routes that tell what happens as it does: server-sent events. */
import { Identifier } from "@runproof/schemas/Text";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const { optionalKey } = Schema;
const success = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" }));
const error = problems;

/** Which event came last: as a browser says it that reconnects, or as the first request may. */
const place = {
  headers: { "last-event-id": optionalKey(Schema.String) },
  query: { last_event_id: optionalKey(Schema.String) },
};

/** `GET /v1/events` and `GET /v1/runs/:run_id/events`. */
export const EventsGroup = HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("runEvents", "/v1/runs/:run_id/events", {
      params: { run_id: Identifier },
      ...place,
      success,
      error,
    }).annotate(
      OpenApi.Summary,
      "A run's steps as they come, and its seal; from its first step, or after Last-Event-ID",
    ),
    HttpApiEndpoint.get("events", "/v1/events", { ...place, success, error }).annotate(
      OpenApi.Summary,
      "What the log says of the tenant's runs: from now on, or after Last-Event-ID (-1: from its beginning)",
    ),
  )
  .middleware(Authorization);
