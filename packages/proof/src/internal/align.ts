/** Aligns two sequences by the fewest insertions and deletions (Myers, 1986). */

/** A place of the left sequence, one of the right, or both where they are the same. */
export interface Pair {
  readonly left: number | null;
  readonly right: number | null;
}

/** How two sequences lie beside each other; null where more than `differences_max` differences are between them. */
export const align = (
  left_length: number,
  right_length: number,
  isSame: (left: number, right: number) => boolean,
  differences_max: number,
): ReadonlyArray<Pair> | null => {
  const bound = Math.min(left_length + right_length, differences_max);
  /** By diagonal, how far the left sequence is come; for each number of differences what it was before. */
  const reached = new Int32Array(2 * bound + 3);
  const trail: Array<Int32Array> = [];
  const at = (diagonal: number) => diagonal + bound + 1;
  for (let differences = 0; differences <= bound; differences += 1) {
    trail.push(reached.slice(at(-differences) - 1, at(differences) + 2));
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      let left = nextLeft(reached, at(diagonal), diagonal, differences);
      while (
        left < left_length &&
        left - diagonal < right_length &&
        isSame(left, left - diagonal)
      ) {
        left += 1;
      }
      reached[at(diagonal)] = left;
      if (left >= left_length && left - diagonal >= right_length)
        return walkBack(trail, left_length, right_length);
    }
  }
  return null;
};

/** Where a diagonal is entered: by an insertion from the one above, or a deletion from the one below. */
const nextLeft = (reached: Int32Array, at: number, diagonal: number, differences: number): number =>
  isInsertion(reached, at, diagonal, differences) ? reached[at + 1]! : reached[at - 1]! + 1;

const isInsertion = (reached: Int32Array, at: number, diagonal: number, differences: number) =>
  diagonal === -differences || (diagonal !== differences && reached[at - 1]! < reached[at + 1]!);

const walkBack = (
  trail: ReadonlyArray<Int32Array>,
  left_length: number,
  right_length: number,
): ReadonlyArray<Pair> => {
  const pairs: Array<Pair> = [];
  let [left, right] = [left_length, right_length];
  for (let differences = trail.length - 1; differences > 0; differences -= 1) {
    const reached = trail[differences]!;
    const diagonal = left - right;
    const at = diagonal + differences + 1;
    const inserted = isInsertion(reached, at, diagonal, differences);
    const from = inserted ? reached[at + 1]! : reached[at - 1]!;
    const from_right = from - (inserted ? diagonal + 1 : diagonal - 1);
    while (left > from && right > from_right) pairs.push({ left: --left, right: --right });
    pairs.push(inserted ? { left: null, right: --right } : { left: --left, right: null });
  }
  while (left > 0) pairs.push({ left: --left, right: --right });
  return pairs.reverse();
};
