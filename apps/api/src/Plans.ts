/** The route that executes plans. */
import { Plan } from "@runproof/schemas/Plan";
import { Identifier, RecordText } from "@runproof/schemas/Text";
import * as Context from "effect/Context";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization, RequiredScope } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const { optionalKey } = Schema;

/**
 * Whether the service executes plans. Their calls go out from the service's own network, where a tenant's key may reach what
 * the tenant can't: so it does only where its operator says so.
 */
export const ExecutesPlans = Context.Reference<boolean>("@runproof/api/ExecutesPlans", {
  defaultValue: () => false,
});

/** A plan to execute. */
export const ExecutePlan = Schema.Struct({
  plan: Plan,
  run_id: optionalKey(Identifier),
  correlation_id: optionalKey(Identifier),
  agent_id: optionalKey(RecordText),
  origin_system_id: optionalKey(RecordText),
  goal: optionalKey(RecordText),
  is_synthetic: optionalKey(Schema.Boolean),
  synthetic_scenario_id: optionalKey(RecordText),
  capture: optionalKey(Schema.Literals(["gated", "inline"])),
  lease_ms: optionalKey(Schema.Int),
}).annotate({ identifier: "ExecutePlan" });

/** How a recorded run is replayed. */
export const ReplayRun = Schema.Struct({
  /** Records the replay as a run of its own. */
  record: optionalKey(Schema.Struct({ run_id: optionalKey(Identifier) })),
}).annotate({ identifier: "ReplayRun" });

/** A run that a plan's execution came to. */
export const ExecutedRun = Schema.Struct({
  tenant_id: Schema.String,
  run_id: Schema.String,
  trace_id: Schema.String,
  status: Schema.Literals(["completed", "failed", "aborted"]),
  reason: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  root_hash: Schema.String,
  step_count: Schema.Int,
  started_at: Schema.String,
  completed_at: Schema.String,
}).annotate({ identifier: "ExecutedRun" });

/** `POST /v1/runs/execute`. */
export const PlansGroup = HttpApiGroup.make("plans")
  .add(
    HttpApiEndpoint.post("execute", "/v1/runs/execute", {
      headers: { "idempotency-key": optionalKey(Identifier) },
      payload: ExecutePlan,
      success: ExecutedRun.pipe(HttpApiSchema.status(201)),
      error: problems,
    }).annotate(
      OpenApi.Summary,
      "Execute a plan to its seal. A connection that is cut seals the run ABORTED",
    ),
    // It acts, and its answer tells what was recorded: neither scope alone is enough.
    HttpApiEndpoint.post("replay", "/v1/runs/:run_id/replay", {
      params: { run_id: Identifier },
      payload: ReplayRun,
      success: Schema.Json,
      error: problems,
    })
      .annotate(RequiredScope, "admin")
      .annotate(
        OpenApi.Summary,
        "Execute a recorded plan again, and compare the steps that it says to check. Nothing is written unless record is given",
      ),
  )
  .middleware(Authorization);
