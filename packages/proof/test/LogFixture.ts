/** A log in memory: its entries, the hash of any complete subtree, checkpoints and proofs. */
import { signCheckpoint } from "../src/Checkpoint.ts";
import { sha256 } from "../src/Hash.ts";
import { entryLeafHash, type LogEntry, LogEntryKind } from "../src/LogEntry.ts";
import { merkleRoot, nodeHash } from "../src/MerkleTree.ts";
import type { SignerKey } from "../src/NoteKey.ts";
import { planInclusion, type ProofPlan, type TreeNode } from "../src/ProofPlan.ts";
import { formatTlogProof } from "../src/TlogProof.ts";

/** An entry of some other run. */
export const entryAt = (index: number): LogEntry => ({
  kind: (index % 4) + 1,
  digest: sha256(`entry ${index}`),
});

export class Log {
  readonly entries: Array<LogEntry> = [];
  readonly leaves: Array<string> = [];
  /** Hashes of complete subtrees by level and index, as a database would keep them. */
  readonly #nodes: Array<Array<string>> = [[]];

  append(...entries: ReadonlyArray<LogEntry>): void {
    for (const entry of entries) {
      this.entries.push(entry);
      let hash = entryLeafHash(entry);
      this.leaves.push(hash);
      for (let level = 0; ; level++) {
        const row = (this.#nodes[level] ??= []);
        row.push(hash);
        if (row.length % 2 === 1) break;
        hash = nodeHash(row.at(-2)!, hash);
      }
    }
  }

  get size(): number {
    return this.entries.length;
  }

  node({ level, index }: TreeNode): string {
    const hash = this.#nodes[level]?.[index];
    if (hash === undefined) throw new Error(`no node ${index} at level ${level}`);
    return hash;
  }

  /** Reads what a plan asks for, and builds it. */
  read<A>(plan: ProofPlan<A>): A {
    return plan.build(plan.nodes.map((node) => this.node(node)));
  }

  root(size = this.size): string {
    return merkleRoot(this.leaves.slice(0, size));
  }

  checkpoint(origin: string, keys: ReadonlyArray<SignerKey>, size = this.size): string {
    return signCheckpoint({ origin, tree_size: size, root_hash: this.root(size) }, keys);
  }

  proof(index: number, checkpoint: string, size = this.size): string {
    return formatTlogProof({ index, path: this.read(planInclusion(index, size)), checkpoint });
  }
}

/** A log of `size` entries in which a run is opened and sealed. */
export const logWithRun = (
  size: number,
  { opened, sealed }: { readonly opened: string; readonly sealed: string },
  at: { readonly opened: number; readonly sealed: number },
): Log => {
  const log = new Log();
  for (let index = 0; index < size; index++) {
    if (index === at.opened) log.append({ kind: LogEntryKind.OPENED, digest: opened });
    else if (index === at.sealed) log.append({ kind: LogEntryKind.SEALED, digest: sealed });
    else log.append(entryAt(index));
  }
  return log;
};
