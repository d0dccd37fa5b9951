/** The routes of runs: recording them, looking at them, proving them. */
import { Amount, Count, Identifier, RecordText, SafeInteger } from "@runproof/schemas/Text";
import { ReplayBehavior } from "@runproof/schemas/StepRecord";
import { Timestamp } from "@runproof/schemas/Timestamp";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const { optionalKey, NullOr } = Schema;

/** A run to start. */
export const StartRun = Schema.Struct({
  run_id: optionalKey(Identifier),
  correlation_id: optionalKey(Identifier),
  agent_id: optionalKey(NullOr(RecordText)),
  origin_system_id: optionalKey(NullOr(RecordText)),
  incident_id: optionalKey(NullOr(RecordText)),
  replay_of: optionalKey(NullOr(RecordText)),
  started_at: optionalKey(Timestamp),
  plan: optionalKey(Schema.Json),
  attributes: optionalKey(Schema.Json),
  seed: optionalKey(NullOr(SafeInteger)),
  is_synthetic: optionalKey(Schema.Boolean),
  synthetic_scenario_id: optionalKey(NullOr(RecordText)),
  capture: optionalKey(Schema.Literals(["gated", "inline", "observed"])),
  lease_ms: optionalKey(Schema.Int),
}).annotate({ identifier: "StartRun" });

/** What any step says. */
const said = {
  skill_id: RecordText,
  skill_name: optionalKey(RecordText),
  params: optionalKey(Schema.Json),
  attributes: optionalKey(Schema.Json),
  parent_step_index: optionalKey(NullOr(Count)),
  started_at: optionalKey(NullOr(Timestamp)),
  retry_count: optionalKey(Count),
  replay_behavior: optionalKey(ReplayBehavior),
  idempotency_key: optionalKey(NullOr(RecordText)),
};

/** What is about to be done. */
export const Intent = Schema.Struct(said).annotate({ identifier: "Intent" });

/** A step that was done; in a gated run it answers an intent. */
export const Step = Schema.Struct({
  ...said,
  status: Schema.Literals(["success", "failure", "retry", "skipped"]),
  intent_index: optionalKey(NullOr(Count)),
  outcome_data: optionalKey(Schema.Json),
  outcome_category: optionalKey(RecordText),
  outcome_code: optionalKey(NullOr(RecordText)),
  cost_cents: optionalKey(NullOr(Amount)),
  duration_ms: optionalKey(NullOr(Amount)),
}).annotate({ identifier: "Step" });

/** Where a run stands. */
export const RunHead = Schema.Struct({
  tenant_id: Schema.String,
  run_id: Schema.String,
  trace_id: Schema.String,
  next_index: Schema.Int,
  link: Schema.String,
}).annotate({ identifier: "RunHead" });

/** Steps that are durable. */
export const StepsRecorded = Schema.Struct({
  ...RunHead.fields,
  first_index: Schema.Int,
}).annotate({ identifier: "StepsRecorded" });

/** The seal of a run that ended. */
export const Sealed = Schema.Struct({
  trace_id: Schema.String,
  seal_record: Schema.String,
  step_count: Schema.Int,
  chain_head: Schema.String,
  merkle_root: Schema.String,
  root_hash: Schema.String,
}).annotate({ identifier: "Sealed" });

/** What a listing of runs may be narrowed to. */
export const runFilter = {
  run_id: optionalKey(Identifier),
  status: optionalKey(Schema.Literals(["running", "completed", "failed", "aborted"])),
  agent_id: optionalKey(Schema.String),
  started_from: optionalKey(Schema.String),
  started_before: optionalKey(Schema.String),
  skill_id: optionalKey(Schema.String),
  text: optionalKey(Schema.String),
  synthetic: optionalKey(Schema.Literals(["only", "none"])),
  scenario: optionalKey(Schema.String),
};

const params = { run_id: Identifier };
const stepParams = {
  run_id: Identifier,
  step_index: Schema.FiniteFromString.check(Schema.isInt()),
};
const error = problems;
const Whole = Schema.FiniteFromString.check(Schema.isInt());
const Flag = Schema.Literals(["true", "false"]);

/** Routes under /v1/runs. */
export const RunsGroup = HttpApiGroup.make("runs")
  .add(
    HttpApiEndpoint.post("start", "/v1/runs", {
      headers: { "idempotency-key": optionalKey(Identifier) },
      payload: StartRun,
      success: RunHead.pipe(HttpApiSchema.status(201)),
      error,
    }).annotate(
      OpenApi.Summary,
      "Start a run. With Idempotency-Key, the same request again is answered with the same run",
    ),
    HttpApiEndpoint.get("list", "/v1/runs", {
      query: {
        ...runFilter,
        limit: optionalKey(Whole),
        cursor: optionalKey(Schema.String),
      },
      success: Schema.Struct({
        traces: Schema.Array(Schema.Json),
        next_cursor: NullOr(Schema.String),
      }),
      error,
    }).annotate(OpenApi.Summary, "List runs, newest first"),
    HttpApiEndpoint.get("get", "/v1/runs/:run_id", {
      params,
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "A run as it is stored: no verdict"),
    HttpApiEndpoint.post("intend", "/v1/runs/:run_id/intents", {
      params,
      payload: Schema.Struct({ intent: Intent, first_index: optionalKey(Count) }),
      success: StepsRecorded.pipe(HttpApiSchema.status(201)),
      error,
    }).annotate(OpenApi.Summary, "Say what is about to be done: durable before the answer"),
    HttpApiEndpoint.post("append", "/v1/runs/:run_id/steps", {
      params,
      payload: Schema.Struct({ steps: Schema.Array(Step), first_index: optionalKey(Count) }),
      success: StepsRecorded.pipe(HttpApiSchema.status(201)),
      error,
    }).annotate(
      OpenApi.Summary,
      "Add steps, all or none. With first_index, the same call again is answered as the first time",
    ),
    HttpApiEndpoint.post("renew", "/v1/runs/:run_id/renew", {
      params,
      payload: Schema.Struct({ lease_ms: optionalKey(Schema.Int) }),
      success: RunHead,
      error,
    }).annotate(OpenApi.Summary, "Give a run more time to stay silent"),
    HttpApiEndpoint.post("complete", "/v1/runs/:run_id/complete", {
      params,
      payload: Schema.Struct({
        status: optionalKey(Schema.Literals(["completed", "failed"])),
        reason: optionalKey(NullOr(RecordText)),
        metadata: optionalKey(Schema.Json),
      }),
      success: Sealed,
      error,
    }).annotate(OpenApi.Summary, "Seal a run that ended"),
    HttpApiEndpoint.post("abort", "/v1/runs/:run_id/abort", {
      params,
      payload: Schema.Struct({ reason: RecordText, metadata: optionalKey(Schema.Json) }),
      success: Sealed,
      error,
    }).annotate(OpenApi.Summary, "Seal a run that was broken off"),
    HttpApiEndpoint.get("steps", "/v1/runs/:run_id/steps", {
      params,
      query: { from: optionalKey(Whole), limit: optionalKey(Whole) },
      success: Schema.Struct({
        steps: Schema.Array(Schema.Json),
        next_from: NullOr(Schema.Int),
        status: Schema.String,
        root_hash: NullOr(Schema.String),
      }),
      error,
    }).annotate(OpenApi.Summary, "A run's steps, a page at a time"),
    HttpApiEndpoint.get("payload", "/v1/runs/:run_id/steps/:step_index/payloads/:name", {
      params: {
        ...stepParams,
        name: Schema.Literals(["params", "outcome_data", "attributes"]),
      },
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "One payload: the canonical bytes that were committed to"),
    HttpApiEndpoint.get("proof", "/v1/runs/:run_id/proof", {
      params,
      query: {
        model: optionalKey(Schema.Literals(["HASH_CHAIN", "MERKLE_TREE"])),
        payloads: optionalKey(Flag),
      },
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "The verdict on a run, with the rows it was reached from"),
    HttpApiEndpoint.get("bundle", "/v1/runs/:run_id/bundle", {
      params,
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "A sealed run in one file that verifies offline"),
    HttpApiEndpoint.get("stepBundle", "/v1/runs/:run_id/steps/:step_index/bundle", {
      params: stepParams,
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "One step in one file that verifies offline"),
  )
  .middleware(Authorization);
