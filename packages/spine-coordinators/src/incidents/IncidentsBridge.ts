/** The one door from the coordinators to incidents: what was prevented, refused, or hit a limit. */
import { Database } from "@runproof/drivers/Database";
import { type Incident, readIncidents } from "@runproof/drivers/incidents/readIncidents";
import { type Prevention, recordPrevention } from "@runproof/drivers/incidents/recordPrevention";
import { recordRefusal } from "@runproof/drivers/incidents/recordRefusal";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { Incident, Prevention };

const doorsOf = (database: Database["Service"]) => ({
  /** In the transaction that records the step as skipped. */
  prevented: recordPrevention(database),
  refused: recordRefusal(database),
  ofRun: readIncidents(database),
});

/** Incidents of runs. */
export class IncidentsBridge extends Context.Service<IncidentsBridge, ReturnType<typeof doorsOf>>()(
  "@runproof/spine-coordinators/incidents/IncidentsBridge",
) {
  static readonly layer: Layer.Layer<IncidentsBridge, never, Database> = Layer.effect(
    IncidentsBridge,
    Effect.map(Database, (database) => IncidentsBridge.of(doorsOf(database))),
  );
}
