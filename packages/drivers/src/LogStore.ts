/** The transparency log's tables: entries with their indexes, the tree's hashes, and checkpoints. */
import type { TreeNode } from "@runproof/proof/ProofPlan";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";

/** An entry of the log. `kind` is the format's: 1 OPENED, 2 SEALED, 3 HEAD, 4 EVENT. */
export interface StoredLogEntry {
  readonly log_index: number;
  readonly kind: number;
  /** 64 lower-case hex digits. */
  readonly digest: string;
  readonly trace_id: string | null;
  /** The canonical text of an EVENT's record. */
  readonly event_record: string | null;
}

/** A checkpoint kept in the database, for convenience: trust comes from copies outside. */
export interface StoredCheckpoint {
  readonly origin: string;
  readonly tree_size: number;
  readonly root_hash: string;
  /** The signed note. */
  readonly note: string;
  readonly stored_at: string;
}

/** Some kept checkpoints, of the largest trees first. */
export interface CheckpointPage {
  readonly checkpoints: ReadonlyArray<StoredCheckpoint>;
  /** Where the next page goes on; null where there is none. */
  readonly next: CheckpointPosition | null;
}

/** The last checkpoint of a page. */
export interface CheckpointPosition {
  readonly tree_size: bigint;
  readonly checkpoint_id: bigint;
}

/** How far the log is: entries with an index, and those committed that wait for one. */
export interface LogSize {
  readonly size: number;
  readonly pending: number;
}

/** A store of the log. */
export class LogStore extends Context.Service<
  LogStore,
  {
    /** Numbers what was committed before the call, unless another process is doing it; answers how many it numbered. */
    readonly sequence: Effect.Effect<number, DatabaseError>;
    readonly size: Effect.Effect<LogSize, DatabaseError>;
    /** Up to `limit` entries (`LOG_PAGE` where it is left out) from an index on, in order. A missing one is missing here too. */
    readonly entries: (
      from: number,
      limit?: number,
    ) => Effect.Effect<ReadonlyArray<StoredLogEntry>, DatabaseError>;
    /** A trace's entries in order. */
    readonly entriesOfTrace: (
      trace_id: string,
    ) => Effect.Effect<ReadonlyArray<StoredLogEntry>, DatabaseError>;
    /** Hashes of complete subtrees, in the order asked for, in hex; O(1) reads each. */
    readonly nodes: (
      nodes: ReadonlyArray<TreeNode>,
    ) => Effect.Effect<ReadonlyArray<string>, DatabaseError | StoredDataUnreadable>;
    /** Queues an EVENT; `record` is an event record's canonical text. */
    readonly recordEvent: (record: string) => Effect.Effect<void, DatabaseError>;
    readonly storeCheckpoint: (
      checkpoint: Omit<StoredCheckpoint, "stored_at">,
    ) => Effect.Effect<void, DatabaseError>;
    /** The checkpoint of the largest tree; null where none was signed yet. */
    readonly latestCheckpoint: Effect.Effect<StoredCheckpoint | null, DatabaseError>;
    /** The kept checkpoints behind a position, or from the start: those of the largest trees first, of one size the latest. */
    readonly checkpointPage: (
      after: CheckpointPosition | null,
    ) => Effect.Effect<CheckpointPage, DatabaseError>;
    /** The checkpoint kept last of a tree of just that size; null where there is none. */
    readonly checkpointOfSize: (
      tree_size: number,
    ) => Effect.Effect<StoredCheckpoint | null, DatabaseError>;
  }
>()("@runproof/drivers/LogStore") {}
