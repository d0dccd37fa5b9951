/** What an attack test needs, composed over a database of its own: no sweeper and no sequencer runs beside the attacks. */
import { AttackLab } from "@runproof/drivers/AttackLab";
import type { OpenError } from "@runproof/drivers/Database";
import * as PostgresLogStore from "@runproof/drivers/PostgresLogStore";
import * as PostgresTraceStore from "@runproof/drivers/PostgresTraceStore";
import { TileFolder } from "@runproof/drivers/TileFolder";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import { AttackBridge } from "./AttackBridge.ts";
import { AttackTestCoordinator } from "./AttackTestCoordinator.ts";
import * as AuditLayer from "../audit/AuditLayer.ts";
import { CheckpointsBridge } from "../ledger/CheckpointsBridge.ts";
import { LogBridge } from "../ledger/LogBridge.ts";
import { LogCoordinator } from "../ledger/LogCoordinator.ts";
import { LogsBridge } from "../logs/LogsBridge.ts";
import { SignerBridge } from "../ledger/SignerBridge.ts";
import { TilesBridge } from "../ledger/TilesBridge.ts";

/** Makes the database, on the server of a superuser's URL or embedded, and provides the coordinator over it. */
export const layer = (
  databaseUrl: string | undefined,
): Layer.Layer<AttackTestCoordinator, OpenError> => {
  const lab = AttackLab.layer(databaseUrl === undefined ? null : Redacted.make(databaseUrl));
  const stores = Layer.mergeAll(PostgresTraceStore.layer, PostgresLogStore.layer, TileFolder.layer);
  const bridges = Layer.mergeAll(
    AttackBridge.layer,
    CheckpointsBridge.layer,
    LogBridge.layer,
    LogsBridge.layer,
    SignerBridge.layer,
    TilesBridge.layer,
  ).pipe(Layer.provide(stores));
  return AttackTestCoordinator.layer.pipe(
    Layer.provide(LogCoordinator.layer),
    Layer.provide(bridges),
    Layer.provide(AuditLayer.layer),
    Layer.provide(lab),
    // The signer refuses loudly, and here it is meant to.
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None")),
  );
};
