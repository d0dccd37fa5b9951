import { paramsDecoder, type Skill } from "@runproof/drivers/Skill";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";

const decode = paramsDecoder(Schema.Struct({ amount: Schema.Finite }), "convert takes an amount.");

const convert: Skill = {
  id: "convert",
  name: "Convert to euros",
  redaction: null,
  prepare: (params, where) =>
    Effect.map(decode(params, where), ({ amount }) => ({
      recorded_params: { amount },
      safe_to_repeat: true,
      attempt: Effect.succeed({
        status: "success",
        outcome_category: "SUCCESS",
        outcome_code: null,
        outcome_data: { euros: amount * 0.9 },
        safe_to_repeat: true,
        retry_after_ms: null,
      }),
    })),
};

const program = Effect.gen(function* () {
  const runs = yield* RunCoordinator;
  const outcome = yield* runs.execute({
    plan: { steps: [{ skill: "convert", params: { amount: 50 } }] },
    tenant_id: "shop",
    goal: "know the price in euros",
  });
  console.log(outcome.status, `${outcome.step_count} step`);
});

await Effect.runPromise(
  Effect.provide(program, RunproofLayer.fromEnvironment({ skills: [convert] })),
);
