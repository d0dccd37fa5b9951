/** What an audit reads: everything, page by page, each page from one snapshot. */
import type { StoredStep } from "@runproof/proof/StoredRun";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { Drift } from "./CatalogDrift.ts";
import type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";
import type { StoredLogEntry } from "./LogStore.ts";

export type { Drift } from "./CatalogDrift.ts";
export type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";

/** A trace with the lease that keeps it running; null where none does. */
export interface AuditedTrace extends TraceAndSeal {
  readonly lease: {
    readonly holder: string;
    readonly expires_at: string;
    readonly is_over: boolean;
  } | null;
}

/** Where a walk over steps is: after this step of this trace. */
export interface StepPosition {
  readonly trace_id: string;
  readonly step_index: number;
}

/** An entry as an audit sees it; `log_index` is null while it waits for its index. */
export interface AuditedEntry extends Omit<StoredLogEntry, "log_index"> {
  readonly log_index: number | null;
}

/** What an entry's trace looks like from the log. */
export interface EntryTrace {
  readonly trace_id: string;
  /** C_0 and the seal's root as they are stored. */
  readonly link: string;
  readonly root_hash: string | null;
  readonly status: string;
}

/** A full tile as it is stored. */
export interface AuditedTile {
  readonly level: number;
  readonly tile_index: number;
  readonly hashes: Uint8Array;
  /** In hex. */
  readonly root: string;
}

/** How much there is, for a progress bar; estimates are fine. */
export interface AuditSize {
  readonly traces: number;
  readonly steps: number;
  readonly entries: number;
}

/** Reads for an audit. Memory is bounded by the pages; a page's parts agree with each other inside `snapshot`. */
export class AuditStore extends Context.Service<
  AuditStore,
  {
    /** Runs reads in one REPEATABLE READ, read-only transaction: what changes meanwhile is not half seen. */
    readonly snapshot: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | DatabaseError, R>;
    readonly size: Effect.Effect<AuditSize, DatabaseError>;
    /** Traces in the order of their id, above `above` ("" from the start). */
    readonly traces: (input: {
      readonly above: string;
      readonly limit: number;
    }) => Effect.Effect<ReadonlyArray<AuditedTrace>, DatabaseError>;
    /** Ids that cut all traces into `parts` runs of about equal length, for workers; the last part is open. */
    readonly traceBoundaries: (
      parts: number,
    ) => Effect.Effect<ReadonlyArray<string>, DatabaseError>;
    /** A page of the steps of some traces, by trace id and index, after `after`. */
    readonly steps: (input: {
      readonly trace_ids: ReadonlyArray<string>;
      readonly after: StepPosition | null;
    }) => Effect.Effect<ReadonlyArray<StoredStep>, DatabaseError>;
    /** The log's entries of some traces, those without an index too, in log order. */
    readonly entriesOfTraces: (
      trace_ids: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<AuditedEntry>, DatabaseError>;
    /** A page of entries from an index on. */
    readonly entries: (from: number) => Effect.Effect<ReadonlyArray<StoredLogEntry>, DatabaseError>;
    /** The traces that entries name, as far as they are there. */
    readonly entryTraces: (
      trace_ids: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<EntryTrace>, DatabaseError>;
    /** Ids of traces that have steps or a lease and no row of their own. */
    readonly orphanTraceIds: Effect.Effect<ReadonlyArray<string>, DatabaseError>;
    /** Full tiles of a level from an index on. */
    readonly tiles: (input: {
      readonly level: number;
      readonly from: number;
    }) => Effect.Effect<ReadonlyArray<AuditedTile>, DatabaseError>;
    readonly drift: Effect.Effect<ReadonlyArray<Drift>, DatabaseError>;
  }
>()("@runproof/drivers/AuditStore") {}
