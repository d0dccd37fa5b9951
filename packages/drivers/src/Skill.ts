/** What a step of a plan calls, and how it is found and attempted. */
import { recordInvalidFrom } from "@runproof/proof/RecordInvalid";
import { ConfigurationInvalid, InvalidInput, SkillUnknown } from "@runproof/schemas/RunProofError";
import * as Cause from "effect/Cause";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";

/** What one attempt came to. Failing is an outcome, so that it is recorded like any other. */
export interface SkillOutcome {
  readonly status: "success" | "failure";
  /** `SUCCESS`; `TRANSIENT` where another attempt may succeed; `PERMANENT` where none will. */
  readonly outcome_category: "SUCCESS" | "TRANSIENT" | "PERMANENT";
  /** A short code to search for, such as `HTTP_404`; null where there is nothing to add. */
  readonly outcome_code: string | null;
  /** What is recorded: plain JSON, with every secret already taken out. */
  readonly outcome_data: Schema.Json;
  /** Whether the attempt may be repeated without doing twice what must be done once. Read where it is `TRANSIENT`. */
  readonly safe_to_repeat: boolean;
  /** How long the callee asks to be left alone before the next attempt; null where it does not say. */
  readonly retry_after_ms: number | null;
  readonly cost_cents?: number | undefined;
}

/** One call, its params checked. */
export interface SkillCall {
  /** The params as they are recorded: with every secret taken out. */
  readonly recorded_params: Schema.Json;
  /** Whether an attempt that was cut off may be repeated: see `SkillOutcome.safe_to_repeat`. */
  readonly safe_to_repeat: boolean;
  /**
   * Whether it changes nothing where it goes. A replay makes such a call again where its plan does not say; for any other,
   * what was recorded stands in.
   */
  readonly only_reads?: boolean | undefined;
  /** Made anew for each attempt. Interrupting it ends what it does. */
  readonly attempt: Effect.Effect<SkillOutcome>;
}

/** Something that a step can call. */
export interface Skill {
  readonly id: string;
  readonly name: string;
  /** Id of the rules by which `recorded_params` and outcomes leave out secrets; null where nothing is left out. */
  readonly redaction: string | null;
  /** What of an outcome the same call gives again where nothing has changed; all of it where it is left out. */
  readonly comparable?: ((outcome_data: Schema.Json) => Schema.Json) | undefined;
  /** Checks params before anything runs. `where` is their JSON path, such as `$.steps[0].params`. */
  readonly prepare: (params: Schema.Json, where: string) => Effect.Effect<SkillCall, InvalidInput>;
}

/**
 * Makes a check of params against a schema: what does not fit, a key that the schema does not name too, is
 * `InvalidInput` naming its JSON path below `where`.
 */
export const paramsDecoder = <S extends Schema.Codec<any, any>>(schema: S, remedy: string) => {
  const decode = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" });
  return (params: Schema.Json, where: string): Effect.Effect<S["Type"], InvalidInput> => {
    const result = decode(params);
    if (Result.isSuccess(result)) return Effect.succeed(result.success);
    const { path, what } = recordInvalidFrom(result.failure.issue, remedy);
    return Effect.fail(new InvalidInput({ what, where: where + path.slice(1), remedy }));
  };
};

/**
 * One attempt of a call, at most `timeout_ms` long. It never fails: running out of time is the outcome `TIMEOUT`, and a
 * skill that throws is the outcome `SKILL_DEFECT`.
 */
export const attemptWithin = (call: SkillCall, timeout_ms: number): Effect.Effect<SkillOutcome> =>
  call.attempt.pipe(
    Effect.timeoutOrElse({
      duration: Duration.millis(timeout_ms),
      orElse: () =>
        Effect.succeed<SkillOutcome>({
          status: "failure",
          outcome_category: "TRANSIENT",
          outcome_code: "TIMEOUT",
          outcome_data: { error: `no answer within ${timeout_ms} ms` },
          safe_to_repeat: call.safe_to_repeat,
          retry_after_ms: null,
        }),
    }),
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.failCause(cause)
        : Effect.succeed<SkillOutcome>({
            status: "failure",
            outcome_category: "PERMANENT",
            outcome_code: "SKILL_DEFECT",
            // A defect's text may quote a secret from the params, so only its kind is recorded.
            outcome_data: { error: `the skill threw ${kindOf(Cause.squash(cause))}` },
            safe_to_repeat: false,
            retry_after_ms: null,
          }),
    ),
  );

const kindOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.name : `a value of type ${typeof thrown}`;

/** Finds a skill by its id among some; an id that two of them have is `ConfigurationInvalid`. */
export const skillFinder = (
  skills: ReadonlyArray<Skill>,
): Effect.Effect<(id: string) => Effect.Effect<Skill, SkillUnknown>, ConfigurationInvalid> => {
  const byId = new Map(skills.map((skill) => [skill.id, skill]));
  const ids = skills.map((skill) => skill.id);
  if (byId.size < skills.length) {
    return Effect.fail(
      new ConfigurationInvalid({
        setting: "skills",
        what: `two skills have the id ${ids.find((id, index) => ids.indexOf(id) !== index)}`,
        remedy: "Give each skill an id of its own.",
      }),
    );
  }
  return Effect.succeed((id) => {
    const skill = byId.get(id);
    return skill === undefined
      ? Effect.fail(new SkillUnknown({ skill_id: id, known: ids }))
      : Effect.succeed(skill);
  });
};
