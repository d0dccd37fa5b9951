/** Reads of the log's tree, each checked before it is answered. */
import { parseCheckpoint, type TreeHead } from "@runproof/proof/Checkpoint";
import { rootFromInclusion, verifyConsistency } from "@runproof/proof/MerkleTree";
import {
  planConsistency,
  planInclusion,
  planRoot,
  type ProofPlan,
} from "@runproof/proof/ProofPlan";
import {
  type DatabaseError,
  LogForked,
  LogShrunk,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LedgerBridge, type StoredCheckpoint } from "../LedgerBridge.ts";
import { refusable } from "../../internal/refused.ts";

/** What reading the tree may meet. */
export type TreeError = DatabaseError | StoredDataUnreadable;

const read = <A>(plan: ProofPlan<A>): Effect.Effect<A, TreeError, LedgerBridge> =>
  Effect.flatMap(LedgerBridge, ({ log }) => Effect.map(log.nodes(plan.nodes), plan.build));

/** The root over the first `size` entries. */
export const rootOf = (size: number): Effect.Effect<string, TreeError, LedgerBridge> =>
  read(planRoot(size));

/** The consistency proof between two sizes; empty from the empty tree, from which there is nothing to prove. */
export const consistencyOf = (
  old_size: number,
  new_size: number,
): Effect.Effect<ReadonlyArray<string>, TreeError, LedgerBridge> =>
  old_size === 0 ? Effect.succeed([]) : read(planConsistency(old_size, new_size));

/** A kept checkpoint as its note says it: the note is what counts, and columns beside it that differ were changed. */
export const headOf = (
  kept: StoredCheckpoint,
): Effect.Effect<TreeHead & { readonly note: string }, StoredDataUnreadable> =>
  Effect.gen(function* () {
    const where = `the kept checkpoint of ${kept.tree_size} entries`;
    const { origin, tree_size, root_hash } = yield* refusable(() =>
      parseCheckpoint(kept.note),
    ).pipe(Effect.mapError(({ what }) => new StoredDataUnreadable({ where, what })));
    if (origin !== kept.origin || tree_size !== kept.tree_size || root_hash !== kept.root_hash) {
      return yield* new StoredDataUnreadable({
        where,
        what: "its note says another tree than the columns beside it",
      });
    }
    return { origin, tree_size, root_hash, note: kept.note };
  });

/** Fails unless the log still begins with the tree of a head: `LogShrunk` or `LogForked` says how it does not, and who says the head. */
export const requireTree = (
  head: Pick<TreeHead, "tree_size" | "root_hash">,
  said_by: string,
): Effect.Effect<void, TreeError | LogShrunk | LogForked, LedgerBridge> =>
  Effect.gen(function* () {
    const { size } = yield* Effect.flatMap(LedgerBridge, ({ log }) => log.size);
    if (size < head.tree_size) {
      return yield* new LogShrunk({ signed_size: head.tree_size, size, said_by });
    }
    const root_hash = yield* rootOf(head.tree_size);
    if (root_hash !== head.root_hash) {
      return yield* new LogForked({
        said_by,
        signed_size: head.tree_size,
        signed_root_hash: head.root_hash,
        root_hash,
      });
    }
  });

/** The path of an entry to the root of a head; what does not lead there is not answered. */
export const inclusionOf = (
  { index, leaf_hash }: { readonly index: number; readonly leaf_hash: string },
  { tree_size, root_hash }: Pick<TreeHead, "tree_size" | "root_hash">,
): Effect.Effect<ReadonlyArray<string>, TreeError, LedgerBridge> =>
  Effect.gen(function* () {
    const path = yield* read(planInclusion(index, tree_size));
    if (rootFromInclusion({ leaf_hash, index, size: tree_size, path }) === root_hash) return path;
    return yield* new StoredDataUnreadable({
      where: `log entry ${index}`,
      what: `it is not in the tree of the checkpoint over ${tree_size} entries`,
    });
  });

/** The proof that a tree extends another; what does not hold is not answered. */
export const checkedConsistency = (
  from: Pick<TreeHead, "tree_size" | "root_hash">,
  to: Pick<TreeHead, "tree_size" | "root_hash">,
): Effect.Effect<ReadonlyArray<string>, TreeError, LedgerBridge> =>
  Effect.gen(function* () {
    const path = yield* consistencyOf(from.tree_size, to.tree_size);
    const holds =
      from.tree_size === 0 ||
      verifyConsistency({
        old_size: from.tree_size,
        new_size: to.tree_size,
        old_root: from.root_hash,
        new_root: to.root_hash,
        path,
      });
    if (holds) return path;
    return yield* new StoredDataUnreadable({
      where: "the log's tree hashes",
      what: `the proof from ${from.tree_size} to ${to.tree_size} entries does not hold, so they contradict each other`,
    });
  });
