import { IndexSet, type IndexRange } from "./IndexSet.ts";

/** Most rows in a wrong place that are kept one by one. */
const MISPLACED_MAX = 1000;

/** Where a row stands among the steps. */
export interface Place {
  /** The step that the row is about. */
  readonly index: number;
  /** Whether it is the step after the row before. */
  readonly isNext: boolean;
  /** Whether another row was that step already. */
  readonly isDuplicate: boolean;
  /** Whether its column is not its record's index. */
  readonly isMisplaced: boolean;
  /** Whether it came after a row with a larger column: the rows were not given in order. */
  readonly isLate: boolean;
}

interface Misplaced {
  readonly record: number;
  readonly column: number;
  isInverted: boolean;
}

const isIndex = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** Keeps account of which steps are there, and which rows stand where another should. */
export class StepOrder {
  /** Steps by the index in their record, where that can be believed. */
  readonly #recorded = new IndexSet();
  /** Steps whose record can't be believed, by the index in their column. */
  readonly #occupied = new IndexSet();
  readonly #misplaced: Array<Misplaced> = [];
  #expected = 0;
  #lastColumn = 0;
  #isInOrder = true;

  /** Adds a row: the index in its record, or null where that can't be believed, and the one in its column. */
  add(record: number | null, column: unknown): Place {
    const index = record ?? (isIndex(column) ? column : this.#expected);
    const isNext = index === this.#expected;
    const isDuplicate = this.#recorded.has(index) || (record === null && this.#occupied.has(index));
    const isMisplaced = record !== null && !isDuplicate && isIndex(column) && column !== record;
    const isLate = isIndex(column) && column < this.#lastColumn;
    const isInverted = record !== null && !isDuplicate && record < this.#recorded.last;
    this.#expected = index + 1;
    if (isIndex(column) && !isLate) this.#lastColumn = column;
    if (isInverted) this.#markInverted(index);
    if (isMisplaced && this.#misplaced.length < MISPLACED_MAX)
      this.#misplaced.push({ record, column, isInverted });
    if (!isDuplicate) (record === null ? this.#occupied : this.#recorded).add(index);
    return { index, isNext, isDuplicate, isMisplaced, isLate };
  }

  #markInverted(record: number): void {
    this.#isInOrder = false;
    for (const row of this.#misplaced) if (row.record > record) row.isInverted = true;
  }

  /** Whether no row came after one of a later step. */
  get isInOrder(): boolean {
    return this.#isInOrder;
  }

  /** The number of steps that there would be without a gap. */
  get end(): number {
    return Math.max(this.#recorded.last, this.#occupied.last) + 1;
  }

  /** The steps below `end` of which no row is there. */
  missingBelow(end: number): ReadonlyArray<IndexRange> {
    const present = new IndexSet();
    for (const set of [this.#recorded, this.#occupied]) {
      for (const range of set.from(0)) present.addRange(range);
    }
    return present.missingBelow(end);
  }

  /** The steps from `start` on of which a row is there. */
  presentFrom(start: number): ReadonlyArray<IndexRange> {
    return [...this.#recorded.from(start), ...this.#occupied.from(start)];
  }

  /** The rows whose column is not their record's index: swapped with another one, or merely renumbered. */
  misplaced(): ReadonlyArray<{
    readonly record: number;
    readonly column: number;
    readonly isSwapped: boolean;
  }> {
    const records = new Set(this.#misplaced.map((row) => row.record));
    return this.#misplaced.map(({ record, column, isInverted }) => ({
      record,
      column,
      isSwapped: isInverted && records.has(column),
    }));
  }
}
