/** `runproof doctor`: what is wrong with an installation, each with its remedy. */
import type { DoctorCheck } from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as ExitCode from "../ExitCode.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withSchema } from "../Runproof.ts";
import { printable, type Screen, tone, wrap } from "../Screen.ts";

const tones = { ok: "good", warn: "caution", fail: "bad" } as const;

/** The checks, one line each, with the remedy under what needs one. */
export const renderChecks = (screen: Screen, checks: ReadonlyArray<DoctorCheck>): string => {
  const longest = Math.max(0, ...checks.map((check) => check.name.length));
  return checks
    .map((check) => {
      const first = `${check.status.padEnd(4)}  ${check.name.padEnd(longest)}  `;
      const line = wrap(printable(check.detail), screen.columns, first);
      const painted = tone(screen, tones[check.status], line.slice(0, 4)) + line.slice(4);
      if (check.remedy === null) return painted;
      return `${painted}\n${wrap(printable(check.remedy), screen.columns, `${" ".repeat(first.length)}try: `)}`;
    })
    .join("\n");
};

export const command = Command.make(
  "doctor",
  Options.database,
  Effect.fnUntraced(function* (location) {
    const { json } = yield* root;
    const output = yield* Output;
    const { SchemaCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/schema/SchemaCoordinator"),
    );
    const checks = yield* withSchema(
      location,
      Effect.flatMap(SchemaCoordinator, (coordinator) =>
        Progress.during("checking", null, () => coordinator.doctor()),
      ),
    );
    if (json) yield* printJson({ checks });
    else yield* output.data(renderChecks(output.stdout, checks));
    if (checks.some((check) => check.status === "fail"))
      return yield* new ExitCode.Concluded({ code: 5 });
  }),
).pipe(Command.withDescription("Check database, schema, triggers and embedded folder"));
