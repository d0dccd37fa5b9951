/** `runproof sweep`: ends the runs whose process died. */
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable } from "../Screen.ts";

export const command = Command.make(
  "sweep",
  { ...Options.database },
  Effect.fnUntraced(function* (location) {
    const { json } = yield* root;
    const output = yield* Output;
    const { LogsBridge } = yield* load(
      () => import("@runproof/spine-coordinators/logs/LogsBridge"),
    );
    const aborted = yield* withStored(
      location,
      LogsBridge.use((logs) => logs.sweep()),
    );
    if (json) return yield* printJson({ aborted });
    for (const { run_id, tenant_id, step_count } of aborted) {
      yield* output.data(
        `aborted  ${printable(run_id)} of tenant ${printable(tenant_id)}, after ${counted(step_count, "step")}`,
      );
    }
    if (aborted.length === 0) yield* output.note("no open run is past its lease");
  }),
).pipe(
  Command.withDescription("Seal as ABORTED the runs whose process died and whose lease is over"),
  Command.withExamples([
    { command: "runproof sweep" },
    { command: "*/5 * * * *  runproof sweep", description: "From cron, where no service does it" },
  ]),
);
