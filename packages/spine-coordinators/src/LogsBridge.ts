/** The one door from the coordinators to the trace store. */
import {
  type AbortedTrace,
  LEASE_MS_MAX,
  type RecordSteps,
  type SealedTrace,
  type SealTrace,
  type StartedTrace,
  type StartTrace,
  type StoredRun,
  type TraceFilter,
  type TraceHead,
  type TracePage,
  TraceStore,
} from "@runproof/drivers/TraceStore";
import type {
  DatabaseError,
  InvalidInput,
  RunExists,
  RunNotFound,
  StoredDataUnreadable,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { LEASE_MS_MAX };
export type { AbortedTrace, SealedTrace, StoredRun, TraceFilter, TraceHead, TracePage };

/** A seal to write; `status` says whether it completes the trace or aborts it. */
export interface WriteSeal extends SealTrace {
  readonly status: "completed" | "failed" | "aborted";
}

/** Starts, extends, seals and reads traces. */
export class LogsBridge extends Context.Service<
  LogsBridge,
  {
    /** Starts a trace with its lease. */
    readonly begin: (
      input: StartTrace,
    ) => Effect.Effect<StartedTrace, TraceWriteError | InvalidInput | RunExists>;
    /** Adds steps, durable when it returns: all of them or none. */
    readonly append: (
      input: RecordSteps,
    ) => Effect.Effect<TraceHead, TraceWriteError | InvalidInput>;
    readonly seal: (input: WriteSeal) => Effect.Effect<SealedTrace, TraceWriteError | InvalidInput>;
    /** One stored run; the tenant is required and another tenant's run is `RunNotFound`. */
    readonly read: (input: {
      readonly tenant_id: string;
      readonly run_id: string;
    }) => Effect.Effect<StoredRun, DatabaseError | RunNotFound | StoredDataUnreadable>;
    readonly search: (
      filter: TraceFilter,
    ) => Effect.Effect<TracePage, DatabaseError | InvalidInput>;
  }
>()("@runproof/spine-coordinators/LogsBridge") {
  static readonly layer: Layer.Layer<LogsBridge, never, TraceStore> = Layer.effect(
    LogsBridge,
    Effect.map(TraceStore, (store) =>
      LogsBridge.of({
        begin: store.start,
        append: store.recordSteps,
        seal: ({ status, ...seal }) =>
          status === "aborted" ? store.abort(seal) : store.complete(seal),
        read: store.get,
        search: store.search,
      }),
    ),
  );
}
