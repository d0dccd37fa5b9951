/** The one door from the coordinators to the schema's migrations and the doctor's checks. */
import { type DatabaseConfig, migrateDatabase, type OpenError } from "@runproof/drivers/Database";
import { type Check, Doctor } from "@runproof/drivers/Doctor";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Brings one configured database to head, and examines it. */
export class SchemaBridge extends Context.Service<
  SchemaBridge,
  {
    /** Answers the labels of what was applied, such as `0001_traces`. */
    readonly migrate: () => Effect.Effect<ReadonlyArray<string>, OpenError>;
    readonly examine: () => Effect.Effect<ReadonlyArray<Check>>;
  }
>()("@runproof/spine-coordinators/schema/SchemaBridge") {
  static readonly layer = (config: DatabaseConfig): Layer.Layer<SchemaBridge> =>
    Layer.effect(
      SchemaBridge,
      Effect.map(Doctor, ({ examine }) =>
        SchemaBridge.of({ migrate: () => migrateDatabase(config), examine: () => examine }),
      ),
    ).pipe(Layer.provide(Doctor.layer(config)));
}
