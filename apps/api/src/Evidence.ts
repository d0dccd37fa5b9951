/** The routes of what is known of runs beside their steps: what came of them, what people said, how two differ. */
import { Identifier, RecordText } from "@runproof/schemas/Text";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";
import { runFilter } from "./Runs.ts";

const { optionalKey } = Schema;
const params = { run_id: Identifier };
const error = problems;
const Flag = Schema.Literals(["true", "false"]);

/** Something to say of a run. Who says it is the key that it is said with. */
export const Signal = Schema.Union([
  Schema.Struct({ signal: Schema.Literal("acknowledge"), reason: RecordText }),
  Schema.Struct({ signal: Schema.Literal("suppress"), reason: RecordText, until: RecordText }),
  Schema.Struct({ signal: Schema.Literal("escalate"), reason: RecordText, to: RecordText }),
]).annotate({ identifier: "Signal" });

/** Routes beside a run's own. */
export const EvidenceGroup = HttpApiGroup.make("evidence")
  .add(
    HttpApiEndpoint.get("evidence", "/v1/runs/:run_id/evidence", {
      params,
      success: Schema.Json,
      error,
    }).annotate(
      OpenApi.Summary,
      "What came of a run: incidents, policies, limits that were hit, decisions",
    ),
    HttpApiEndpoint.get("signals", "/v1/runs/:run_id/signals", {
      params,
      success: Schema.Json,
      error,
    }).annotate(
      OpenApi.Summary,
      "What was said of a run that needs attention; null where nothing was",
    ),
    HttpApiEndpoint.post("signal", "/v1/runs/:run_id/signals", {
      params,
      payload: Signal,
      success: Schema.Json.pipe(HttpApiSchema.status(201)),
      error,
    }).annotate(
      OpenApi.Summary,
      "Acknowledge a run, keep it quiet until a time, or say who was called",
    ),
    HttpApiEndpoint.get("diff", "/v1/runs/:run_id/diff/:other_run_id", {
      params: { ...params, other_run_id: Identifier },
      query: { outcomes: optionalKey(Flag), costs: optionalKey(Flag), times: optionalKey(Flag) },
      success: Schema.Json,
      error,
    }).annotate(
      OpenApi.Summary,
      "Whether two runs agree on everything deterministic, and where not",
    ),
    HttpApiEndpoint.get("export", "/v1/evidence-export", {
      query: runFilter,
      success: Schema.Uint8Array.pipe(
        HttpApiSchema.asUint8Array({ contentType: "application/zip" }),
      ),
      error,
    }).annotate(
      OpenApi.Summary,
      "Evidence for auditors, as ZIP: a CSV of runs with the verdict on each, and a manifest with hashes",
    ),
  )
  .middleware(Authorization);
