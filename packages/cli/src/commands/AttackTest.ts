/** `runproof attack-test`: a database of its own, attacked in every known way. */
import type { AttackTestReport } from "@runproof/attack-test/AttackTestCoordinator";
import { FileFailed, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { counted } from "../Count.ts";
import * as ExitCode from "../ExitCode.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load } from "../Runproof.ts";
import { printable, type Screen, type Tone, tone, wrap } from "../Screen.ts";
import * as Table from "../Table.ts";

/** Beyond this, one way alone would take hours. */
const INSTANCES_MAX = 10_000;

type OutcomeOf = typeof import("@runproof/attack-test/AttackTestTable").outcomeOf;

/** The rows of the table, with how many instances were made of each and what they were caught as. */
export const renderRows = (
  screen: Screen,
  { rows }: AttackTestReport,
  outcomeOf: OutcomeOf,
): string =>
  Table.render(
    screen,
    [
      { heading: "#", align: "right" },
      { heading: "attack", shrinks_to: 24, wraps: true },
      { heading: "level", shrinks_to: 9, wraps: true },
      { heading: "tried", align: "right" },
      { heading: "caught as", shrinks_to: 24, wraps: true },
    ],
    rows.map((row) => {
      const outcome = outcomeOf(row);
      const instances = row.ways.reduce((sum, way) => sum + way.instances, 0);
      const name = outcome === "FAILED" ? "bad" : outcome.startsWith("not ") ? "caution" : "good";
      return [
        { text: String(row.row) },
        { text: row.attack },
        { text: row.level },
        { text: instances === 0 ? "-" : String(instances) },
        { text: outcome, paint: (text) => tone(screen, name, text) },
      ];
    }),
  );

const renderFailures = (screen: Screen, { rows, control }: AttackTestReport): string =>
  [
    ...rows.flatMap(({ row, ways }) =>
      ways
        .filter(({ right, instances }) => right < instances)
        .flatMap(({ way, right, instances, failures }) => [
          tone(
            screen,
            "bad",
            `row ${row}, ${way}: ${instances - right} of ${instances} not as it must be`,
          ),
          ...failures.map((failure) => wrap(printable(failure), screen.columns, "  ")),
        ]),
    ),
    ...control.false_alarms.map((alarm) =>
      wrap(printable(alarm), screen.columns, tone(screen, "bad", "false alarm: ")),
    ),
  ].join("\n");

const renderConclusion = (screen: Screen, report: AttackTestReport): string => {
  const { control, instances, seed } = report;
  const [name, title] = titleOf(report);
  const alarms = control.false_alarms.length;
  const text = [
    `${counted(instances, "attack")} (seed ${seed})`,
    `${counted(control.runs, "look")} at runs that nobody touched`,
    alarms === 0 ? "no false alarms" : counted(alarms, "false alarm"),
  ].join(", ");
  return wrap(text, screen.columns, `${title}  `).replace(
    title,
    tone(screen, name, tone(screen, "strong", title)),
  );
};

/** Where nothing was attacked, nothing was passed. */
const titleOf = (report: AttackTestReport): readonly [Tone, string] => {
  if (isNotRun(report)) return ["caution", "NOT RUN"];
  return report.passed ? ["good", "PASS"] : ["bad", "FAIL"];
};

const isNotRun = ({ instances, control }: AttackTestReport): boolean =>
  instances === 0 && control.false_alarms.length === 0;

/** Refuses rows that the table does not have. */
const requireRows = Effect.fnUntraced(function* (rows: ReadonlyArray<number>) {
  const { attackTable } = yield* load(() => import("@runproof/attack-test/AttackTestTable"));
  const unknown = rows.filter((each) => !attackTable.some(({ row }) => row === each));
  if (unknown.length === 0) return;
  return yield* new InvalidInput({
    what: `the table has no row ${unknown.join(", ")}`,
    where: "--row",
    remedy: `Its rows are ${attackTable[0]!.row} to ${attackTable.at(-1)!.row}; docs/attack-table.md shows them.`,
  });
});

/** An attack test takes long, and its table must not be lost to a folder that is not there. */
const requireFolder = Effect.fnUntraced(function* (path: string) {
  const folder = dirname(path);
  const isFolder = yield* Effect.promise(() =>
    stat(folder).then(
      (entry) => entry.isDirectory(),
      () => false,
    ),
  );
  if (isFolder) return;
  return yield* new FileFailed({
    path: printable(path),
    what: `${printable(folder)} is no folder`,
    remedy: "Name a file in a folder that exists.",
  });
});

export const command = Command.make(
  "attack-test",
  {
    instances: Options.optional(
      Flag.Int("instances").pipe(
        Flag.withMetavar("N"),
        Flag.withDescription("Random instances of each way of each attack [3]"),
        Flag.filter(
          (instances) => instances >= 1 && instances <= INSTANCES_MAX,
          () => `expected 1 to ${INSTANCES_MAX} instances`,
        ),
      ),
    ),
    seed: Options.optional(
      Flag.Int("seed").pipe(
        Flag.withMetavar("S"),
        Flag.withDescription("Repeat the choices of an earlier test [1]"),
      ),
    ),
    rows: Flag.Int("row").pipe(
      Flag.withMetavar("R"),
      Flag.withDescription("Only this row of the table; repeatable"),
      Options.repeatable,
    ),
    table: Options.optional(
      Flag.Path("table").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Also write the table to FILE, as Markdown"),
      ),
    ),
    databaseUrl: Options.optional(
      Flag.String("database-url").pipe(
        Flag.withMetavar("URL"),
        Flag.withDescription(
          "Superuser on a server: a database is made beside the one named, and dropped [an embedded one]",
        ),
      ),
    ),
  },
  Effect.fnUntraced(function* ({ databaseUrl, rows, table, ...options }) {
    const { json } = yield* root;
    const output = yield* Output;
    yield* requireRows(rows);
    if (table !== undefined) yield* requireFolder(table);
    const { AttackTestCoordinator } = yield* load(
      () => import("@runproof/attack-test/AttackTestCoordinator"),
    );
    const { layer } = yield* load(() => import("@runproof/attack-test/AttackTestLayer"));
    const { outcomeOf, toMarkdown } = yield* load(
      () => import("@runproof/attack-test/AttackTestTable"),
    );
    const report = yield* Progress.during("attacking", null, (tell) =>
      Effect.flatMap(AttackTestCoordinator, (coordinator) =>
        coordinator.attack({
          ...options,
          rows: rows.length === 0 ? undefined : rows,
          onProgress: ({ done, total, way }) => tell({ done, total, detail: way }),
        }),
      ).pipe(Effect.provide(layer(databaseUrl))),
    );
    if (json) yield* printJson(report);
    else {
      yield* output.data(renderRows(output.stdout, report, outcomeOf));
      if (!report.passed && !isNotRun(report))
        yield* output.data(`\n${renderFailures(output.stdout, report)}`);
      yield* output.data(`\n${renderConclusion(output.stdout, report)}`);
    }
    if (table !== undefined) yield* File.write(table, toMarkdown(report));
    if (isNotRun(report)) return yield* new ExitCode.Concluded({ code: 7 });
    // That an attack was missed is the product's own failure.
    if (!report.passed) return yield* new ExitCode.Concluded({ code: 1 });
  }),
).pipe(
  Command.withDescription("Attack a throwaway database in every known way, and see each caught"),
  Command.withExamples([
    { command: "runproof attack-test" },
    {
      command:
        "runproof attack-test --instances 30 --database-url postgresql://postgres@localhost/postgres",
      description: "Thousands of attacks on a real server",
    },
  ]),
);
