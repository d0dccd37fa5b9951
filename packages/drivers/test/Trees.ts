/** Trees to sign, in memory, with the evidence that a signer demands. */
import type { LogSigner, SignedCheckpoint, TreeProposal } from "@runproof/drivers/LogSigner";
import { sha256 } from "@runproof/proof/Hash";
import { consistencyPath, merkleRoot } from "@runproof/proof/MerkleTree";
import * as Effect from "effect/Effect";

/** The leaves of a log of some size; those of another branch differ from leaf `from` on. */
export const leavesOf = (
  size: number,
  { branch = "", from = 0 }: { readonly branch?: string; readonly from?: number } = {},
): ReadonlyArray<string> =>
  Array.from({ length: size }, (_, at) => sha256(`leaf ${at}${at < from ? "" : branch}`));

/** Proposes a log as a caller with an honest database would. */
export const propose =
  (leaves: ReadonlyArray<string>) =>
  (last: SignedCheckpoint | null): Effect.Effect<TreeProposal> => {
    const signed_size = last?.tree_size ?? 0;
    const hasSigned = signed_size > 0 && signed_size <= leaves.length;
    return Effect.succeed({
      tree_size: leaves.length,
      root_hash: merkleRoot(leaves),
      signed_root: hasSigned ? merkleRoot(leaves.slice(0, signed_size)) : null,
      consistency: hasSigned ? consistencyPath(leaves, signed_size) : [],
    });
  };

/** Has a log signed. */
export const sign = (leaves: ReadonlyArray<string>) => (signer: LogSigner) =>
  signer.sign(propose(leaves));
