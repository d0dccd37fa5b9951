/** The one door from the coordinators to the signed log's entries and tree. The door to traces is `LogsBridge`. */
import { type LogSize, LogStore, type StoredLogEntry } from "@runproof/drivers/LogStore";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { LogSize, StoredLogEntry };

/** Which entries: those of a trace, or up to `limit` from an index on; both in the log's order. */
export type EntryQuery =
  | { readonly trace_id: string }
  | { readonly from: number; readonly limit?: number | undefined };

/** Numbers, reads and extends the log. */
export class LogBridge extends Context.Service<
  LogBridge,
  {
    /** Numbers what was committed before the call, unless another process is at it; answers how many it numbered. */
    readonly sequence: Effect.Effect<number, DatabaseError>;
    readonly size: Effect.Effect<LogSize, DatabaseError>;
    readonly entries: (
      query: EntryQuery,
    ) => Effect.Effect<ReadonlyArray<StoredLogEntry>, DatabaseError>;
    /** Hashes of complete subtrees, in the order asked for; O(1) reads each. */
    readonly nodes: (
      nodes: ReadonlyArray<TreeNode>,
    ) => Effect.Effect<ReadonlyArray<string>, DatabaseError | StoredDataUnreadable>;
    /** Queues a key's EVENT by its record's canonical text. */
    readonly recordEvent: (record: string) => Effect.Effect<void, DatabaseError>;
  }
>()("@runproof/spine-coordinators/ledger/LogBridge") {
  static readonly layer: Layer.Layer<LogBridge, never, LogStore> = Layer.effect(
    LogBridge,
    Effect.map(LogStore, (store) =>
      LogBridge.of({
        sequence: store.sequence,
        size: store.size,
        entries: (query) =>
          "trace_id" in query
            ? store.entriesOfTrace(query.trace_id)
            : store.entries(query.from, query.limit),
        nodes: store.nodes,
        recordEvent: store.recordEvent,
      }),
    ),
  );
}
