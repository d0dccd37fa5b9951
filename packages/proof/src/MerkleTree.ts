/**
 * RFC 6962 trees over leaf hashes: roots, inclusion and consistency proofs, and their strict verification.
 * All hashes are hex. Indexes and sizes are safe integers.
 */
import { hashBytes, isHashHex, sha256, sha256Bytes } from "./Hash.ts";

const NODE_PREFIX = 0x01;

/** The root of the tree with no leaf: the hash of nothing. */
export const EMPTY_ROOT: string = sha256("");

/** What is hashed for an inner node. One for all: each use fills it whole. */
const joined = Buffer.alloc(65, NODE_PREFIX);

const joinBytes = (left: Uint8Array, right: Uint8Array): Buffer => {
  joined.set(left, 1);
  joined.set(right, 33);
  return sha256Bytes(joined);
};

/** The hash of an inner node: H( 0x01 || left || right ). */
export const nodeHash = (left: string, right: string): string =>
  joinBytes(hashBytes(left), hashBytes(right)).toString("hex");

/** The left-filled tree over leaves that come one by one: O(log n) memory, O(1) hashes a leaf on average. */
export class CompactRange {
  #size = 0;
  /** The roots of the complete subtrees, largest first: one for each 1 bit of the size. */
  #peaks: Array<Buffer> = [];

  /** A range that goes on from the roots of the complete subtrees of `size` leaves, largest first, as in `planRoot`. */
  static from(size: number, peaks: ReadonlyArray<string>): CompactRange {
    const range = new CompactRange();
    range.#size = size;
    range.#peaks = peaks.map(hashBytes);
    return range;
  }

  /** Another range that goes on from here by itself. */
  copy(): CompactRange {
    const range = new CompactRange();
    range.#size = this.#size;
    range.#peaks = [...this.#peaks];
    return range;
  }

  /** Number of leaves so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds the hash of the next leaf; gives those of the complete subtrees that end with it, from that of two leaves up. */
  append(leaf: string): ReadonlyArray<Buffer> {
    let node = hashBytes(leaf);
    const completed: Array<Buffer> = [];
    for (let size = this.#size; size % 2 === 1; size = (size - 1) / 2) {
      node = joinBytes(this.#peaks.pop()!, node);
      completed.push(node);
    }
    this.#peaks.push(node);
    this.#size += 1;
    return completed;
  }

  /** The root of the tree over the leaves so far. */
  root(): string {
    if (this.#peaks.length === 0) return EMPTY_ROOT;
    return this.#peaks.reduceRight((right, left) => joinBytes(left, right)).toString("hex");
  }
}

/** The root of the tree over these leaf hashes. */
export const merkleRoot = (leaves: Iterable<string>): string => {
  const range = new CompactRange();
  for (const leaf of leaves) range.append(leaf);
  return range.root();
};

/** The largest power of two below a size of at least 2: where RFC 6962 splits a tree. */
const splitOf = (size: number): number => {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
};

const demandIndex = (index: number, size: number): void => {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`no leaf ${index} in a tree of ${size}`);
  }
};

/** The path from a leaf's sibling to the root's child. */
export const inclusionPath = (leaves: ReadonlyArray<string>, index: number): Array<string> => {
  demandIndex(index, leaves.length);
  const path: Array<string> = [];
  let start = 0;
  let end = leaves.length;
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    const isLeft = index < middle;
    path.push(merkleRoot(isLeft ? leaves.slice(middle, end) : leaves.slice(start, middle)));
    if (isLeft) end = middle;
    else start = middle;
  }
  return path.reverse();
};

/** The proof that the tree over all leaves extends the tree over the first `oldSize` of them. */
export const consistencyPath = (leaves: ReadonlyArray<string>, oldSize: number): Array<string> => {
  demandIndex(oldSize - 1, leaves.length);
  const path: Array<string> = [];
  let start = 0;
  let end = leaves.length;
  // Whether the subtree in hand begins at the first leaf, so that the old root tells its hash.
  let isOldRoot = true;
  while (end !== oldSize) {
    const middle = start + splitOf(end - start);
    if (oldSize <= middle) {
      path.push(merkleRoot(leaves.slice(middle, end)));
      end = middle;
    } else {
      path.push(merkleRoot(leaves.slice(start, middle)));
      start = middle;
      isOldRoot = false;
    }
  }
  if (!isOldRoot) path.push(merkleRoot(leaves.slice(start, end)));
  return path.reverse();
};

/** An inclusion proof with what it is about. */
export interface Inclusion {
  readonly leaf_hash: string;
  readonly index: number;
  readonly size: number;
  readonly path: ReadonlyArray<string>;
  readonly root: string;
}

const isPath = (path: unknown): path is ReadonlyArray<string> =>
  Array.isArray(path) && path.every(isHashHex);
const isSize = (size: unknown): size is number =>
  Number.isSafeInteger(size) && (size as number) >= 1;
const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

/**
 * The root that an inclusion path leads to, or null where the path does not fit the index and size. RFC 9162 section
 * 2.1.3.2, with halves instead of shifts, which JavaScript does on 32 bits only.
 */
export const rootFromInclusion = (proof: Omit<Inclusion, "root">): string | null => {
  const { index, size, path, leaf_hash } = proof;
  if (!isSize(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return null;
  if (!isHashHex(leaf_hash) || !isPath(path)) return null;
  let node = index;
  let last = size - 1;
  let hash = hashBytes(leaf_hash);
  for (const step of path) {
    if (last === 0) return null;
    const sibling = hashBytes(step);
    if (isOdd(node) || node === last) {
      hash = joinBytes(sibling, hash);
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = joinBytes(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 ? hash.toString("hex") : null;
};

/** Whether a leaf is in the tree of that size and root. A malformed proof never is. */
export const verifyInclusion = (proof: Inclusion): boolean =>
  isHashHex(proof.root) && rootFromInclusion(proof) === proof.root;

/** A consistency proof with what it is about. */
export interface Consistency {
  readonly old_size: number;
  readonly new_size: number;
  readonly old_root: string;
  readonly new_root: string;
  readonly path: ReadonlyArray<string>;
}

/**
 * Whether the new tree extends the old one, RFC 9162 section 2.1.4.2. From size 0 nothing can be shown, so that is
 * refused; a caller to whom the empty tree is a fair start handles it before.
 */
export const verifyConsistency = (proof: Consistency): boolean => {
  const { old_size, new_size, old_root, new_root, path } = proof;
  if (!isSize(old_size) || !isSize(new_size) || old_size > new_size) return false;
  if (!isPath(path)) return false;
  // Between a tree and itself nothing is hashed: its root is compared as it is, whatever its form.
  if (old_size === new_size) {
    return path.length === 0 && typeof old_root === "string" && old_root === new_root;
  }
  if (!isHashHex(old_root) || !isHashHex(new_root)) return false;
  let node = old_size - 1;
  let last = new_size - 1;
  while (isOdd(node)) {
    node = half(node);
    last = half(last);
  }
  // Where the old tree is complete, its root is the first node and is left out of the path.
  const [first, ...rest] = node === 0 ? [old_root, ...path] : path;
  if (first === undefined) return false;
  let oldHash = hashBytes(first);
  let newHash = oldHash;
  for (const step of rest) {
    if (last === 0) return false;
    const sibling = hashBytes(step);
    if (isOdd(node) || node === last) {
      oldHash = joinBytes(sibling, oldHash);
      newHash = joinBytes(sibling, newHash);
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      newHash = joinBytes(newHash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && oldHash.toString("hex") === old_root && newHash.toString("hex") === new_root;
};
