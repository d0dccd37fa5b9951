import type { TreeHead } from "@runproof/proof/Checkpoint";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { CheckpointsBridge } from "../../CheckpointsBridge.ts";
import { SignerBridge } from "../../SignerBridge.ts";
import { headOf } from "./LoggedTree.ts";

/** A tree head with the note that says it. */
export type NotedHead = TreeHead & { readonly note: string };

/**
 * The checkpoint to prove and publish under; null where none was signed yet. Where this process has the key, it is the
 * one that was signed last, as the signer knows it: whoever may write into the database may put another there. Without a
 * key it is the newest that the database keeps, and who signed that is for the reader of the proof to check.
 */
export const latestHead: Effect.Effect<
  NotedHead | null,
  DatabaseError | StoredDataUnreadable,
  CheckpointsBridge | SignerBridge
> = Effect.gen(function* () {
  const signer = yield* SignerBridge;
  const own = yield* Effect.option(signer.status);
  if (own._tag === "Some" && own.value.keys.length > 0) return own.value.last;
  const checkpoints = yield* CheckpointsBridge;
  const kept = yield* checkpoints.latest;
  return kept === null ? null : yield* headOf(kept);
});
