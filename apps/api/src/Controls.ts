/** The routes of what a tenant's runs may do, and of what becomes of their evidence. */
import { Policy } from "@runproof/schemas/Policy";
import { Amount, Count, Identifier, RecordText } from "@runproof/schemas/Text";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization, RequiredScope } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const { optionalKey, NullOr } = Schema;
const error = problems;
const reason = RecordText.check(Schema.isMinLength(1));

/** What is to be erased: of one run, or whatever holds a text. */
export const Erasure = Schema.Struct({
  run_id: optionalKey(Identifier),
  matching: optionalKey(RecordText.check(Schema.isMinLength(1))),
  step_index: optionalKey(Count),
  fields: optionalKey(
    Schema.Array(
      Schema.Literals(["params", "outcome_data", "plan", "goal", "metadata", "attributes"]),
    ),
  ),
  reason,
  /** Only says what would go. */
  dry_run: optionalKey(Schema.Boolean),
}).annotate({ identifier: "Erasure" });

const LimitKind = Schema.Literals([
  "steps_per_run",
  "cost_cents_per_run",
  "duration_ms_per_run",
  "retries_per_run",
  "runs_per_minute",
  "concurrent_runs",
]);

/** Routes that look need the scope `read`; those that change something need `admin`. */
export const ControlsGroup = HttpApiGroup.make("controls")
  .add(
    HttpApiEndpoint.get("policies", "/v1/policies", {
      success: Schema.Json,
      error,
    }).annotate(OpenApi.Summary, "All versions of the tenant's policy, the newest first"),
    HttpApiEndpoint.post("setPolicy", "/v1/policies", {
      payload: Schema.Struct({ policy: Policy, reason }),
      success: Schema.Struct({ version: Schema.Int }).pipe(HttpApiSchema.status(201)),
      error,
    })
      .annotate(
        OpenApi.Summary,
        "Put a policy in force for the runs that begin from now on (admin)",
      )
      .annotate(RequiredScope, "admin"),
    HttpApiEndpoint.get("limits", "/v1/limits", { success: Schema.Json, error }).annotate(
      OpenApi.Summary,
      "The limits of the tenant's runs",
    ),
    HttpApiEndpoint.post("setLimit", "/v1/limits", {
      payload: Schema.Struct({ kind: LimitKind, value: NullOr(Amount), reason }),
      success: Schema.Json,
      error,
    })
      .annotate(OpenApi.Summary, "Set a limit, or take it away (admin)")
      .annotate(RequiredScope, "admin"),
    HttpApiEndpoint.get("holds", "/v1/holds", { success: Schema.Json, error }).annotate(
      OpenApi.Summary,
      "Holds of the tenant's evidence, those that were lifted too",
    ),
    HttpApiEndpoint.post("setHold", "/v1/holds", {
      payload: Schema.Struct({ run_id: NullOr(Identifier), reason }),
      success: Schema.Struct({ hold_id: Schema.Int }).pipe(HttpApiSchema.status(201)),
      error,
    })
      .annotate(OpenApi.Summary, "Hold a run, or all of the tenant's: nothing of it goes (admin)")
      .annotate(RequiredScope, "admin"),
    HttpApiEndpoint.post("liftHold", "/v1/holds/:hold_id/lift", {
      params: { hold_id: Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)) },
      payload: Schema.Struct({ reason }),
      success: Schema.Json,
      error,
    })
      .annotate(OpenApi.Summary, "Lift a hold (admin)")
      .annotate(RequiredScope, "admin"),
    HttpApiEndpoint.post("erase", "/v1/erasures", {
      payload: Erasure,
      success: Schema.Struct({
        erased: Schema.Boolean,
        payloads: Schema.Array(Schema.Struct({ run_id: Schema.String, payload: Schema.String })),
      }),
      error,
    })
      .annotate(OpenApi.Summary, "Erase payloads of sealed runs for good (admin)")
      .annotate(RequiredScope, "admin"),
  )
  .middleware(Authorization);
