/**
 * Goal: roots and proofs are RFC 6962's, and a proof that is not exact is refused. Method: others' cases, and for every
 * size up to 40 the tree by the RFC's own recursive definition as oracle.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../src/Hash.ts";
import {
  CompactRange,
  consistencyPath,
  EMPTY_ROOT,
  type Inclusion,
  inclusionPath,
  merkleRoot,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from "../src/MerkleTree.ts";
import { describeShared, listShared, readShared } from "./SharedData.ts";

const hexOf = (base64: string): string => Buffer.from(base64, "base64").toString("hex");

interface InclusionCase {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: ReadonlyArray<string> | null;
  readonly wantErr: boolean;
}

interface ConsistencyCase {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: ReadonlyArray<string> | null;
  readonly wantErr: boolean;
}

describeShared("merkle", () => {
  const files = listShared("merkle");
  it.each(files.filter((name) => name.includes("inclusion")))("%s", (name) => {
    const { leafIdx, treeSize, root, leafHash, proof, wantErr } = JSON.parse(
      readShared(name),
    ) as InclusionCase;
    const holds = verifyInclusion({
      leaf_hash: hexOf(leafHash),
      index: leafIdx,
      size: treeSize,
      path: (proof ?? []).map(hexOf),
      root: hexOf(root),
    });
    expect(holds).toBe(!wantErr);
  });

  it.each(files.filter((name) => name.includes("consistency")))("%s", (name) => {
    const { size1, size2, root1, root2, proof, wantErr } = JSON.parse(
      readShared(name),
    ) as ConsistencyCase;
    const holds = verifyConsistency({
      old_size: size1,
      new_size: size2,
      old_root: hexOf(root1),
      new_root: hexOf(root2),
      path: (proof ?? []).map(hexOf),
    });
    expect(holds).toBe(!wantErr);
  });
});

const SIZE_MAX = 40;
const leaves = Array.from({ length: SIZE_MAX }, (_, index) => sha256(`leaf ${index}`));

/** MTH of RFC 6962 section 2.1, as it is written there. */
const naiveRoot = (of: ReadonlyArray<string>): string => {
  if (of.length === 0) return sha256("");
  if (of.length === 1) return of[0]!;
  const split = 2 ** Math.floor(Math.log2(of.length - 1));
  return nodeHash(naiveRoot(of.slice(0, split)), naiveRoot(of.slice(split)));
};

const sizes = Array.from({ length: SIZE_MAX }, (_, index) => index + 1);

describe("every size up to 40", () => {
  it("has the root of the recursive definition, leaf by leaf too", () => {
    const range = new CompactRange();
    expect(range.root()).toBe(EMPTY_ROOT);
    for (const size of sizes) {
      range.append(leaves[size - 1]!);
      expect(range.size).toBe(size);
      expect(range.root()).toBe(naiveRoot(leaves.slice(0, size)));
      expect(merkleRoot(leaves.slice(0, size))).toBe(range.root());
    }
  });

  it("shows each of its leaves at its own index, in its own size, and nowhere else", () => {
    for (const size of sizes) {
      const tree = leaves.slice(0, size);
      const root = naiveRoot(tree);
      for (let index = 0; index < size; index++) {
        const path = inclusionPath(tree, index);
        const proof: Inclusion = { leaf_hash: tree[index]!, index, size, path, root };
        expect(verifyInclusion(proof)).toBe(true);
        for (let other = 0; other < size; other++) {
          if (other !== index) expect(verifyInclusion({ ...proof, index: other })).toBe(false);
        }
        expect(verifyInclusion({ ...proof, root: EMPTY_ROOT })).toBe(false);
        expect(verifyInclusion({ ...proof, leaf_hash: EMPTY_ROOT })).toBe(false);
        expect(verifyInclusion({ ...proof, path: [...path, root] })).toBe(false);
        expect(verifyInclusion({ ...proof, path: [root, ...path] })).toBe(false);
        if (path.length > 0) {
          expect(verifyInclusion({ ...proof, path: path.slice(1) })).toBe(false);
          expect(verifyInclusion({ ...proof, path: path.slice(0, -1) })).toBe(false);
        }
      }
    }
  });

  it("extends each smaller one, and no tree that differs in a leaf", () => {
    for (const new_size of sizes) {
      for (let old_size = 1; old_size <= new_size; old_size++) {
        const path = consistencyPath(leaves.slice(0, new_size), old_size);
        const proof = {
          old_size,
          new_size,
          old_root: naiveRoot(leaves.slice(0, old_size)),
          new_root: naiveRoot(leaves.slice(0, new_size)),
          path,
        };
        expect(verifyConsistency(proof)).toBe(true);
        const forged = leaves.with(old_size - 1, EMPTY_ROOT);
        expect(
          verifyConsistency({ ...proof, old_root: naiveRoot(forged.slice(0, old_size)) }),
        ).toBe(false);
        expect(verifyConsistency({ ...proof, new_root: EMPTY_ROOT })).toBe(false);
        expect(verifyConsistency({ ...proof, path: [...path, EMPTY_ROOT] })).toBe(false);
        if (path.length > 0) {
          expect(verifyConsistency({ ...proof, path: path.slice(0, -1) })).toBe(false);
          expect(verifyConsistency({ ...proof, path: path.slice(1) })).toBe(false);
        }
        expect(verifyConsistency({ ...proof, old_size: 0, old_root: EMPTY_ROOT, path: [] })).toBe(
          false,
        );
        expect(verifyConsistency({ ...proof, old_size: new_size + 1 })).toBe(false);
      }
    }
  });
});

describe("malformed proofs", () => {
  const tree = leaves.slice(0, 7);
  const good: Inclusion = {
    leaf_hash: tree[3]!,
    index: 3,
    size: 7,
    path: inclusionPath(tree, 3),
    root: naiveRoot(tree),
  };
  it.each([
    { size: 0 },
    { size: -7 },
    { size: 7.5 },
    { size: NaN },
    { size: Infinity },
    { size: 2 ** 53 },
    { size: "7" },
    { index: -1 },
    { index: 7 },
    { index: 3.5 },
    { index: NaN },
    { index: "3" },
    { leaf_hash: "" },
    { leaf_hash: good.leaf_hash.toUpperCase() },
    { leaf_hash: good.leaf_hash.slice(2) },
    { leaf_hash: null },
    { root: "" },
    { root: `${good.root}00` },
    { root: undefined },
    { path: undefined },
    { path: null },
    { path: {} },
    { path: good.path.join() },
    { path: [] },
    { path: good.path.map((hash) => hash.slice(2)) },
    { path: good.path.map((hash) => hash.toUpperCase()) },
    { path: [null, ...good.path.slice(1)] },
  ])("%j", (change) => {
    expect(verifyInclusion({ ...good, ...change } as Inclusion)).toBe(false);
  });

  it("an index beyond a tree of one leaf", () => {
    const alone = { leaf_hash: tree[0]!, index: 0, size: 1, path: [], root: tree[0]! };
    expect(verifyInclusion(alone)).toBe(true);
    expect(verifyInclusion({ ...alone, index: 1 })).toBe(false);
  });

  it("any change of one digit", () => {
    fc.assert(
      fc.property(
        fc.nat(good.path.length - 1),
        fc.nat(63),
        fc.integer({ min: 1, max: 15 }),
        (at, digit, by) => {
          const hash = good.path[at]!;
          const changed = ((Number.parseInt(hash[digit]!, 16) + by) % 16).toString(16);
          const path = good.path.with(at, hash.slice(0, digit) + changed + hash.slice(digit + 1));
          expect(verifyInclusion({ ...good, path })).toBe(false);
        },
      ),
    );
  });

  it("between one tree and itself, of roots that are not there or differ", () => {
    const same = { old_size: 7, new_size: 7, path: [] };
    for (const [old_root, new_root] of [
      [undefined, undefined],
      [null, null],
      [EMPTY_ROOT, good.root],
    ]) {
      expect(verifyConsistency({ ...same, old_root, new_root } as never)).toBe(false);
    }
    expect(verifyConsistency({ ...same, old_root: good.root, new_root: good.root })).toBe(true);
  });

  it("are not made for leaves that are not there", () => {
    expect(() => inclusionPath(tree, 7)).toThrow(RangeError);
    expect(() => inclusionPath([], 0)).toThrow(RangeError);
    expect(() => consistencyPath(tree, 0)).toThrow(RangeError);
    expect(() => consistencyPath(tree, 8)).toThrow(RangeError);
    expect(() => new CompactRange().append("ab")).toThrow(TypeError);
  });

  it("of trees beyond 32 bits are followed with whole numbers", () => {
    // The rightmost leaf of a tree of 2^40 + 1 leaves hangs directly under the root.
    const left = sha256("left");
    const leaf_hash = sha256("right");
    const proof = {
      leaf_hash,
      index: 2 ** 40,
      size: 2 ** 40 + 1,
      path: [left],
      root: nodeHash(left, leaf_hash),
    };
    expect(verifyInclusion(proof)).toBe(true);
    expect(verifyInclusion({ ...proof, index: 2 ** 40 - 1 })).toBe(false);
    expect(verifyInclusion({ ...proof, index: 0, size: 1 })).toBe(false);
  });
});
