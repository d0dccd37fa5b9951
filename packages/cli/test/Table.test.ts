import { describe, expect, it } from "vitest";
import { width } from "../src/Screen.ts";
import * as Table from "../src/Table.ts";
import { drawn, screen } from "./screens.ts";

const columns: ReadonlyArray<Table.Column> = [
  { heading: "run_id" },
  { heading: "steps", align: "right" },
  { heading: "agent", shrinks_to: 6 },
];

const rows = [
  [{ text: "r-1" }, { text: "12" }, { text: "support-agent" }],
  [{ text: "r-20" }, { text: "3" }, { text: "-" }],
];

const terminal = (cells: number) => screen(cells, { live: true });

describe("Table", () => {
  it("lines columns up, numbers to the right, with no space at the end", () => {
    expect(Table.render(screen(80), columns, rows)).toBe(
      drawn(`
        run_id  steps  agent
        r-1        12  support-agent
        r-20        3  -
      `),
    );
  });

  it("takes what is too wide from the columns that may shrink, and from no other", () => {
    expect(Table.render(terminal(24), columns, rows)).toBe(
      drawn(`
        run_id  steps  agent
        r-1        12  support-…
        r-20        3  -
      `),
    );
    expect(Table.render(terminal(10), columns, rows)).toContain("r-20        3  -");
    expect(Table.render(terminal(10), columns, rows)).toContain("suppo…");
  });

  it("leaves out what is optional before it is wider than the screen", () => {
    const some = columns.map((column) => ({ ...column, optional: column.heading === "agent" }));
    expect(Table.render(terminal(16), some, rows)).toBe(
      drawn(`
        run_id  steps
        r-1        12
        r-20        3
      `),
    );
  });

  it("goes on in further lines where a column wraps", () => {
    const wrapping = columns.map((column) => ({ ...column, wraps: column.heading === "agent" }));
    const some = [[{ text: "r-1" }, { text: "12" }, { text: "one two three" }], rows[1]!];
    expect(Table.render(terminal(22), wrapping, some)).toBe(
      drawn(`
        run_id  steps  agent
        r-1        12  one two
                       three
        r-20        3  -
      `),
    );
  });

  it("cuts nothing off a terminal", () => {
    expect(Table.render(screen(24), columns, rows)).toContain("support-agent");
  });

  it("keeps its lines when cells are coloured", () => {
    const painted = rows.map((row) =>
      row.map((cell) => ({ ...cell, paint: (text: string) => `\u001b[32m${text}\u001b[39m` })),
    );
    const plain = Table.render(terminal(24), columns, rows).split("\n");
    const coloured = Table.render(terminal(24), columns, painted).split("\n");
    expect(coloured.map(width)).toEqual(plain.map(width));
  });
});
