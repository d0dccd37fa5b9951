/** A table of text, as wide as its content needs and the screen allows. */
import { clip, pad, type Screen, tone, width, wrap } from "./Screen.ts";

/** A column: its heading, and how its cells are set. */
export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right" | undefined;
  /** The column that gives way where the screen is too narrow, down to this many cells. Without it a cell is never cut. */
  readonly shrinks_to?: number | undefined;
  /** What does not fit goes on in a further line instead of being cut. */
  readonly wraps?: boolean | undefined;
  /** The column is left out where the screen is still too narrow, the last such column first. */
  readonly optional?: boolean | undefined;
}

/** A cell's plain text, and how it is coloured once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
}

/** Rows that may be asked for again: of a long table they are made as they are drawn. */
export type Rows = Iterable<ReadonlyArray<Cell>>;

/** A column with its place in a row, and the width that it gets. */
interface Fitted {
  readonly column: Column;
  readonly index: number;
  readonly cells_wide: number;
}

const GAP = "  ";

const measured = (columns: ReadonlyArray<Column>, rows: Rows): ReadonlyArray<Fitted> => {
  const widths = columns.map(({ heading }) => width(heading));
  for (const row of rows) {
    widths.forEach((widest, index) => {
      widths[index] = Math.max(widest, width(row[index]?.text ?? ""));
    });
  }
  return columns.map((column, index) => ({ column, index, cells_wide: widths[index] ?? 0 }));
};

const total = (fitted: ReadonlyArray<Fitted>): number =>
  fitted.reduce((sum, { cells_wide }) => sum + cells_wide + GAP.length, -GAP.length);

/** How wide a table is where nothing shrinks, the gap to a further column included. */
export const widthOf = (columns: ReadonlyArray<Column>, rows: Rows): number =>
  total(measured(columns, rows)) + GAP.length;

/** Takes what is too much from the columns that may shrink, in their order. */
const shrink = (fitted: ReadonlyArray<Fitted>, available: number): ReadonlyArray<Fitted> => {
  let excess = total(fitted) - available;
  return fitted.map((each) => {
    const { shrinks_to } = each.column;
    if (excess <= 0 || shrinks_to === undefined) return each;
    const least = Math.min(each.cells_wide, shrinks_to);
    const cells_wide = Math.max(least, each.cells_wide - excess);
    excess -= each.cells_wide - cells_wide;
    return { ...each, cells_wide };
  });
};

const fit = (fitted: ReadonlyArray<Fitted>, available: number): ReadonlyArray<Fitted> => {
  const shrunk = shrink(fitted, available);
  const last = fitted.findLastIndex(({ column }) => column.optional === true);
  if (total(shrunk) <= available || last === -1) return shrunk;
  return fit(fitted.toSpliced(last, 1), available);
};

/** A cell's lines: more than one where its column wraps. */
const linesOf = (screen: Screen, { column, cells_wide }: Fitted, text: string) =>
  column.wraps === true ? wrap(text, cells_wide).split("\n") : [clip(screen, text, cells_wide)];

/** Draws a table, one row after the other under a line of headings. Cells are plain text: see `printable`. */
export const render = (screen: Screen, columns: ReadonlyArray<Column>, rows: Rows): string => {
  // Off a terminal nothing is cut: what reads it may want the whole.
  const fitted = fit(measured(columns, rows), screen.live ? screen.columns : Infinity);
  const lines = (cellOf: (each: Fitted) => Cell): string => {
    const cells = fitted.map((each) => linesOf(screen, each, cellOf(each).text));
    const height = Math.max(1, ...cells.map(({ length }) => length));
    const line = (at: number) =>
      fitted
        .map((each, index) => {
          const { paint = (plain: string) => plain } = cellOf(each);
          const { align = "left" } = each.column;
          const text = cells[index]?.[at] ?? "";
          const painted = text === "" ? "" : paint(text);
          const isLast = index === fitted.length - 1 && align === "left";
          return isLast ? painted : pad(painted, each.cells_wide, align);
        })
        .join(GAP)
        .trimEnd();
    return Array.from({ length: height }, (_, at) => line(at)).join("\n");
  };
  const drawn = [
    lines(({ column }) => ({
      text: column.heading,
      paint: (text) => tone(screen, "quiet", text),
    })),
  ];
  for (const row of rows) drawn.push(lines(({ index }) => row[index] ?? { text: "" }));
  return drawn.join("\n");
};
