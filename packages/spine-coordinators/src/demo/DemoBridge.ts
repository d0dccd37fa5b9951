/** The one door from the demonstration to stored evidence. */
import { Database } from "@runproof/drivers/Database";
import {
  changeParamsAsApplication,
  changeParamsPastTriggers,
  type ParamsChange,
} from "@runproof/drivers/ParamsChange";
import type { DatabaseFailed, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { ParamsChange };

/** Changes a step's stored params, or tries to. */
export class DemoBridge extends Context.Service<
  DemoBridge,
  {
    readonly isEmbedded: () => boolean;
    /** Answers with what words the database refused it. */
    readonly asApplication: (change: ParamsChange) => Effect.Effect<string, DatabaseFailed>;
    /** Answers the statements run. */
    readonly pastTriggers: (
      change: ParamsChange,
    ) => Effect.Effect<ReadonlyArray<string>, DatabaseFailed | InvalidInput>;
  }
>()("@runproof/spine-coordinators/demo/DemoBridge") {
  static readonly layer: Layer.Layer<DemoBridge, never, Database> = Layer.effect(
    DemoBridge,
    Effect.map(Database, (database) =>
      DemoBridge.of({
        isEmbedded: () => database.kind === "embedded",
        asApplication: changeParamsAsApplication(database),
        pastTriggers: changeParamsPastTriggers(database),
      }),
    ),
  );
}
