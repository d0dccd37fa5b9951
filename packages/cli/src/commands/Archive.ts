/** `runproof archive`: moves old evidence out of the tables that are written to. */
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as Confirmation from "../Confirmation.ts";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withOperated } from "../Runproof.ts";

export const command = Command.make(
  "archive",
  {
    older_than_days: Options.days("older-than", "How long ago a run must have been sealed"),
    tenant_id: Options.id("tenant-id", "T", "Only this tenant's runs [all]"),
    below_floor: Options.toggle("below-floor", "Allow less than 183 days"),
    reason: Options.reason,
    actor: Options.actor,
    yes: Confirmation.yes,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, yes, ...request }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/controls/RetentionCoordinator"),
    );
    yield* Confirmation.confirm(
      `Move every run sealed over ${request.older_than_days} days ago to the archive?`,
      yes,
    );
    const archived = yield* withOperated(
      { databaseUrl, home },
      RetentionCoordinator.use((retention) =>
        Progress.during("archiving", null, (report) =>
          retention.archive(request, ({ traces }) => report({ detail: counted(traces, "run") })),
        ),
      ),
    );
    if (json) return yield* printJson(archived);
    yield* output.data(`archived ${counted(archived.traces, "run")}`);
  }),
).pipe(
  Command.withDescription(
    "Move old sealed runs to the archive: still listed, shown and provable, and under no hold",
  ),
  Command.withExamples([
    { command: 'runproof archive --older-than 183d --reason "half a year" --yes' },
    { command: 'runproof archive --older-than 400d --tenant-id my-team --reason "closed"' },
  ]),
);
