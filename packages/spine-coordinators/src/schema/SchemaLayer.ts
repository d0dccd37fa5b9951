/** The schema's coordinator over a configured database. */
import { type DatabaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import { examine } from "@runproof/drivers/Doctor";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type AppliedMigration, SchemaCoordinator } from "./SchemaCoordinator.ts";

/** `0003_immutability` as number and name. */
const fromLabel = (label: string): AppliedMigration => {
  const [id = "", ...name] = label.split("_");
  return { id: Number(id), name: name.join("_") };
};

/** Needs no open database: it is what opens one that is not at head yet, or says why one can't be opened. */
export const layer = (config: DatabaseConfig): Layer.Layer<SchemaCoordinator> =>
  Layer.succeed(
    SchemaCoordinator,
    SchemaCoordinator.of({
      migrate: () => Effect.map(migrateDatabase(config), (labels) => labels.map(fromLabel)),
      doctor: () => examine(config),
    }),
  );
