/** The one door from the coordinators to traces: writing, leases, reading. */
import { Database } from "@runproof/drivers/Database";
import { LEASE_MS_MAX } from "@runproof/drivers/EvidenceLimits";
import { abortExpired, type AbortedTrace } from "@runproof/drivers/logs/abortExpired";
import { appendSteps, type AppendSteps } from "@runproof/drivers/logs/appendSteps";
import { appendStep } from "@runproof/drivers/logs/appendStep";
import {
  atomically,
  isInTransaction,
  outsideTransactions,
} from "@runproof/drivers/logs/atomically";
import type { IdempotencyClaim } from "@runproof/drivers/logs/claimKey";
import { findRecordedSteps } from "@runproof/drivers/logs/findRecordedSteps";
import { listQuietTraces } from "@runproof/drivers/logs/listQuietTraces";
import { probeTrace, type TraceProbe } from "@runproof/drivers/logs/probeTrace";
import { type OpenTrace, readOpenTrace } from "@runproof/drivers/logs/readOpenTrace";
import { readHead, type TraceHead } from "@runproof/drivers/logs/readHead";
import { readLedger } from "@runproof/drivers/logs/readLedger";
import { type Load, readLoad } from "@runproof/drivers/logs/readLoad";
import { readRun, type StoredRun } from "@runproof/drivers/logs/readRun";
import {
  type Figures,
  readStats,
  type Stats,
  type StatsFilter,
  type StatsKey,
} from "@runproof/drivers/logs/readStats";
import { readRunState, type RunState } from "@runproof/drivers/logs/readRunState";
import { recordSignal } from "@runproof/drivers/logs/recordSignal";
import { type RenewLease, renewLeases } from "@runproof/drivers/logs/renewLeases";
import {
  type SealedTrace,
  sealTrace,
  sealTraces,
  type SealTrace,
} from "@runproof/drivers/logs/sealTrace";
import { type StepFilter, type FoundSteps, searchSteps } from "@runproof/drivers/logs/searchSteps";
import {
  searchTraces,
  type TraceFilter,
  type TracePage,
} from "@runproof/drivers/logs/searchTraces";
import {
  type StartError,
  startTrace,
  startTraces,
  type StartTrace,
} from "@runproof/drivers/logs/startTrace";
import type {
  DatabaseError,
  InvalidInput,
  TraceNotFound,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type Append, makeWriteQueues } from "./WriteQueues.ts";
import { type HolderOf, Holders, ownHolders } from "./Holder.ts";

export { LEASE_MS_MAX };
export type {
  RunState,
  AbortedTrace,
  IdempotencyClaim,
  OpenTrace,
  StartError,
  SealedTrace,
  StepFilter,
  FoundSteps,
  Figures,
  Load,
  Stats,
  StatsFilter,
  StatsKey,
  StoredRun,
  TraceFilter,
  TraceHead,
  TracePage,
  TraceProbe,
};

/** Where a trace's writer sends what it made: durable when it is answered. */
export interface TraceSink {
  /** Who writes a trace, to the database. */
  readonly holderOf: HolderOf;
  readonly start: (input: StartTrace) => Effect.Effect<TraceHead, StartError>;
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

/** Transactions of the database's. */
export interface Transactions {
  /** Runs `effect` with every write inside it in one transaction: all of it is kept, or nothing. */
  readonly atomically: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E | DatabaseError, R>;
  /** Runs `effect` once the transaction that is open is kept, whoever interrupts; at once where none is open. */
  readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>;
  /** Fails inside a transaction of the database's: what acts there would act before its record is durable. */
  readonly ensureNone: Effect.Effect<void, InvalidInput>;
}

/** Writes, keeps and reads traces. */
export class LogsBridge extends Context.Service<
  LogsBridge,
  {
    /** Which database it is: its URL with the password hidden, or the embedded one's folder. */
    readonly database: string;
    readonly sink: TraceSink;
    readonly transactions: Transactions;
    /** Aborts every trace whose lease is over, this process's or another's; answers which. */
    readonly sweep: () => Effect.Effect<ReadonlyArray<AbortedTrace>, DatabaseError>;
    /** What a writer needs that goes on with a run, from whatever process: where it stands, and what it holds already. */
    readonly resuming: {
      readonly trace: ReturnType<typeof readOpenTrace>;
      readonly steps: ReturnType<typeof findRecordedSteps>;
      /** Runs that seem to have ended. */
      readonly quiet: ReturnType<typeof listQuietTraces>;
    };
    /** Gives `use` one stored run; the tenant is required and another tenant's run is `RunNotFound`. */
    readonly read: ReturnType<typeof readRun>;
    /** Whether a run's id is taken, and how that run stands. */
    readonly runState: ReturnType<typeof readRunState>;
    readonly search: (
      filter: TraceFilter,
    ) => Effect.Effect<TracePage, DatabaseError | InvalidInput>;
    readonly searchSteps: (
      filter: StepFilter,
    ) => Effect.Effect<FoundSteps, DatabaseError | InvalidInput>;
    /** How much is under way, of all tenants together. */
    readonly load: Effect.Effect<Load, DatabaseError>;
    readonly stats: (filter: StatsFilter) => Effect.Effect<Stats, DatabaseError | InvalidInput>;
    /** Who did what to a tenant's evidence, and what people said of its runs. */
    readonly ledger: {
      readonly read: ReturnType<typeof readLedger>;
      readonly recordSignal: ReturnType<typeof recordSignal>;
    };
    /** The tenant's newest trace, or the one of `run_id`, as the test plan's SQL statements see it; null where there is none. */
    readonly probe: (input: {
      readonly tenant_id: string;
      readonly run_id?: string | undefined;
    }) => Effect.Effect<TraceProbe | null, DatabaseError>;
  }
>()("@runproof/spine-coordinators/LogsBridge") {
  static readonly layer: Layer.Layer<LogsBridge, never, Database> = Layer.effect(
    LogsBridge,
    Effect.gen(function* () {
      const database = yield* Database;
      const renew = renewLeases(database);
      return LogsBridge.of({
        database: database.description,
        sink: {
          holderOf: (yield* Holders) ?? ownHolders(),
          ...(yield* makeWriteQueues({
            appendStep: appendStep(database),
            startTrace: startTrace(database),
            startTraces: startTraces(database),
            sealTrace: sealTrace(database),
            sealTraces: sealTraces(database),
            isInTransaction: isInTransaction(database),
          })),
          appendSteps: appendSteps(database),
          head: readHead(database),
          renewLease: (renewal) =>
            Effect.map(renew([renewal]), (lost) => !lost.has(renewal.trace_id)),
        },
        transactions: {
          atomically: atomically(database),
          afterCommit: database.write.afterCommit,
          ensureNone: outsideTransactions(database),
        },
        resuming: {
          trace: readOpenTrace(database),
          steps: findRecordedSteps(database),
          quiet: listQuietTraces(database),
        },
        sweep: abortExpired(database),
        read: readRun(database),
        runState: readRunState(database),
        search: searchTraces(database),
        searchSteps: searchSteps(database),
        load: readLoad(database),
        stats: readStats(database),
        ledger: { read: readLedger(database), recordSignal: recordSignal(database) },
        probe: probeTrace(database),
      });
    }),
  );
}
