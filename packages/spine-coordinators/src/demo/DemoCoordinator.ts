/** What the demonstration does to stored evidence, to show what is refused and what is found. Embedded databases only. */
import {
  ConfigurationInvalid,
  type DatabaseFailed,
  type InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { DemoBridge, type ParamsChange } from "./DemoBridge.ts";

export type { ParamsChange } from "./DemoBridge.ts";

/** Attempts to change evidence. */
export class DemoCoordinator extends Context.Service<
  DemoCoordinator,
  {
    /** Tries the change with the application's rights; answers with what words the database refused it. */
    readonly changeAsApplication: (
      change: ParamsChange,
    ) => Effect.Effect<string, ConfigurationInvalid | DatabaseFailed>;
    /** Makes the change as a superuser, past the triggers, and leaves them as they were; answers the statements run. */
    readonly changeAsSuperuser: (
      change: ParamsChange,
    ) => Effect.Effect<ReadonlyArray<string>, ConfigurationInvalid | DatabaseFailed | InvalidInput>;
  }
>()("@runproof/spine-coordinators/demo/DemoCoordinator") {
  static readonly layer: Layer.Layer<DemoCoordinator, never, DemoBridge> = Layer.effect(
    DemoCoordinator,
    Effect.map(DemoBridge, (evidence) => {
      const guarded = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        evidence.isEmbedded()
          ? effect
          : Effect.fail(
              new ConfigurationInvalid({
                setting: "DATABASE_URL",
                what: "the demonstration changes stored evidence, and never on a server",
                remedy: "Unset DATABASE_URL for the demonstration; it uses an embedded database.",
              }),
            );
      return {
        changeAsApplication: (change) => guarded(evidence.asApplication(change)),
        changeAsSuperuser: (change) => guarded(evidence.pastTriggers(change)),
      };
    }),
  );
}
