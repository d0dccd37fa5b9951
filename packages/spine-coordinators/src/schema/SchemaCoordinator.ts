/** Brings the schema to head and says what is wrong with an installation. */
import type { DatabaseConfig, OpenError } from "@runproof/drivers/Database";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { SchemaBridge } from "./SchemaBridge.ts";

/** A migration that was applied, by its number and name. */
export interface AppliedMigration {
  readonly id: number;
  readonly name: string;
}

/** One check of an installation. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; null where nothing is to be done. */
  readonly remedy: string | null;
}

/** The schema and the health of an installation. */
export class SchemaCoordinator extends Context.Service<
  SchemaCoordinator,
  {
    /** Applies what is pending; answers what was applied, in order. */
    readonly migrate: () => Effect.Effect<ReadonlyArray<AppliedMigration>, OpenError>;
    /** Every check, the failed ones too: what can't be checked is `fail`. */
    readonly doctor: () => Effect.Effect<ReadonlyArray<DoctorCheck>>;
  }
>()("@runproof/spine-coordinators/schema/SchemaCoordinator") {
  /** Needs no open database: it is what opens one that is not at head yet, or says why one can't be opened. */
  static readonly layer = (config: DatabaseConfig): Layer.Layer<SchemaCoordinator> =>
    Layer.effect(
      SchemaCoordinator,
      Effect.map(SchemaBridge, ({ migrate, examine }) =>
        SchemaCoordinator.of({
          migrate: () => Effect.map(migrate(), (labels) => labels.map(fromLabel)),
          doctor: examine,
        }),
      ),
    ).pipe(Layer.provide(SchemaBridge.layer(config)));
}

/** `0003_immutability` as number and name. */
const fromLabel = (label: string): AppliedMigration => {
  const [id = "", ...name] = label.split("_");
  return { id: Number(id), name: name.join("_") };
};
