import { openCheckpoint, type TreeHead } from "@runproof/proof/Checkpoint";
import type { VerifierKey } from "@runproof/proof/NoteKey";
import { Refusal } from "@runproof/proof/Refusal";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { LedgerBridge, noKeyConfigured, type SignerError } from "../LedgerBridge.ts";
import { TrustedKeys } from "../TrustedKeys.ts";
import { headOf } from "./LoggedTree.ts";
import { newestKept } from "./newestKept.ts";

/** A tree head with the note that says it. */
export type NotedHead = TreeHead & { readonly note: string };

/**
 * What this process's signer signed last; null where it signed nothing yet, undefined where this process has no key. A key
 * that is there and can't be used is an error: with another head in its place nobody would look at the key.
 */
const ownHead: Effect.Effect<NotedHead | null | undefined, SignerError, LedgerBridge> = Effect.gen(
  function* () {
    const { signer } = yield* LedgerBridge;
    const { keys, last } = yield* signer.status;
    return keys.length > 0 ? last : undefined;
  },
).pipe(
  Effect.catchTag("ConfigurationInvalid", (error) =>
    error.what === noKeyConfigured().what ? Effect.succeed(undefined) : Effect.fail(error),
  ),
);

/** A kept note as a checkpoint that one of the keys signed; null for any other. */
const openedBy =
  (keys: ReadonlyArray<VerifierKey>) =>
  (note: string): NotedHead | null => {
    try {
      const verdict = openCheckpoint(note, keys);
      if (!verdict.is_trusted) return null;
      const { origin, tree_size, root_hash } = verdict.checkpoint;
      return { origin, tree_size, root_hash, note };
    } catch (error) {
      if (error instanceof Refusal) return null;
      throw error;
    }
  };

/**
 * The checkpoint to prove and publish under; null where there is none. Where `TrustedKeys` are given, it is the newest
 * kept one that they signed. Else, where this process has the key, it is the one that was signed last, as the signer knows
 * it: whoever may write into the database may put another there. With neither it is the newest that the database keeps, and
 * who signed that is for the reader of the proof to check.
 */
export const latestHead: Effect.Effect<
  NotedHead | null,
  DatabaseError | StoredDataUnreadable | SignerError,
  LedgerBridge
> = Effect.gen(function* () {
  const trusted = yield* TrustedKeys;
  if (trusted.length > 0) return yield* newestKept(openedBy(trusted));
  const own = yield* ownHead;
  if (own !== undefined) return own;
  const { checkpoints } = yield* LedgerBridge;
  const kept = yield* checkpoints.latest;
  return kept === null ? null : yield* headOf(kept);
});

/** What is to be said where nobody knows who signed the latest head; null where its signer is known. */
export const unknownSigner: Effect.Effect<string | null, never, LedgerBridge> = Effect.gen(
  function* () {
    if ((yield* TrustedKeys).length > 0 || (yield* ownHead) !== undefined) return null;
    return "Who signed the log's checkpoint was not checked: without the log's key here, it is the newest that the database keeps. Give the verifier key with --vkey KEY.";
  },
).pipe(
  Effect.catch((error) =>
    Effect.succeed(`Who signed the log's checkpoint was not checked: ${error.message}.`),
  ),
);

/** Why there is no latest head. */
export const noHead: Effect.Effect<string> = Effect.map(TrustedKeys, (trusted) =>
  trusted.length > 0
    ? "the database keeps no checkpoint of the log that a given key signed"
    : "no checkpoint of the log was signed yet",
);

/** Whether this process's signer signed a head last, so that a log which contradicts it was changed. */
export const isOwnHead = ({ note }: NotedHead): Effect.Effect<boolean, never, LedgerBridge> =>
  Effect.map(Effect.option(ownHead), (own) => Option.getOrNull(own)?.note === note);
