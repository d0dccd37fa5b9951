import type { TreeHead } from "@runproof/proof/Checkpoint";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { CheckpointsBridge } from "../../CheckpointsBridge.ts";
import { SignerBridge } from "../../SignerBridge.ts";
import { headOf } from "./LoggedTree.ts";

/** A tree head with the note that says it. */
export type NotedHead = TreeHead & { readonly note: string };

/** What this process's signer signed last; null where it signed nothing yet, undefined where this process has no key. */
const ownHead: Effect.Effect<NotedHead | null | undefined, never, SignerBridge> = Effect.gen(
  function* () {
    const signer = yield* SignerBridge;
    const status = yield* Effect.option(signer.status);
    return Option.isSome(status) && status.value.keys.length > 0 ? status.value.last : undefined;
  },
);

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
  const own = yield* ownHead;
  if (own !== undefined) return own;
  const checkpoints = yield* CheckpointsBridge;
  const kept = yield* checkpoints.latest;
  return kept === null ? null : yield* headOf(kept);
});

/** Whether this process's signer signed a head last, so that a log which contradicts it was changed. */
export const isOwnHead = ({ note }: NotedHead): Effect.Effect<boolean, never, SignerBridge> =>
  Effect.map(ownHead, (own) => own?.note === note);
