/** Acts of two runs beside each other, marked as in a diff of texts. */
import type { ShownAct, ShownRow } from "@runproof/spine-coordinators/replay/ParityCoordinator";
import { printable, type Screen, type Tone, tone } from "./Screen.ts";
import * as Table from "./Table.ts";

/** How a row is marked: `-` only in the first run, `+` only in the second. */
const marks: Record<ShownRow["kind"], readonly [mark: string, tone?: Tone]> = {
  same: [" "],
  changed: ["!", "caution"],
  unknown: ["?", "caution"],
  only_a: ["-", "bad"],
  only_b: ["+", "good"],
};

/** The longest skill that is shown whole. */
const SKILL_CELLS_MIN = 16;

const cellsOf = (act: ShownAct | null): ReadonlyArray<Table.Cell> => {
  if (act === null) return [{ text: "" }, { text: "" }, { text: "" }];
  const retry = act.retry_count === 0 ? "" : ` #${act.retry_count}`;
  return [
    { text: String(act.step_index) },
    { text: printable(act.skill_id) },
    { text: printable(`${act.status}${retry}`) },
  ];
};

/** A column of the rows' own, before what they differ in. */
export interface FurtherColumn<Row extends ShownRow> {
  readonly heading: string;
  readonly of: (row: Row) => string;
}

/** Draws rows under the two runs' names; the first divergence is pointed at. */
export const render = <Row extends ShownRow>(
  screen: Screen,
  rows: ReadonlyArray<Row>,
  sides: readonly [a: string, b: string],
  first_divergence: number | null | undefined,
  further: ReadonlyArray<FurtherColumn<Row>> = [],
): string => {
  const side = (name: string): ReadonlyArray<Table.Column> => [
    { heading: name, align: "right" },
    { heading: "skill", shrinks_to: SKILL_CELLS_MIN },
    { heading: "status" },
  ];
  return Table.render(
    screen,
    [{ heading: " " }, ...sides.flatMap(side), ...further, { heading: "differs in" }],
    rows.map((row, at) => {
      const [mark, name] = marks[row.kind];
      const paint = (text: string) => (name === undefined ? text : tone(screen, name, text));
      const note = at === first_divergence ? "  <- first" : "";
      return [
        { text: mark, paint },
        ...cellsOf(row.a),
        ...cellsOf(row.b),
        ...further.map(({ of }) => ({ text: of(row) })),
        { text: `${row.fields.join(", ")}${note}`.trim(), paint },
      ];
    }),
  );
};
