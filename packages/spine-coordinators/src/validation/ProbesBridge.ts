/** The one door from a validation to what the database's own statements say of a trace. */
import { Database } from "@runproof/drivers/Database";
import { type TraceProbe, TraceStore } from "@runproof/drivers/TraceStore";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { TraceProbe };

/** Looks at traces as the Run Proof Test Plan's SQL statements do. */
export class ProbesBridge extends Context.Service<
  ProbesBridge,
  {
    /** Which database it is: its URL with the password hidden, or the embedded one's folder. */
    readonly database: string;
    /** The tenant's newest trace, or the one of `run_id`; null where there is none. */
    readonly probe: (input: {
      readonly tenant_id: string;
      readonly run_id?: string | undefined;
    }) => Effect.Effect<TraceProbe | null, DatabaseError>;
  }
>()("@runproof/spine-coordinators/validation/ProbesBridge") {
  static readonly layer: Layer.Layer<ProbesBridge, never, TraceStore | Database> = Layer.effect(
    ProbesBridge,
    Effect.gen(function* () {
      const { description } = yield* Database;
      const { probe } = yield* TraceStore;
      return ProbesBridge.of({ database: description, probe });
    }),
  );
}
