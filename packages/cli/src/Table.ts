/** A table of text, as wide as its content needs and the screen allows. */
import { clip, pad, type Screen, tone, width } from "./Screen.ts";

/** A column: its heading, and how its cells are set. */
export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right" | undefined;
  /** The column that gives way where the screen is too narrow, down to this many cells. Without it a cell is never cut. */
  readonly shrinks_to?: number | undefined;
}

/** A cell's plain text, and how it is coloured once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
}

const GAP = "  ";

const longest = (column: Column, cells: ReadonlyArray<Cell | undefined>): number =>
  Math.max(width(column.heading), ...cells.map((cell) => width(cell?.text ?? "")));

/** How wide a table is where nothing shrinks, the gap to a further column included. */
export const widthOf = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
): number =>
  columns.reduce(
    (sum, column, index) =>
      sum +
      longest(
        column,
        rows.map((row) => row[index]),
      ) +
      GAP.length,
    0,
  );

/** The widths of the columns: those of the longest cell, with what is too much taken from the columns that may shrink. */
const fit = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  available: number,
): ReadonlyArray<number> => {
  const widths = columns.map((column, index) =>
    longest(
      column,
      rows.map((row) => row[index]),
    ),
  );
  let excess =
    widths.reduce((sum, each) => sum + each, GAP.length * (columns.length - 1)) - available;
  columns.forEach((column, index) => {
    if (excess <= 0 || column.shrinks_to === undefined) return;
    const full = widths[index] ?? 0;
    const narrow = Math.max(Math.min(full, column.shrinks_to), full - excess);
    excess -= full - narrow;
    widths[index] = narrow;
  });
  return widths;
};

/** Draws a table, one line a row under a line of headings. Cells are plain text: see `printable`. */
export const render = (
  screen: Screen,
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
): string => {
  // Off a terminal nothing is cut: what reads it may want the whole.
  const widths = fit(columns, rows, screen.live ? screen.columns : Infinity);
  const line = (cells: ReadonlyArray<Cell>): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? { text: "" };
        const cells_wide = widths[index] ?? 0;
        const clipped = clip(screen, cell.text, cells_wide);
        const painted = cell.paint === undefined ? clipped : cell.paint(clipped);
        const last = index === columns.length - 1 && column.align !== "right";
        return last
          ? painted
          : pad(painted, cells_wide, column.align === "right" ? "right" : "left");
      })
      .join(GAP)
      .trimEnd();
  const head = columns.map((column) => ({
    text: column.heading,
    paint: (text: string) => tone(screen, "quiet", text),
  }));
  return [head, ...rows].map(line).join("\n");
};
