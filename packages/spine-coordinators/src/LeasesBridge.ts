/** The one door from the coordinators to the leases of running traces. */
import { type AbortedTrace, TraceStore } from "@runproof/drivers/TraceStore";
import type { DatabaseError, InvalidInput, LeaseLost } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Keeps this process's traces writable: their leases, and that nothing takes their records back. Ends leases that are over. */
export class LeasesBridge extends Context.Service<
  LeasesBridge,
  {
    readonly renew: (input: {
      readonly trace_id: string;
      readonly holder: string;
      readonly lease_ms: number;
    }) => Effect.Effect<void, DatabaseError | LeaseLost>;
    /** Fails inside a transaction of the database's: what acts there would act before its record is durable. */
    readonly ensureDurable: Effect.Effect<void, InvalidInput>;
    /** Aborts every trace whose lease is over, this process's or another's; answers which. */
    readonly sweep: () => Effect.Effect<ReadonlyArray<AbortedTrace>, DatabaseError>;
  }
>()("@runproof/spine-coordinators/LeasesBridge") {
  static readonly layer: Layer.Layer<LeasesBridge, never, TraceStore> = Layer.effect(
    LeasesBridge,
    Effect.map(TraceStore, (store) =>
      LeasesBridge.of({
        renew: store.renewLease,
        ensureDurable: store.ensureDurable,
        sweep: store.abortExpired,
      }),
    ),
  );
}
