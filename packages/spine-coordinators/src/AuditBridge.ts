/** The one door from an audit to everything that is stored. */
import { type AuditReadError, AuditStore } from "@runproof/drivers/AuditStore";
import { LogStore } from "@runproof/drivers/LogStore";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { AuditReadError };

/** What can be read of one state of the database. */
export interface AuditReads
  extends
    Omit<AuditStore["Service"], "snapshot">,
    Pick<LogStore["Service"], "nodes" | "latestCheckpoint"> {
  readonly logSize: LogStore["Service"]["size"];
}

/** Reads everything, and changes nothing. */
export class AuditBridge extends Context.Service<
  AuditBridge,
  {
    /** Gives `use` reads that all see the same state of the database, whatever is written meanwhile. */
    readonly snapshot: <A, E, R>(
      use: (reads: AuditReads) => Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | AuditReadError, R>;
  }
>()("@runproof/spine-coordinators/AuditBridge") {
  static readonly layer: Layer.Layer<AuditBridge, never, AuditStore | LogStore> = Layer.effect(
    AuditBridge,
    Effect.gen(function* () {
      const { snapshot, ...reads } = yield* AuditStore;
      const { nodes, latestCheckpoint, size } = yield* LogStore;
      const all: AuditReads = { ...reads, nodes, latestCheckpoint, logSize: size };
      return AuditBridge.of({ snapshot: (use) => snapshot(use(all)) });
    }),
  );
}
