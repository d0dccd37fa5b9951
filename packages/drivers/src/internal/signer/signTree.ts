import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { verifyConsistency } from "@runproof/proof/MerkleTree";
import {
  type FileFailed,
  LogForked,
  LogShrunk,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { OpenSigner, SignerError } from "./OpenSigner.ts";
import { type SignedCheckpoint, writeState } from "./SignerState.ts";

/** What an error calls the checkpoint that the signer signed last. */
export const SIGNED_LAST = "the checkpoint that this key signed last";

/** A tree to sign, with the evidence that it extends the last one that was signed. */
export interface TreeProposal {
  readonly tree_size: number;
  readonly root_hash: string;
  /** The root over as many entries as the last signed tree had; null where there are fewer, or none was signed. */
  readonly signed_root: string | null;
  /** The consistency proof from the last signed tree; empty where there is none. */
  readonly consistency: ReadonlyArray<string>;
}

/** What keeps a tree from being signed. */
export type SignError = SignerError | Refusal;

type Refusal = LogShrunk | LogForked | StoredDataUnreadable;

/** Why a tree is not to be signed after the last one, or null. */
export const refusalOf = (last: SignedCheckpoint | null, tree: TreeProposal): Refusal | null => {
  // From the empty tree every tree is an extension, and there is nothing to prove.
  if (last === null || last.tree_size === 0) return null;
  if (tree.tree_size < last.tree_size) {
    return new LogShrunk({
      signed_size: last.tree_size,
      size: tree.tree_size,
      said_by: SIGNED_LAST,
    });
  }
  const isExtension = verifyConsistency({
    old_size: last.tree_size,
    new_size: tree.tree_size,
    old_root: last.root_hash,
    new_root: tree.root_hash,
    path: tree.consistency,
  });
  if (isExtension) return null;
  if (tree.signed_root !== null && tree.signed_root !== last.root_hash) {
    return new LogForked({
      said_by: SIGNED_LAST,
      signed_size: last.tree_size,
      signed_root_hash: last.root_hash,
      root_hash: tree.signed_root,
    });
  }
  return new StoredDataUnreadable({
    where: "the log's tree hashes",
    what: `the proof that the tree of ${tree.tree_size} entries extends the signed one of ${last.tree_size} does not hold, so the hashes contradict each other`,
  });
};

/** Asks for a tree, and signs it if it extends the last one. */
export const signTree = <E, R>(
  { config, keys, state }: OpenSigner,
  propose: (last: SignedCheckpoint | null) => Effect.Effect<TreeProposal, E, R>,
): Effect.Effect<SignedCheckpoint, E | Refusal | FileFailed, R> =>
  Effect.gen(function* () {
    const { last } = state;
    const { tree_size, root_hash, ...evidence } = yield* propose(last);
    const refusal = refusalOf(last, { tree_size, root_hash, ...evidence });
    if (refusal !== null) {
      yield* Effect.logError(`the log is not signed: ${refusal.message}`);
      return yield* refusal;
    }
    if (last !== null && last.tree_size === tree_size && last.root_hash === root_hash) return last;
    const head = { origin: keys[0].verifier.name, tree_size, root_hash };
    const signed = { ...head, note: signCheckpoint(head, keys) };
    // Nor is a rotation's end noted here: who began it has not heard of it yet, and would begin another.
    yield* writeState(config.state_path, { ...state, last: signed });
    return signed;
  });
