/** The evidence tables of a database: traces, their steps and their seals. */
import type { PreparedSeal } from "@runproof/proof/SealRecord";
import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { StoredSeal, StoredStep, StoredTrace } from "@runproof/proof/StoredRun";
import type { PreparedTrace } from "@runproof/proof/TraceRecord";
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
import type * as Effect from "effect/Effect";
import type * as Result from "effect/Result";

export { LEASE_MS_MAX } from "./EvidenceLimits.ts";

/** Where a chain stands: the index its next step gets and the link that step extends. */
export interface TraceHead {
  readonly trace_id: string;
  readonly next_index: number;
  readonly link: string;
}

/** A trace to start, with the lease that its process holds. */
export interface StartTrace {
  readonly trace: PreparedTrace;
  /** Who renews the lease and writes the trace: a value that nobody else can know. Several writers of one trace share it. */
  readonly holder: string;
  readonly lease_ms: number;
}

/** A step to add to an open trace, at its next index. Anybody but the holder of its lease meets `LeaseLost`. */
export interface AppendStep {
  readonly trace_id: string;
  readonly holder: string;
  readonly step_index: number;
  readonly step: PreparedStep;
}

/** Steps to add to one open trace, in order, all or none. */
export interface AppendSteps {
  readonly trace_id: string;
  readonly holder: string;
  readonly first_index: number;
  readonly steps: ReadonlyArray<PreparedStep>;
}

/** A lease to renew. */
export interface RenewLease {
  readonly trace_id: string;
  readonly holder: string;
  readonly lease_ms: number;
}

/** A seal for an open trace. Until its lease is over, anybody but its holder meets `LeaseLost`. */
export interface SealTrace {
  readonly trace_id: string;
  readonly holder: string;
  readonly seal: PreparedSeal;
  /** What the trace must be at; anything else in the chain is `ChainMoved`. */
  readonly expected?: TraceHead | undefined;
}

/** What the database sealed: the record with the count, head and tree root it had under its lock. */
export interface SealedTrace {
  readonly trace_id: string;
  readonly seal_record: string;
  readonly step_count: number;
  readonly chain_head: string;
  readonly merkle_root: string;
  readonly root_hash: string;
}

/** A trace whose lease was over and that a sweeper aborted. */
export interface AbortedTrace extends SealedTrace {
  readonly run_id: string;
  readonly tenant_id: string;
}

/** A stored run as one consistent snapshot: the trace, its seal, and its steps in the order of their index. */
export interface StoredRun {
  readonly trace: StoredTrace;
  readonly seal: StoredSeal | null;
  readonly steps: ReadonlyArray<StoredStep>;
  /** Payloads whose erasure the log records, as `trace:plan`, `step 3:params`, `seal:metadata`. */
  readonly erasures_recorded: ReadonlySet<string>;
  /** Whether the log records that the trace was archived. */
  readonly archival_recorded: boolean;
}

/** One trace in a listing. */
export interface TraceSummary {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly agent_id: string | null;
  readonly status: string;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly capture: string;
  readonly step_count: number;
  readonly root_hash: string | null;
  readonly is_synthetic: boolean;
  /** Where the text that was looked for stands first: `trace`, `seal` or `step 3`; null where none was looked for. */
  readonly matched: string | null;
}

/**
 * What a listing is narrowed to. Times are RFC 3339. `text` is looked for in payloads and in what records say in words, not in their hashes, without case as far as
 * the database's locale knows one.
 */
export interface TraceFilter {
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly status?: "running" | "completed" | "failed" | "aborted" | undefined;
  readonly agent_id?: string | undefined;
  readonly started_from?: string | undefined;
  readonly started_before?: string | undefined;
  readonly skill_id?: string | undefined;
  readonly text?: string | undefined;
  readonly limit?: number | undefined;
  /** `next_cursor` of the page before, as it was given. */
  readonly cursor?: string | undefined;
}

/** One page of a listing, newest first. */
export interface TracePage {
  readonly traces: ReadonlyArray<TraceSummary>;
  readonly next_cursor: string | null;
}

/** A trace as the earlier system's two test statements see it: what a validation starts from. */
export interface TraceProbe {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly started_at: string;
  readonly status: string;
  /** `COUNT(*)` of `aos_trace_steps` by run id. */
  readonly step_count: number;
}

/**
 * A store of traces. Every acknowledged write is durable: start, recording and sealing are `InvalidInput` inside a
 * transaction other than that of `atomically`, as it could take them back.
 */
export class TraceStore extends Context.Service<
  TraceStore,
  {
    /** Starts a trace. The same one, sent again by the same holder, is answered the same. */
    readonly start: (
      input: StartTrace,
    ) => Effect.Effect<TraceHead, TraceWriteError | InvalidInput | RunExists>;
    /**
     * Appends a step to each of some traces, no two of one trace, in one round trip and one commit. Each gets its own
     * answer: the link after it, also where the very step is there already, or why it was refused.
     */
    readonly append: (
      items: ReadonlyArray<AppendStep>,
    ) => Effect.Effect<
      ReadonlyArray<Result.Result<string, TraceWriteError | InvalidInput>>,
      DatabaseError | InvalidInput
    >;
    /** Appends steps to one trace, all or none, in one round trip; answers the link after the last. */
    readonly appendSteps: (
      input: AppendSteps,
    ) => Effect.Effect<string, TraceWriteError | InvalidInput>;
    /** Seals a trace. The same seal, sent again, is answered the same. */
    readonly seal: (input: SealTrace) => Effect.Effect<SealedTrace, TraceWriteError | InvalidInput>;
    /** Where an open trace stands. */
    readonly head: (trace_id: string) => Effect.Effect<TraceHead, DatabaseError | TraceNotFound>;
    /** Gives leases more time, in one round trip; answers the traces whose lease is lost. */
    readonly renewLeases: (
      renewals: ReadonlyArray<RenewLease>,
    ) => Effect.Effect<ReadonlySet<string>, DatabaseError>;
    /** Aborts every trace whose lease is over, this process's or another's; answers which. */
    readonly abortExpired: () => Effect.Effect<ReadonlyArray<AbortedTrace>, DatabaseError>;
    /** One run of one tenant. Steps whose trace row is gone are `StoredDataUnreadable`, never "not found". */
    readonly get: (input: {
      readonly tenant_id: string;
      readonly run_id: string;
    }) => Effect.Effect<StoredRun, DatabaseError | RunNotFound | StoredDataUnreadable>;
    /** Fails inside any transaction, that of `atomically` too: what acts there would act before its record is durable. */
    readonly ensureDurable: Effect.Effect<void, InvalidInput>;
    /** Runs `effect` with every store operation inside it in one transaction: all of it is kept, or nothing. */
    readonly atomically: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | DatabaseError, R>;
    readonly search: (
      filter: TraceFilter,
    ) => Effect.Effect<TracePage, DatabaseError | InvalidInput>;
    /** The newest trace, or the one of `run_id`; null where there is none. */
    readonly probe: (input: {
      readonly tenant_id: string;
      readonly run_id?: string | undefined;
    }) => Effect.Effect<TraceProbe | null, DatabaseError>;
  }
>()("@runproof/drivers/TraceStore") {}
