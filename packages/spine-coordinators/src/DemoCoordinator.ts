/** What the demonstration does to stored evidence, to show what is refused and what is found. Embedded databases only. */
import { Database } from "@runproof/drivers/Database";
import {
  changeParamsAsApplication,
  changeParamsPastTriggers,
  type ParamsChange,
} from "@runproof/drivers/ParamsChange";
import {
  ConfigurationInvalid,
  type DatabaseFailed,
  type InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { ParamsChange } from "@runproof/drivers/ParamsChange";

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
>()("@runproof/spine-coordinators/DemoCoordinator") {
  static readonly layer: Layer.Layer<DemoCoordinator, never, Database> = Layer.effect(
    DemoCoordinator,
    Effect.map(Database, (database) => {
      const guarded = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        database.kind === "embedded"
          ? effect
          : Effect.fail(
              new ConfigurationInvalid({
                setting: "DATABASE_URL",
                what: "the demonstration changes stored evidence, and never on a server",
                remedy: "Unset DATABASE_URL for the demonstration; it uses an embedded database.",
              }),
            );
      return {
        changeAsApplication: (change) => guarded(changeParamsAsApplication(database)(change)),
        changeAsSuperuser: (change) => guarded(changeParamsPastTriggers(database)(change)),
      };
    }),
  );
}
