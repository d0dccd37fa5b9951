/** What an audit needs, composed: no sweeper, for an audit changes nothing. */
import { Database, type OpenError } from "@runproof/drivers/Database";
import type { ConfigurationInvalid, DatabaseMissing } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { AuditBridge } from "./AuditBridge.ts";
import { AuditCoordinator } from "./AuditCoordinator.ts";
import { configFromEnvironment, type RunproofSettings } from "../RunproofLayer.ts";

/** The coordinator over an open database. */
export const layer: Layer.Layer<AuditCoordinator, never, Database> = AuditCoordinator.layer.pipe(
  Layer.provide(AuditBridge.layer),
);

/** Opens the database, which must be there, that settings and the environment name, and provides the coordinator over it. */
export const fromEnvironment = (
  settings: RunproofSettings = {},
): Layer.Layer<AuditCoordinator, OpenError | ConfigurationInvalid | DatabaseMissing> =>
  Layer.unwrap(
    Effect.map(configFromEnvironment(settings), (config) =>
      Layer.provide(layer, Database.asItIs(config)),
    ),
  );
