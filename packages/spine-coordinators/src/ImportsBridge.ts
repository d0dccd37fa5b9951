/** The one door from an import to the store's transactions. */
import { TraceStore } from "@runproof/drivers/TraceStore";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Keeps all of an import, or nothing. */
export class ImportsBridge extends Context.Service<
  ImportsBridge,
  {
    /** Runs `effect` with every write inside it in one transaction: all of it is kept, or nothing. */
    readonly atomically: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | DatabaseError, R>;
  }
>()("@runproof/spine-coordinators/ImportsBridge") {
  static readonly layer: Layer.Layer<ImportsBridge, never, TraceStore> = Layer.effect(
    ImportsBridge,
    Effect.map(TraceStore, ({ atomically }) => ImportsBridge.of({ atomically })),
  );
}
