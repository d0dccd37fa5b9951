/** The one door from the coordinators to the skills that a plan may call. */
import * as HttpCallSkill from "@runproof/drivers/HttpCallSkill";
import {
  attemptWithin,
  type Skill,
  type SkillCall,
  skillFinder,
  type SkillOutcome,
} from "@runproof/drivers/Skill";
import type { ConfigurationInvalid, SkillUnknown } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { Skill, SkillCall, SkillOutcome };

/** Finds skills and makes attempts. */
export class SkillsBridge extends Context.Service<
  SkillsBridge,
  {
    readonly get: (id: string) => Effect.Effect<Skill, SkillUnknown>;
    /** One attempt, at most `timeout_ms` long. It never fails: failing is an outcome. */
    readonly attempt: (
      call: SkillCall,
      timeout_ms: number,
      /** The host that it is bound to, where its addresses were looked at. */
      bound: HttpCallSkill.ResolvedHost | null,
    ) => Effect.Effect<SkillOutcome>;
  }
>()("@runproof/spine-coordinators/skills/SkillsBridge") {
  /** `http_call`, and these skills beside it. */
  static readonly layer = (
    skills: ReadonlyArray<Skill>,
  ): Layer.Layer<SkillsBridge, ConfigurationInvalid> =>
    Layer.effect(
      SkillsBridge,
      Effect.gen(function* () {
        const httpCall = yield* HttpCallSkill.make;
        const get = yield* skillFinder([httpCall, ...skills]);
        return SkillsBridge.of({
          get,
          attempt: (call, timeout_ms, bound) =>
            Effect.provideService(attemptWithin(call, timeout_ms), HttpCallSkill.BoundHost, bound),
        });
      }),
    ).pipe(Layer.provide(HttpCallSkill.clientLayer));
}
