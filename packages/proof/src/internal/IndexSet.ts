/** A run of indexes, both ends included. */
export interface IndexRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Most separate ranges that are kept. Past it an index joins the range before it, which can only hide that some of many
 * steps are missing, never that any is.
 */
const RANGES_MAX = 10_000;

/** A set of indexes as ranges: one range for a run without gaps, however long it is. */
export class IndexSet {
  /** In order, with at least one index missing between neighbours. */
  #ranges: Array<{ start: number; end: number }> = [];

  /** The position of the first range that ends at or after the index. */
  #positionOf(index: number): number {
    if (this.last < index) return this.#ranges.length;
    let [low, high] = [0, this.#ranges.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.end < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(index: number): boolean {
    const range = this.#ranges[this.#positionOf(index)];
    return range !== undefined && range.start <= index;
  }

  add(index: number): void {
    this.addRange({ start: index, end: index });
  }

  addRange({ start, end }: IndexRange): void {
    const at = this.#positionOf(start - 1);
    const touched = this.#ranges.slice(at).findIndex((range) => range.start > end + 1);
    const count = touched === -1 ? this.#ranges.length - at : touched;
    if (count > 0) {
      const [first, last] = [this.#ranges[at]!, this.#ranges[at + count - 1]!];
      const joined = { start: Math.min(first.start, start), end: Math.max(last.end, end) };
      if (count === 1) Object.assign(first, joined);
      else this.#ranges.splice(at, count, joined);
    } else if (at > 0 && this.#ranges.length >= RANGES_MAX) {
      this.#ranges[at - 1]!.end = end;
    } else {
      this.#ranges.splice(at, 0, { start, end });
    }
  }

  /** The largest index, or -1. */
  get last(): number {
    return this.#ranges.at(-1)?.end ?? -1;
  }

  /** What is in the set from an index on. */
  from(start: number): ReadonlyArray<IndexRange> {
    return this.#ranges
      .filter((range) => range.end >= start)
      .map((range) => ({ start: Math.max(range.start, start), end: range.end }));
  }

  /** What is missing between 0 and `end`, which is not included. */
  missingBelow(end: number): ReadonlyArray<IndexRange> {
    const missing: Array<IndexRange> = [];
    let next = 0;
    for (const range of this.#ranges) {
      if (range.start >= end) break;
      if (range.start > next) missing.push({ start: next, end: range.start - 1 });
      next = range.end + 1;
    }
    if (next < end) missing.push({ start: next, end: end - 1 });
    return missing;
  }
}
