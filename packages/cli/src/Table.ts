/** A table of text, as wide as its content needs and the screen allows. */
import { clip, pad, type Screen, tone, width } from "./Screen.ts";

/** A column: its heading, and how its cells are set. */
export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right" | undefined;
  /** The column that gives way where the screen is too narrow, down to this many cells. Without it a cell is never cut. */
  readonly shrinks_to?: number | undefined;
  /** The column is left out where the screen is still too narrow, the last such column first. */
  readonly optional?: boolean | undefined;
}

/** A cell's plain text, and how it is coloured once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
}

type Rows = ReadonlyArray<ReadonlyArray<Cell>>;

/** A column with its cells and the width that it gets. */
interface Fitted {
  readonly column: Column;
  readonly cells: ReadonlyArray<Cell>;
  readonly cells_wide: number;
}

const GAP = "  ";

const measured = (columns: ReadonlyArray<Column>, rows: Rows): ReadonlyArray<Fitted> =>
  columns.map((column, index) => {
    const cells = rows.map((row) => row[index] ?? { text: "" });
    const widths = cells.map((cell) => width(cell.text));
    return { column, cells, cells_wide: Math.max(width(column.heading), ...widths) };
  });

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

/** Draws a table, one line a row under a line of headings. Cells are plain text: see `printable`. */
export const render = (screen: Screen, columns: ReadonlyArray<Column>, rows: Rows): string => {
  // Off a terminal nothing is cut: what reads it may want the whole.
  const fitted = fit(measured(columns, rows), screen.live ? screen.columns : Infinity);
  const line = (cellOf: (each: Fitted) => Cell): string =>
    fitted
      .map((each, index) => {
        const { text, paint = (plain: string) => plain } = cellOf(each);
        const { align = "left" } = each.column;
        const painted = paint(clip(screen, text, each.cells_wide));
        const isLast = index === fitted.length - 1 && align === "left";
        return isLast ? painted : pad(painted, each.cells_wide, align);
      })
      .join(GAP)
      .trimEnd();
  const head = line(({ column }) => ({
    text: column.heading,
    paint: (text) => tone(screen, "quiet", text),
  }));
  return [head, ...rows.map((_, row) => line(({ cells }) => cells[row] ?? { text: "" }))].join(
    "\n",
  );
};
