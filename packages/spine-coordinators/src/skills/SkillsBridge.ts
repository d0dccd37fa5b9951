/** The one door from the coordinators to the skills that a plan may call. */
import {
  attemptWithin,
  type Skill,
  type SkillCall,
  type SkillOutcome,
  SkillRegistry,
} from "@runproof/drivers/Skill";
import type { SkillUnknown } from "@runproof/schemas/RunProofError";
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
    readonly attempt: (call: SkillCall, timeout_ms: number) => Effect.Effect<SkillOutcome>;
  }
>()("@runproof/spine-coordinators/skills/SkillsBridge") {
  static readonly layer: Layer.Layer<SkillsBridge, never, SkillRegistry> = Layer.effect(
    SkillsBridge,
    Effect.map(SkillRegistry, ({ get }) => SkillsBridge.of({ get, attempt: attemptWithin })),
  );
}
