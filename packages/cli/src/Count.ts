const grouped = new Intl.NumberFormat("en");

/** A number as people read it: `4,217`. */
export const number = (n: number): string => grouped.format(n);

/** A number with the noun that it counts: `1 step`, `4,217 steps`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${number(n)} ${n === 1 ? one : many}`;
