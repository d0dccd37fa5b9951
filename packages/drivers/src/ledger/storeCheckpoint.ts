import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { type Database, SIGNER_ROLE } from "../Database.ts";
import type { StoredCheckpoint } from "./readCheckpoint.ts";
import { asRole } from "../internal/postgres/asRole.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Keeps a signed checkpoint, as the signer's role. */
export const storeCheckpoint =
  (database: Database["Service"]) =>
  (checkpoint: Omit<StoredCheckpoint, "stored_at">): Effect.Effect<void, DatabaseError> =>
    database.write`
      select runproof_store_checkpoint(
        ${checkpoint.origin}, ${BigInt(checkpoint.tree_size)}, ${checkpoint.root_hash}, ${checkpoint.note}
      )`.pipe(
      Effect.asVoid,
      Effect.mapError(databaseError("storeCheckpoint", database.description)),
      asRole(SIGNER_ROLE, database),
    );
