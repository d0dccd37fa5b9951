/** `runproof diff RUN_A RUN_B`: whether two runs agree, or where they first do not. */
import { Identifier } from "@runproof/schemas/Text";
import type { ParityReport } from "@runproof/spine-coordinators/replay/ParityCoordinator";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as ActTable from "../ActTable.ts";
import { counted } from "../Count.ts";
import * as Duration from "../Duration.ts";
import * as ExitCode from "../ExitCode.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable, type Screen, tone, wrap } from "../Screen.ts";

const tones = { PARITY: "good", DIVERGED: "bad", UNKNOWN: "caution" } as const;

const signed = (value: number, text: string): string => `${value < 0 ? "-" : "+"}${text}`;

/** One of both values, and how far the second is from the first. */
const compared = (
  a: number | null,
  b: number | null,
  delta: number | null,
  format: (value: number) => string,
): string => {
  const one = (value: number | null) => (value === null ? "-" : format(value));
  const by = delta === null ? "" : ` (${signed(delta, format(Math.abs(delta)))})`;
  return `${one(a)} -> ${one(b)}${by}`;
};

/** Draws what comparing two runs came to. */
export const render = (screen: Screen, report: ParityReport): string => {
  const { verdict, reason, run_a, run_b, delta, first_divergence, is_aligned, rows } = report;
  const cents = (value: number) => `${Number(value.toFixed(4))} c`;
  const described = (run: ParityReport["run_a"]) =>
    `${run.run_id}: ${run.verification_status}, ${run.lifecycle ?? "-"}, ${run.status}, ${counted(run.act_count, "act")}${run.retry_count === 0 ? "" : `, ${run.retry_count} retried`}`;
  const isSaid = verdict === "DIVERGED" || first_divergence === null;
  const fields: ReadonlyArray<readonly [string, string | null]> = [
    ["reason", reason],
    ["A", described(run_a)],
    ["B", described(run_b)],
    ["compared", report.compared.join(", ")],
    ["differs", isSaid ? null : first_divergence.reason],
    ["took", compared(run_a.duration_ms, run_b.duration_ms, delta.duration_ms, Duration.format)],
    ["cost", compared(run_a.cost_cents, run_b.cost_cents, delta.cost_cents, cents)],
    [
      "masked",
      report.masked_acts === 0
        ? null
        : `${counted(report.masked_acts, "act")} agree with values that were masked in both: whether those were the same is not known`,
    ],
    [
      "note",
      is_aligned ? null : "too many differences to align: acts stand side by side as they come",
    ],
  ];
  const head = fields.flatMap(([label, value]) =>
    value === null ? [] : [wrap(printable(value), screen.columns, `  ${label.padEnd(8)}  `)],
  );
  const table =
    rows.length === 0 ? [] : ["", ActTable.render(screen, rows, ["A", "B"], first_divergence?.row)];
  return [tone(screen, tones[verdict], tone(screen, "strong", verdict)), ...head, ...table].join(
    "\n",
  );
};

/** What is wrong with a run outweighs what is not known. */
export const exitCode = ({ verdict, run_a, run_b }: ParityReport): ExitCode.ExitCode => {
  if (verdict === "PARITY") return 0;
  if (verdict === "DIVERGED") return 9;
  const isFailed = [run_a, run_b].some(
    ({ verification_status }) => verification_status === "FAILED",
  );
  return isFailed ? 6 : 7;
};

const run = (name: string) =>
  Argument.String(name).pipe(
    Argument.withDescription("Run, as `traces list` shows it"),
    Argument.withSchema(Identifier),
  );

export const command = Command.make(
  "diff",
  {
    run_a: run("RUN_A"),
    run_b: run("RUN_B"),
    tenant_id: Options.tenantId,
    outcomes: Options.toggle("outcomes", "Compare what each call answered as well"),
    costs: Options.toggle("costs", "Compare what each call cost as well"),
    times: Options.toggle("times", "Compare how long each call took as well"),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { ParityCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/replay/ParityCoordinator"),
    );
    const report = yield* withStored(
      { databaseUrl, home },
      Progress.during("comparing", null, () =>
        ParityCoordinator.use(({ compare }) => compare(input)),
      ),
    );
    if (json) yield* printJson(report);
    else yield* output.data(render(output.stdout, report));
    const code = exitCode(report);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription(
    "Compare two runs by steps, skills, params, status and retries; each is verified first",
  ),
  Command.withExamples([
    { command: "runproof diff RUN_A RUN_B --tenant-id demo" },
    {
      command: "runproof diff RUN_A RUN_B --tenant-id demo --outcomes --json",
      description: "For CI: exit code 0 for PARITY, 9 where they differ, 7 where it is not known",
    },
  ]),
);
