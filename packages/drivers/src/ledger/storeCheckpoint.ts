import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import type { StoredCheckpoint } from "./readCheckpoint.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Keeps a signed checkpoint. */
export const storeCheckpoint =
  ({ write: sql, description }: Database["Service"]) =>
  (checkpoint: Omit<StoredCheckpoint, "stored_at">): Effect.Effect<void, DatabaseError> =>
    sql`
      select runproof_store_checkpoint(
        ${checkpoint.origin}, ${BigInt(checkpoint.tree_size)}, ${checkpoint.root_hash}, ${checkpoint.note}
      )`.pipe(Effect.asVoid, Effect.mapError(databaseError("storeCheckpoint", description)));
