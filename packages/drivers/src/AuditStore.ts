/** What an audit reads: everything, page by page, each page from one snapshot. */
import type { StoredStep } from "@runproof/proof/StoredRun";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { Drift } from "./CatalogDrift.ts";
import type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";
import type { LogSize, StoredLogEntry } from "./LogStore.ts";

export { HEAD_EVERY_STEPS, LEASE_MS_MAX } from "./EvidenceLimits.ts";
export type { Drift } from "./CatalogDrift.ts";
export type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";

/** The row that a run has beside its trace: where it stands. */
export interface AuditedRunRow {
  readonly trace_id: string | null;
  readonly status: string;
}

/** A trace with its run's row, as far as it has one, and with the lease that keeps it running; null where none does. */
export interface AuditedTrace extends TraceAndSeal {
  readonly run: AuditedRunRow | null;
  readonly lease: {
    readonly expires_at: string;
    /** How long ago it ended; negative while it holds. */
    readonly over_ms: number;
    /** What the lease says of the trace, and where it says that the trace stands. */
    readonly tenant_id: string;
    readonly run_id: string;
    readonly capture: string;
    readonly next_index: number;
    readonly link: string;
    readonly peaks_root: string | null;
    readonly open_intents: ReadonlyArray<number>;
    /** How many steps the last HEAD entry covers, and how long ago it was logged. */
    readonly head_index: number;
    readonly headed_ms: number;
  } | null;
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

/** Traces from one id to another, both included, in the database's order of ids. */
export interface TraceRange {
  readonly first: string;
  readonly last: string;
}

/** An id with what the trace's own row takes. */
export interface TraceSize {
  readonly trace_id: string;
  readonly bytes: number;
}

/** Rows that name a trace which has no row, or a run that names another's or none; a `trace` is one whose id is null. */
export interface Orphan {
  readonly rows: "steps" | "lease" | "run" | "trace";
  readonly trace_id: string | null;
  /** Whose row it is, where that is one run. */
  readonly tenant_id: string | null;
  readonly run_id: string | null;
  /** Of a run. */
  readonly status: string | null;
}

/** An index by which rows are not found that are there. */
export interface IndexGap {
  readonly table: string;
  /** The column that it is read by. */
  readonly by: string;
  /** Rows that are there, and rows that it finds. */
  readonly rows: number;
  readonly found: number;
}

/** Which checkpoints cover an entry. */
export interface CheckpointsOver {
  /** Whether any does, of whatever origin. */
  readonly is_covered: boolean;
  /** Whether there are any of the origin, of whatever size. */
  readonly has_origin: boolean;
  /** Those of the origin that cover it with the smallest tree. */
  readonly notes: ReadonlyArray<string>;
}

/** How much there is, for a progress bar; estimates are fine. */
export interface AuditSize {
  readonly traces: number;
  readonly steps: number;
  readonly entries: number;
}

/** What a read may fail with: `StoredDataUnreadable` is about what is stored, the others about reaching it. */
export type AuditReadError = DatabaseError | StoredDataUnreadable;

/** Takes a page of rows. */
export type UsePage<Row, E, R> = (rows: ReadonlyArray<Row>) => Effect.Effect<void, E, R>;

/**
 * Reads for an audit. Memory is bounded by the pages, of rows and of bytes. What is read inside one `snapshot` agrees
 * with each other; `forEach…`, `strayTiles` and `indexGaps` need one.
 */
export class AuditStore extends Context.Service<
  AuditStore,
  {
    /** Runs reads in one REPEATABLE READ, read-only transaction: what changes meanwhile is not half seen. */
    readonly snapshot: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | AuditReadError, R>;
    readonly size: Effect.Effect<AuditSize, AuditReadError>;
    /** The log's size, of the entries whose index a log can have, and how many wait. */
    readonly logSize: Effect.Effect<LogSize, AuditReadError>;
    /** Indexes that no entry of a log can have, a few at most, in decimal. */
    readonly strayEntries: Effect.Effect<ReadonlyArray<string>, AuditReadError>;
    /** Indexes that do not find every row of this snapshot, which must be one of its own: it slows down later reads. */
    readonly indexGaps: Effect.Effect<ReadonlyArray<IndexGap>, AuditReadError>;
    /** The checkpoints that cover an entry, by an origin. */
    readonly checkpointsOver: (input: {
      readonly log_index: number;
      readonly origin: string | null;
    }) => Effect.Effect<CheckpointsOver, AuditReadError>;
    /** Ids that cut all traces into `parts` runs of about equal length, for workers; the last part is open. */
    readonly traceBoundaries: (
      parts: number,
    ) => Effect.Effect<ReadonlyArray<string>, AuditReadError>;
    /** The next traces after `above` (null from the start), none after `through` (null to the end). */
    readonly traceSizes: (input: {
      readonly above: string | null;
      readonly through: string | null;
      readonly limit: number;
    }) => Effect.Effect<ReadonlyArray<TraceSize>, AuditReadError>;
    /** The next traces after `above` that have no seal. */
    readonly openTraceIds: (input: {
      readonly above: string | null;
      readonly limit: number;
    }) => Effect.Effect<ReadonlyArray<string>, AuditReadError>;
    /** The next traces after `above` whose start or seal no entry holds, numbered or waiting. */
    readonly unloggedTraceIds: (input: {
      readonly above: string | null;
      readonly limit: number;
    }) => Effect.Effect<ReadonlyArray<string>, AuditReadError>;
    /** Traces in the order of their ids. */
    readonly traces: (
      range: TraceRange,
    ) => Effect.Effect<ReadonlyArray<AuditedTrace>, AuditReadError>;
    /** Steps of the traces of a range, by trace id and index. */
    readonly forEachStepPage: <E, R>(
      range: TraceRange,
      use: UsePage<StoredStep, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** Entries that name the traces of a range, by trace id: the numbered in order, then those that wait. */
    readonly forEachTraceEntryPage: <E, R>(
      range: TraceRange,
      use: UsePage<AuditedEntry, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** Entries that name some traces: the numbered in order, then those that wait. */
    readonly forEachEntryPageOf: <E, R>(
      trace_ids: ReadonlyArray<string>,
      use: UsePage<AuditedEntry, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** Numbered entries, in order. */
    readonly forEachEntryPage: <E, R>(
      range: { readonly from: number; readonly before: number },
      use: UsePage<AuditedEntry, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** OPENED entries before an index whose trace is not there, in order. */
    readonly forEachOpenedOfNone: <E, R>(
      before: number,
      use: UsePage<AuditedEntry, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** The index after that of the `count`-th entry from an index on; null where none is below `before`. */
    readonly entryEnd: (input: {
      readonly from: number;
      readonly before: number;
      readonly count: number;
    }) => Effect.Effect<number | null, AuditReadError>;
    /** Entries that wait for their index, in the order that they came. */
    readonly forEachQueuedPage: <E, R>(
      use: UsePage<AuditedEntry, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** The traces that entries name, as far as they are there. */
    readonly entryTraces: (
      trace_ids: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<EntryTrace>, AuditReadError>;
    /** Rows that name a trace which is not there, in the order of the traces. */
    readonly forEachOrphanPage: <E, R>(
      use: UsePage<Orphan, E, R>,
    ) => Effect.Effect<void, E | AuditReadError, R>;
    /** Full tiles of a level. */
    readonly tiles: (input: {
      readonly level: number;
      readonly from: number;
      readonly count: number;
    }) => Effect.Effect<ReadonlyArray<AuditedTile>, AuditReadError>;
    /** Tiles that a log of this snapshot's size can't have, a few at most. */
    readonly strayTiles: Effect.Effect<
      ReadonlyArray<Pick<AuditedTile, "level" | "tile_index">>,
      AuditReadError
    >;
    readonly drift: Effect.Effect<ReadonlyArray<Drift>, AuditReadError>;
  }
>()("@runproof/drivers/AuditStore") {}
