/** The one door from the coordinators to the `runs` table. */
import { RunStore, type RunStatus, type StoreRun } from "@runproof/drivers/RunStore";
import type { DatabaseError, InvalidInput, RunExists } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Stores what was asked to run, before it runs. */
export class RunsBridge extends Context.Service<
  RunsBridge,
  {
    readonly store: (
      run: StoreRun,
    ) => Effect.Effect<void, DatabaseError | InvalidInput | RunExists>;
    /** Where a run stands; null where the tenant has no such run. */
    readonly status: (input: {
      readonly run_id: string;
      readonly tenant_id: string;
    }) => Effect.Effect<RunStatus | null, DatabaseError>;
  }
>()("@runproof/spine-coordinators/RunsBridge") {
  static readonly layer: Layer.Layer<RunsBridge, never, RunStore> = Layer.effect(
    RunsBridge,
    Effect.map(RunStore, ({ store, status }) => RunsBridge.of({ store, status })),
  );
}
