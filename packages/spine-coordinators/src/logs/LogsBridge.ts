/** The one door from the coordinators to traces: writing, leases, reading. */
import {
  type AbortedTrace,
  type AppendSteps,
  LEASE_MS_MAX,
  type RenewLease,
  type SealedTrace,
  type SealTrace,
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
  TraceNotFound,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type Append, makeAppendQueue } from "./AppendQueue.ts";
import { type HolderOf, ownHolders } from "./Holder.ts";

export { LEASE_MS_MAX };
export type { AbortedTrace, SealedTrace, StoredRun, TraceFilter, TraceHead, TracePage };

/** Where a trace's writer sends what it made: durable when it is answered. */
export interface TraceSink {
  /** Who writes a trace, to the database. */
  readonly holderOf: HolderOf;
  readonly start: (
    input: StartTrace,
  ) => Effect.Effect<TraceHead, TraceWriteError | InvalidInput | RunExists>;
  /** One step, with those of other runs that wait at the same time. Never part of a transaction of the caller's. */
  readonly append: Append;
  /** Many steps, all of them or none, inside the transaction of `atomically` where there is one. */
  readonly appendSteps: (
    input: AppendSteps,
  ) => Effect.Effect<string, TraceWriteError | InvalidInput>;
  readonly seal: (input: SealTrace) => Effect.Effect<SealedTrace, TraceWriteError | InvalidInput>;
  /** Where an open trace stands, for a writer that goes on with it. */
  readonly head: (trace_id: string) => Effect.Effect<TraceHead, DatabaseError | TraceNotFound>;
  /** Whether the lease holds on. */
  readonly renewLease: (input: RenewLease) => Effect.Effect<boolean, DatabaseError>;
}

/** Writes, keeps and reads traces. */
export class LogsBridge extends Context.Service<
  LogsBridge,
  {
    readonly sink: TraceSink;
    readonly transactions: {
      /** Runs `effect` with every write inside it in one transaction: all of it is kept, or nothing. */
      readonly atomically: <A, E, R>(
        effect: Effect.Effect<A, E, R>,
      ) => Effect.Effect<A, E | DatabaseError, R>;
      /** Fails inside a transaction of the database's: what acts there would act before its record is durable. */
      readonly ensureNone: Effect.Effect<void, InvalidInput>;
    };
    /** Aborts every trace whose lease is over, this process's or another's; answers which. */
    readonly sweep: () => Effect.Effect<ReadonlyArray<AbortedTrace>, DatabaseError>;
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
    Effect.gen(function* () {
      const store = yield* TraceStore;
      return LogsBridge.of({
        sink: {
          holderOf: ownHolders(),
          start: store.start,
          append: yield* makeAppendQueue(store.append),
          appendSteps: store.appendSteps,
          seal: store.seal,
          head: store.head,
          renewLease: (renewal) =>
            Effect.map(store.renewLeases([renewal]), (lost) => !lost.has(renewal.trace_id)),
        },
        transactions: { atomically: store.atomically, ensureNone: store.ensureDurable },
        sweep: store.abortExpired,
        read: store.get,
        search: store.search,
      });
    }),
  );
}
