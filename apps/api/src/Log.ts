/** The routes of the signed log. */
import { Identifier } from "@runproof/schemas/Text";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const Size = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0));
const error = problems;

/** A proof from the log, with the whole of it as text in C2SP's form. */
const Proof = Schema.Json;

/** Routes under /v1/log. A proof names a run of the caller's tenant; checkpoints and consistency say nothing of any run. */
export const LogGroup = HttpApiGroup.make("log")
  .add(
    HttpApiEndpoint.get("checkpoint", "/v1/log/checkpoint", {
      success: Schema.String.pipe(HttpApiSchema.asText()),
      error,
    }).annotate(OpenApi.Summary, "The latest signed checkpoint: C2SP tlog-checkpoint"),
    HttpApiEndpoint.get("inclusion", "/v1/log/inclusion", {
      query: {
        run_id: Identifier,
        entry: Schema.optionalKey(Schema.Literals(["opened", "sealed"])),
      },
      success: Proof,
      error,
    }).annotate(OpenApi.Summary, "That the log holds a run's entry"),
    HttpApiEndpoint.get("consistency", "/v1/log/consistency", {
      query: { from: Size, to: Schema.optionalKey(Size) },
      success: Proof,
      error,
    }).annotate(OpenApi.Summary, "That one tree of the log extends another"),
  )
  .middleware(Authorization);
