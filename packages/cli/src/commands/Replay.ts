/** `runproof replay RUN_ID`: whether a recorded run's plan comes to the same today. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { Identifier } from "@runproof/schemas/Text";
import type { ReplayReport } from "@runproof/spine-coordinators/replay/ReplayCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as ActTable from "../ActTable.ts";
import { counted } from "../Count.ts";
import * as ExitCode from "../ExitCode.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withRunproof, withStored } from "../Runproof.ts";
import { printable, type Screen, tone, wrap } from "../Screen.ts";

const tones = {
  PARITY: "good",
  DIVERGED: "bad",
  UNKNOWN: "caution",
  UNCHECKED: "caution",
} as const;

const endOf = ({ status, reason }: ReplayReport["replayed"]): string =>
  reason === null ? status : `${status}: ${reason}`;

/** Draws what a replay came to. */
export const render = (screen: Screen, report: ReplayReport): string => {
  const { verdict, reason, recorded, replayed, run, steps, is_aligned, rows } = report;
  const fields: ReadonlyArray<readonly [string, string | null]> = [
    ["reason", reason],
    ["recorded", `${report.run_id}: VERIFIED, ${recorded.status}`],
    ["replayed", endOf(replayed)],
    [
      "steps",
      `${steps.check} to check, ${steps.execute} executed unchecked, ${steps.skip} not called`,
    ],
    ["compared", report.compared.join(", ")],
    [
      "masked",
      report.masked_checks === 0
        ? null
        : `${counted(report.masked_checks, "check")} agree with values that were masked in both: whether those were the same is not known`,
    ],
    [
      "note",
      is_aligned ? null : "too many differences to align: acts stand side by side as they come",
    ],
    [
      "written",
      run === null
        ? "nothing: --record keeps a replay as a run"
        : `run ${run.run_id}, ${run.status}, root ${run.root_hash}`,
    ],
  ];
  const head = fields.flatMap(([label, value]) =>
    value === null ? [] : [wrap(printable(value), screen.columns, `  ${label.padEnd(8)}  `)],
  );
  const sides = ["recorded", "replayed"] as const;
  const further = [{ heading: "replay", of: replayCell }];
  const first = report.first_divergence?.row;
  return [
    tone(screen, tones[verdict], tone(screen, "strong", verdict)),
    ...head,
    "",
    ActTable.render(screen, rows, sides, first, further),
  ].join("\n");
};

const replayCell = ({ replay_behavior }: ReplayReport["rows"][number]): string =>
  replay_behavior === "skip" ? "stands in" : replay_behavior;

/** What is checked decides; where nothing is, whether the plan ended as it did. */
export const exitCode = ({ verdict, recorded, replayed }: ReplayReport): ExitCode.ExitCode => {
  if (verdict === "DIVERGED") return 9;
  if (verdict === "UNKNOWN") return 7;
  return verdict === "PARITY" || recorded.status === replayed.status ? 0 : 8;
};

export const command = Command.make(
  "replay",
  {
    run_id: Options.runId,
    tenant_id: Options.tenantId,
    record: Options.toggle("record", "Record the replay as a run, whose trace names this one"),
    as: Options.optional(
      Flag.String("as").pipe(
        Flag.withMetavar("R"),
        Flag.withDescription("With --record: the new run's id; one is made where it is left out"),
        Flag.withSchema(Identifier),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, record, as: new_run_id, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    if (new_run_id !== undefined && !record) {
      return yield* new InvalidInput({
        what: "it names a run that is not recorded",
        where: "--as",
        remedy: "Add --record, or leave it out.",
      });
    }
    const { ReplayCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/replay/ReplayCoordinator"),
    );
    const replaying = Progress.during("replaying", null, (report) =>
      ReplayCoordinator.use(({ replay }) =>
        replay({
          ...input,
          ...(record ? { record: { run_id: new_run_id } } : {}),
          onStep: ({ plan_step, skill_id }) =>
            report({ detail: `step ${plan_step + 1}: ${printable(skill_id)}` }),
        }),
      ),
    );
    const location = { databaseUrl, home };
    // What writes nothing opens the database as who reads does.
    const report = yield* record
      ? withRunproof(location, replaying)
      : withStored(location, replaying);
    if (json) yield* printJson(report);
    else yield* output.data(render(output.stdout, report));
    const code = exitCode(report);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription(
    "Execute a recorded run's plan again, and compare the steps that it says to check; writes nothing unless asked",
  ),
  Command.withExamples([
    { command: "runproof replay RUN_ID --tenant-id demo" },
    {
      command: "runproof replay RUN_ID --tenant-id demo --json",
      description:
        "For CI: exit code 0 for PARITY, 9 where a check differs, 7 where it is not known",
    },
    {
      command: "runproof replay RUN_ID --tenant-id demo --record",
      description: "Keep the replay as evidence too",
    },
  ]),
);
