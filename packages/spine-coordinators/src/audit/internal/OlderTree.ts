import { EMPTY_ROOT, verifyConsistency } from "@runproof/proof/MerkleTree";
import { planConsistency, planRoot } from "@runproof/proof/ProofPlan";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { AuditReadError, AuditReads } from "../AuditBridge.ts";
import { type AuditRun, orUnreadable } from "./AuditRun.ts";

interface Tree {
  readonly tree_size: number;
  readonly root_hash: string;
}

const readRoot = Effect.fnUntraced(function* (
  reads: AuditReads,
  older: Tree,
  walked: Tree,
): Effect.fn.Return<string | null, AuditReadError> {
  const consistency = planConsistency(older.tree_size, walked.tree_size);
  const path = consistency.build(yield* reads.nodes(consistency.nodes));
  const extends_older = verifyConsistency({
    old_size: older.tree_size,
    new_size: walked.tree_size,
    old_root: older.root_hash,
    new_root: walked.root_hash,
    path,
  });
  if (extends_older) return older.root_hash;
  const { nodes, build } = planRoot(older.tree_size);
  const stored = build(yield* reads.nodes(nodes));
  // Then the stored hashes contradict each other, and none of them is the log's root.
  return stored === older.root_hash ? null : stored;
});

/**
 * The root of the log's first entries where a walk began behind them: that of a checkpoint, where the stored hashes prove
 * that the tree which was walked extends it; else what they say themselves, or null where they say nothing.
 */
export const rootBefore = (
  run: AuditRun,
  older: Tree,
  walked: { readonly tree_size: number; readonly root_hash: string | null },
): Effect.Effect<string | null, DatabaseError> => {
  const { root_hash, tree_size } = walked;
  if (older.tree_size === 0) return Effect.succeed(EMPTY_ROOT);
  if (root_hash === null) return Effect.succeed(null);
  return run
    .snapshot((reads) => readRoot(reads, older, { tree_size, root_hash }))
    .pipe(orUnreadable(run, `the log's tree below ${tree_size} entries`, null));
};
