/** What an attack test needs, composed over a database of its own: no sweeper and no sequencer runs beside the attacks. */
import type { OpenError } from "@runproof/drivers/Database";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import { AttackLab } from "./AttackLab.ts";
import { AttackTestCoordinator } from "./AttackTestCoordinator.ts";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";

/** Makes the database, on the server of a superuser's URL or embedded, and provides the coordinator over it. */
export const layer = (
  databaseUrl: string | undefined,
): Layer.Layer<AttackTestCoordinator, OpenError> => {
  const lab = AttackLab.layer(databaseUrl === undefined ? null : Redacted.make(databaseUrl));
  return AttackTestCoordinator.layer.pipe(
    Layer.provide(LogCoordinator.layer),
    Layer.provide(LogsBridge.layer),
    Layer.provide(AuditLayer.layer),
    Layer.provide(lab),
    // The signer refuses loudly, and here it is meant to.
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None")),
  );
};
