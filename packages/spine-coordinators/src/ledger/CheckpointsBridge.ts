/** The one door from the coordinators to the checkpoints that the database keeps. Trust comes from copies outside it. */
import {
  type CheckpointPage,
  type CheckpointPosition,
  LogStore,
  type StoredCheckpoint,
} from "@runproof/drivers/LogStore";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { CheckpointPage, CheckpointPosition, StoredCheckpoint };

/** Keeps signed checkpoints. */
export class CheckpointsBridge extends Context.Service<
  CheckpointsBridge,
  {
    readonly store: (
      checkpoint: Omit<StoredCheckpoint, "stored_at">,
    ) => Effect.Effect<void, DatabaseError>;
    /** The one of the largest tree; null where none was signed yet. */
    readonly latest: Effect.Effect<StoredCheckpoint | null, DatabaseError>;
    /** Those behind a position, or from the start: of the largest trees first. */
    readonly page: (
      after: CheckpointPosition | null,
    ) => Effect.Effect<CheckpointPage, DatabaseError>;
    /** The one kept last of a tree of just that size; null where there is none. */
    readonly ofSize: (tree_size: number) => Effect.Effect<StoredCheckpoint | null, DatabaseError>;
  }
>()("@runproof/spine-coordinators/ledger/CheckpointsBridge") {
  static readonly layer: Layer.Layer<CheckpointsBridge, never, LogStore> = Layer.effect(
    CheckpointsBridge,
    Effect.map(LogStore, (store) =>
      CheckpointsBridge.of({
        store: store.storeCheckpoint,
        latest: store.latestCheckpoint,
        page: store.checkpointPage,
        ofSize: store.checkpointOfSize,
      }),
    ),
  );
}
