/** The `runproof` command before its subcommands: what each of them inherits. */
import * as Command from "effect/cli/Command";
import * as Options from "./Options.ts";

/** Gives every command `--json`: `const { json } = yield* root`. */
export const root = Command.make("runproof").pipe(
  Command.withSharedFlags({
    json: Options.toggle("json", "Print JSON on stdout, and errors as JSON on stderr"),
  }),
  Command.withDescription("Record, prove and verify what an AI agent did."),
  Command.withExamples([
    { command: "runproof demo", description: "See the whole of it, in seconds" },
    { command: "runproof run --plan plan.json --tenant-id my-team" },
    { command: "runproof proof RUN_ID --tenant-id my-team --bundle run.runproof.json" },
    { command: "runproof verify run.runproof.json" },
    { command: "runproof --completions bash >> ~/.bashrc", description: "Complete in your shell" },
  ]),
);
