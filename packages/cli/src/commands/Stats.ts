/** `runproof stats`: how many runs and calls there were, how many failed, what they cost and how long they took. */
import type { Figures, Stats, StatsKey } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Count from "../Count.ts";
import * as Duration from "../Duration.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable, type Screen, tone } from "../Screen.ts";
import * as Table from "../Table.ts";

const milliseconds = (value: number | null): string =>
  value === null ? "-" : Duration.format(value);

/** A column of figures. */
interface FigureColumn extends Table.Column {
  readonly of: (figures: Figures) => string;
}

const figure = (
  heading: string,
  of: (figures: Figures) => string,
  optional = false,
): FigureColumn => ({
  heading,
  align: "right",
  optional,
  of,
});

const figures: ReadonlyArray<FigureColumn> = [
  figure("runs", ({ runs }) => Count.number(runs)),
  figure("failed", ({ runs_failed }) => Count.number(runs_failed)),
  figure("open", ({ runs_open }) => Count.number(runs_open), true),
  figure("steps", ({ steps }) => Count.number(steps)),
  figure("failures", ({ failures }) => Count.number(failures)),
  figure("retries", ({ retries }) => Count.number(retries), true),
  figure("unknown", ({ unknown }) => Count.number(unknown), true),
  figure("cost", ({ cost_cents }) =>
    cost_cents === null ? "-" : `${Number(cost_cents.toFixed(4))} c`,
  ),
  figure("p50", ({ p50_ms }) => milliseconds(p50_ms)),
  figure("p95", ({ p95_ms }) => milliseconds(p95_ms)),
];

const renderPart = (screen: Screen, part: Stats["synthetic"], by: ReadonlyArray<StatsKey>) => {
  const row = (keys: ReadonlyArray<string>, each: Figures): ReadonlyArray<Table.Cell> => [
    ...keys.map((text) => ({ text: printable(text) })),
    ...figures.map(({ of }) => ({ text: of(each) })),
  ];
  const groups = part.groups.map((group) =>
    row(
      by.map((key) => group.key[key] ?? "-"),
      group,
    ),
  );
  const paint = (text: string) => tone(screen, "strong", text);
  const total =
    part.total === null
      ? []
      : [
          row(
            by.map((_, at) => (at === 0 ? "all" : "")),
            part.total,
          ).map(({ text }) => ({
            text,
            paint,
          })),
        ];
  return Table.render(
    screen,
    [...by.map((heading) => ({ heading, shrinks_to: 8 })), ...figures],
    [...groups, ...total],
  );
};

/** Draws the figures by group, with those of synthetic runs under them. */
export const render = (screen: Screen, stats: Stats, by: ReadonlyArray<StatsKey>): string =>
  [
    ...(stats.total === null ? [] : [renderPart(screen, stats, by)]),
    ...(stats.synthetic.total === null
      ? []
      : [
          `synthetic runs, in none of the figures above\n${renderPart(screen, stats.synthetic, by)}`,
        ]),
  ].join("\n\n");

export const command = Command.make(
  "stats",
  {
    by: Options.repeatable(
      Flag.Literals("by", ["day", "tenant", "agent", "skill"]).pipe(
        Flag.withDescription(
          "What to count by, repeatable; a run counts on the day it began [day]",
        ),
      ),
    ),
    tenant_id: Options.id("tenant-id", "T", "Only this tenant's runs [all]"),
    agent_id: Options.id("agent-id", "A", "Only this agent's runs"),
    from: Options.since("Only runs that began at or after this time"),
    before: Options.time("before", "Only runs that began before this time"),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const by = input.by.length === 0 ? (["day"] as const) : [...new Set(input.by)];
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    const stats = yield* withStored(
      { databaseUrl, home },
      Progress.during("counting", null, () =>
        TraceCoordinator.use((coordinator) => coordinator.stats({ ...input, by })),
      ),
    );
    if (json) return yield* printJson(stats);
    if (stats.total === null && stats.synthetic.total === null)
      return yield* output.note("no runs match");
    yield* output.data(render(output.stdout, stats, by));
  }),
).pipe(
  Command.withDescription("Count runs, calls, failures and cost, and how long calls took"),
  Command.withExamples([
    { command: "runproof stats --by agent --since 1w" },
    { command: "runproof stats --by day --by skill --tenant-id demo --json" },
  ]),
);
