/** Random choices that a seed repeats: mulberry32, which passes for random where nothing secret hangs on it. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  /** An integer from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  pick<A>(all: readonly [A, ...ReadonlyArray<A>] | ReadonlyArray<A>): A {
    return all[this.below(all.length)]!;
  }

  /** Two different integers below `end`, the smaller first. */
  pair(end: number): readonly [number, number] {
    const first = this.below(end);
    const second = (first + 1 + this.below(end - 1)) % end;
    return first < second ? [first, second] : [second, first];
  }
}
