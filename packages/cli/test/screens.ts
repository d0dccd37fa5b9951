import type { Screen } from "../src/Screen.ts";

/** A terminal of a width with all it can show, except what `without` takes away. */
export const screen = (columns: number, without: Partial<Screen> = {}): Screen => ({
  colour: false,
  unicode: true,
  live: false,
  columns,
  ...without,
});

/** The lines of a drawing, as they are written in a test: without the first line break and the indent. */
export const drawn = (text: string): string => {
  const lines = text.split("\n").slice(1, -1);
  const indent = Math.min(...lines.filter((line) => line !== "").map((line) => line.search(/\S/u)));
  return lines.map((line) => line.slice(indent)).join("\n");
};
