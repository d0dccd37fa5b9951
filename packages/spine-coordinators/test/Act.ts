/** A skill that does what a test says, as a user's own skill would. */
import { paramsDecoder, type Skill, type SkillOutcome } from "@runproof/drivers/Skill";
import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";

const acts = new Map<string, Effect.Effect<SkillOutcome>>();

const Params = Schema.Struct({
  act: Schema.String,
  safe_to_repeat: Schema.optionalKey(Schema.Boolean),
});
const decode = paramsDecoder(Params, "Name an act.");

/** The skill `act`. */
export const actSkill: Skill = {
  id: "act",
  name: "Act",
  redaction: null,
  prepare: (params, where) =>
    Effect.map(decode(params, where), ({ act, safe_to_repeat = true }) => ({
      recorded_params: params,
      safe_to_repeat,
      attempt: Effect.suspend(
        () => acts.get(act) ?? Effect.die(new Error(`the test defines no act ${act}`)),
      ),
    })),
};

/** Defines what an act does and answers its params for a plan. */
export const act = (
  attempt: Effect.Effect<SkillOutcome>,
  options: { safe_to_repeat?: boolean } = {},
) => {
  const name = crypto.randomUUID();
  acts.set(name, attempt);
  return { act: name, ...options };
};

/** A success that is recorded with `outcome_data`. */
export const success = (outcome_data: Schema.Json = null): SkillOutcome => ({
  status: "success",
  outcome_category: "SUCCESS",
  outcome_code: null,
  outcome_data,
  safe_to_repeat: true,
  retry_after_ms: null,
});

/** A failure of a category. */
export const failure = (
  outcome_category: "TRANSIENT" | "PERMANENT",
  more: Partial<SkillOutcome> = {},
): SkillOutcome => ({
  status: "failure",
  outcome_category,
  outcome_code: "BROKEN",
  outcome_data: null,
  safe_to_repeat: true,
  retry_after_ms: null,
  ...more,
});
