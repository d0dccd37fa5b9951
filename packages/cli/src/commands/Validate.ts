/** `runproof validate`: Run Proof Test Plan v1 on the production path. */
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import type {
  ValidationCheck,
  ValidationReport,
} from "@runproof/spine-coordinators/validation/ValidationReport";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Config from "effect/Config";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as ExitCode from "../ExitCode.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withRunproof } from "../Runproof.ts";
import { printable, type Screen, tone } from "../Screen.ts";
import * as TestSuites from "../TestSuites.ts";

const tones = { PASS: "good", FAIL: "bad", "NOT RUN": "quiet" } as const;

const verdict = (screen: Screen, text: keyof typeof tones): string =>
  tone(screen, tones[text], text.padEnd(7));

/** One check as it ends, with what it printed. */
export const renderCheck = (screen: Screen, check: ValidationCheck): string =>
  [
    `${verdict(screen, check.verdict)}  ${check.number}. ${check.name}`,
    ...check.output.split("\n").map((line) => `         ${printable(line)}`),
  ].join("\n");

/** The acceptance criteria, and what the validation stopped with. */
export const renderConclusion = (screen: Screen, report: ValidationReport): string =>
  [
    tone(screen, "strong", "Acceptance criteria"),
    ...report.criteria.map(
      (each) => `${verdict(screen, each.verdict)}  ${each.name}: ${printable(each.detail)}`,
    ),
    ...(report.stopped_with === null ? [] : ["", printable(report.stopped_with)]),
  ].join("\n");

/** The exit code of a report: no trace is 3, evidence that contradicts 6, what can't be verified 7, and failing tests 1. */
export const exitCode = (report: ValidationReport): ExitCode.ExitCode => {
  if (report.passed) return 0;
  if (report.run_id === null) return 3;
  if (report.verification_status === "FAILED") return 6;
  if (report.verification_status !== "VERIFIED") return 7;
  const contradicts = report.checks.some((check) => check.number <= 4 && check.verdict === "FAIL");
  return contradicts ? 6 : 1;
};

const TRUE_VALUES = ["1", "true", "yes", "on"];

/** The plan is for the production path: what is validated must not be able to fall back to an embedded database. */
const requireProductionPath = Effect.gen(function* () {
  const setting = yield* Effect.option(Config.String("USE_POSTGRES_TRACES"));
  const value = Option.getOrElse(setting, () => "")
    .trim()
    .toLowerCase();
  if (TRUE_VALUES.includes(value)) return;
  return yield* new ConfigurationInvalid({
    setting: "USE_POSTGRES_TRACES",
    what: "a validation is of the production path, and this is not true",
    remedy: "Set USE_POSTGRES_TRACES=true and DATABASE_URL, then run it again.",
  });
});

export const command = Command.make(
  "validate",
  {
    tenant_id: Options.tenantId,
    run_id: Options.id("run-id", "R", "Run to validate; the newest where it is left out"),
    report: Options.optional(
      Flag.Path("report").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Write the report to FILE, as Markdown"),
      ),
    ),
    databaseUrl: Options.database.databaseUrl,
  },
  Effect.fnUntraced(function* ({ databaseUrl, report: path, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    yield* requireProductionPath;
    const { ValidationCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/validation/ValidationCoordinator"),
    );
    const report = yield* withRunproof(
      { databaseUrl, requireServer: true },
      Effect.flatMap(ValidationCoordinator, (coordinator) =>
        Progress.during("validating", null, () =>
          coordinator.validate({
            ...input,
            suite: TestSuites.suite(),
            onCheck: (check) => output.note(renderCheck(output.stderr, check)),
          }),
        ),
      ),
    );
    if (path !== undefined) {
      const { toMarkdown } = yield* load(
        () => import("@runproof/spine-coordinators/validation/ValidationReport"),
      );
      yield* File.write(path, toMarkdown(report));
      yield* output.note(`report written to ${path}`);
    }
    if (json) yield* printJson(report);
    else yield* output.data(renderConclusion(output.stdout, report));
    const code = exitCode(report);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription("Run Proof Test Plan v1 on the production database"),
  Command.withExamples([
    {
      command:
        "USE_POSTGRES_TRACES=true DATABASE_URL=postgresql://… runproof validate --tenant-id demo --report report.md",
    },
  ]),
);
