import { createHmac, randomBytes } from "node:crypto";

/** Bytes of a keyed hash that a number holds exactly: with a key that nobody knows, no two ids are made to share one. */
const HASH_BYTES = 6;

/** The traces that an audit met, in eight bytes each: an audit of millions stays small. */
export class TracesMet {
  readonly #key = randomBytes(32);
  #hashes = new Float64Array(1024);
  #length = 0;
  #isSorted = true;

  #hashOf(trace_id: string): number {
    return createHmac("sha256", this.#key).update(trace_id).digest().readUIntBE(0, HASH_BYTES);
  }

  add(trace_id: string): void {
    if (this.#length === this.#hashes.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[this.#length] = this.#hashOf(trace_id);
    this.#length += 1;
    this.#isSorted = false;
  }

  has(trace_id: string): boolean {
    if (!this.#isSorted) this.#hashes.subarray(0, this.#length).sort();
    this.#isSorted = true;
    const wanted = this.#hashOf(trace_id);
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#hashes[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low < this.#length && this.#hashes[low] === wanted;
  }
}
