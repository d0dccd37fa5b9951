/**
 * Goal: a proof read from O(log n) stored hashes is the one made from all leaves. Method: every index and size up to 70,
 * and the number of reads at ten million entries.
 */
import { describe, expect, it } from "vitest";
import {
  consistencyPath,
  EMPTY_ROOT,
  inclusionPath,
  verifyConsistency,
  verifyInclusion,
} from "../src/MerkleTree.ts";
import { planConsistency, planInclusion, planRoot } from "../src/ProofPlan.ts";
import { entryAt, Log } from "./LogFixture.ts";

const SIZE_MAX = 70;
const log = new Log();
log.append(...Array.from({ length: SIZE_MAX }, (_, index) => entryAt(index)));

describe("every size up to 70", () => {
  it("has its root", () => {
    expect(planRoot(0).build([])).toBe(EMPTY_ROOT);
    for (let size = 1; size <= SIZE_MAX; size++)
      expect(log.read(planRoot(size))).toBe(log.root(size));
  });

  it("has the inclusion path of each leaf", () => {
    for (let size = 1; size <= SIZE_MAX; size++) {
      const leaves = log.leaves.slice(0, size);
      const root = log.root(size);
      for (let index = 0; index < size; index++) {
        const path = log.read(planInclusion(index, size));
        expect(path).toEqual(inclusionPath(leaves, index));
        expect(verifyInclusion({ leaf_hash: leaves[index]!, index, size, path, root })).toBe(true);
      }
    }
  });

  it("has the consistency path from each smaller one", () => {
    for (let new_size = 1; new_size <= SIZE_MAX; new_size++) {
      for (let old_size = 1; old_size <= new_size; old_size++) {
        const path = log.read(planConsistency(old_size, new_size));
        expect(path).toEqual(consistencyPath(log.leaves.slice(0, new_size), old_size));
        const [old_root, new_root] = [log.root(old_size), log.root(new_size)];
        expect(verifyConsistency({ old_size, new_size, old_root, new_root, path })).toBe(true);
      }
    }
  });
});

describe("a large log", () => {
  it("is read in few places, which lie within it", () => {
    const size = 10_000_019;
    const plans = [
      planRoot(size),
      ...[0, 1, 65_535, 9_999_999, size - 1].map((index) => planInclusion(index, size)),
      ...[1, 2, 65_536, 9_999_999, size].map((old) => planConsistency(old, size)),
    ];
    for (const { nodes } of plans) {
      expect(nodes.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(size)));
      for (const { level, index } of nodes) {
        expect(Number.isSafeInteger(index)).toBe(true);
        expect((index + 1) * 2 ** level).toBeLessThanOrEqual(size);
      }
    }
  });

  it("has no proof of what it does not hold", () => {
    for (const [index, size] of [
      [5, 5],
      [-1, 5],
      [0, 0],
      [0.5, 5],
      [0, NaN],
    ] as const) {
      expect(() => planInclusion(index, size)).toThrow(RangeError);
    }
    for (const [old, size] of [
      [0, 5],
      [6, 5],
      [0, 0],
      [1.5, 5],
      [-1, 5],
    ] as const) {
      expect(() => planConsistency(old, size)).toThrow(RangeError);
    }
    expect(() => planRoot(-1)).toThrow(RangeError);
  });
});
