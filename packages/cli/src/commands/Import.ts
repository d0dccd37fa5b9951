/** `runproof import FILE`: brings in runs that were recorded elsewhere. */
import type { ImportedRun } from "@runproof/spine-coordinators/import/ImportCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withRunproof } from "../Runproof.ts";
import { printable, type Screen, tone } from "../Screen.ts";
import * as Table from "../Table.ts";

/** The runs that were brought in, one line each. */
export const renderRuns = (screen: Screen, runs: ReadonlyArray<ImportedRun>): string =>
  Table.render(
    screen,
    [
      { heading: "run_id" },
      { heading: "status" },
      { heading: "steps", align: "right" },
      { heading: "root_hash", shrinks_to: 12 },
    ],
    runs.map((run) => [
      { text: printable(run.run_id) },
      {
        text: run.status,
        paint: (text) => tone(screen, run.status === "completed" ? "good" : "bad", text),
      },
      { text: String(run.step_count) },
      { text: run.root_hash },
    ]),
  );

export const command = Command.make(
  "import",
  {
    path: Options.input("FILE", "File of recorded runs"),
    format: Flag.Literals("format", ["ndjson", "openai-messages"]).pipe(
      Flag.withDescription("How the file says what happened"),
    ),
    tenant_id: Options.tenantId,
    agent_id: Options.id("agent-id", "A", "Agent, where the file names none"),
    origin_system_id: Options.id("origin-system-id", "S", "System, where the file names none"),
    mark: Options.scenario,
    run_ids: Flag.Literals("run-ids", ["content", "random"]).pipe(
      Flag.withDescription(
        "Ids where the file names none: of the content, which refuses a second import",
      ),
      Flag.withDefault("content" as const),
    ),
    existing: Options.toggle(
      "skip-existing",
      "Pass over runs that are stored already, and a last one without an end: for a file that grows",
    ).pipe(Flag.map((skip) => (skip ? ("skip" as const) : ("refuse" as const)))),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, mark, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { ImportCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/import/ImportCoordinator"),
    );
    let isStored = false;
    const { runs, skipped, unfinished } = yield* withRunproof(
      { databaseUrl, home },
      Effect.gen(function* () {
        const coordinator = yield* ImportCoordinator;
        return yield* Progress.during("importing", null, (report) =>
          coordinator.importFile({
            ...input,
            ...mark,
            onStored: Effect.sync(() => {
              isStored = true;
            }),
            onProgress: (progress) =>
              report({
                done: progress.runs_total === null ? progress.bytes_done : progress.runs_done,
                total: progress.runs_total ?? progress.bytes_total,
                detail: `${counted(progress.runs_done, "run")}, ${counted(progress.steps_done, "step")}`,
              }),
          }),
        );
      }),
    ).pipe(
      Effect.onInterrupt(() =>
        output.note(
          `interrupted: ${isStored ? "all" : "nothing"} of ${printable(input.path)} is stored`,
        ),
      ),
    );
    if (json) return yield* printJson({ runs, skipped, unfinished });
    if (runs.length > 0) yield* output.data(renderRuns(output.stdout, runs));
    const steps = runs.reduce((sum, run) => sum + run.step_count, 0);
    yield* output.note(
      `${counted(runs.length, "run")} with ${counted(steps, "step")} imported into tenant ${input.tenant_id}`,
    );
    if (skipped.length > 0)
      yield* output.note(`${counted(skipped.length, "run")} skipped: stored already`);
    if (unfinished !== null)
      yield* output.note(`${printable(unfinished)} has no end yet: it is left for the next import`);
  }),
).pipe(
  Command.withDescription("Bring in recorded runs, all of a file or none"),
  Command.withExamples([
    { command: "runproof import runs.ndjson --format ndjson --tenant-id demo" },
    { command: "zcat runs.ndjson.gz | runproof import - --format ndjson --tenant-id demo" },
    { command: "runproof import transcripts.json --format openai-messages --tenant-id demo" },
  ]),
);
