/**
 * Which hashes of a large tree a proof needs, and how they make it: a log of any size is read in O(log n) places,
 * all of them known before the first is read.
 */
import { EMPTY_ROOT, nodeHash } from "./MerkleTree.ts";

/** A complete subtree: `2 ** level` leaves from leaf `index * 2 ** level` on. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** The hashes to read, and what turns them, in the same order, into the proof. */
export interface ProofPlan<A> {
  readonly nodes: ReadonlyArray<TreeNode>;
  readonly build: (hashes: ReadonlyArray<string>) => A;
}

type Range = readonly [start: number, end: number];

/** The largest power of two below `size`. */
const splitOf = (size: number): number => {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
};

/** The complete subtrees that a subtree of RFC 6962 is made of, from left to right. */
const nodesOf = ([start, end]: Range): ReadonlyArray<TreeNode> => {
  const nodes: Array<TreeNode> = [];
  let from = start;
  while (from < end) {
    let level = 0;
    while (from + 2 ** (level + 1) <= end) level += 1;
    nodes.push({ level, index: from / 2 ** level });
    from += 2 ** level;
  }
  return nodes;
};

/** The hash of a subtree from its complete parts: the smaller ones at the right are joined first. */
const join = (hashes: ReadonlyArray<string>): string =>
  hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));

const planRanges = (ranges: ReadonlyArray<Range>): ProofPlan<ReadonlyArray<string>> => {
  const parts = ranges.map(nodesOf);
  return {
    nodes: parts.flat(),
    build: (hashes) => {
      let at = 0;
      return parts.map((part) => join(hashes.slice(at, (at += part.length))));
    },
  };
};

const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new RangeError(what);
};

/** Plans the root of the tree over the first `size` leaves. */
export const planRoot = (size: number): ProofPlan<string> => {
  demand(Number.isSafeInteger(size) && size >= 0, `no tree has ${size} leaves`);
  const { nodes, build } = planRanges([[0, size]]);
  return { nodes, build: (hashes) => build(hashes)[0]! };
};

/** Plans the inclusion path of a leaf in the tree over the first `size`: from its sibling to the root's child. */
export const planInclusion = (index: number, size: number): ProofPlan<ReadonlyArray<string>> => {
  demand(
    Number.isSafeInteger(index) && index >= 0 && index < size,
    `no leaf ${index} in a tree of ${size}`,
  );
  const ranges: Array<Range> = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  return planRanges(ranges.toReversed());
};

/** Plans the proof that the tree over `newSize` leaves extends the one over `oldSize`; from size 0 there is none. */
export const planConsistency = (
  oldSize: number,
  newSize: number,
): ProofPlan<ReadonlyArray<string>> => {
  demand(
    Number.isSafeInteger(oldSize) && oldSize >= 1 && oldSize <= newSize,
    `no proof from ${oldSize} to ${newSize}`,
  );
  const ranges: Array<Range> = [];
  let [start, end] = [0, newSize];
  // Whether the subtree in hand begins at the first leaf, so that the old root tells its hash.
  let isOldRoot = true;
  while (end !== oldSize) {
    const middle = start + splitOf(end - start);
    if (oldSize <= middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
      isOldRoot = false;
    }
  }
  if (!isOldRoot) ranges.push([start, end]);
  return planRanges(ranges.toReversed());
};
