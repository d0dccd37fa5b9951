/** `runproof verify BUNDLE`: offline, with no database and no configuration. */
import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import { HashHex } from "@runproof/schemas/Text";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { verifyFile } from "../BundleFile.ts";
import { number } from "../Count.ts";
import * as ExitCode from "../ExitCode.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import * as Verdict from "../Verdict.ts";

/** What a bundle shows: a run, or one step of it. */
const shownOf = ({ run_id, integrity, aos_trace_steps }: RunProofResult): string => {
  const index = aos_trace_steps[0]?.["step_index"];
  const isStep = integrity.model === "MERKLE_TREE" && aos_trace_steps.length === 1;
  if (!isStep || typeof index !== "number") return `run ${run_id}`;
  return `step ${index} of ${number(integrity.chain_length)} of run ${run_id}`;
};

export const command = Command.make(
  "verify",
  {
    path: Options.input("BUNDLE", "File that `proof --bundle` wrote"),
    root_hash: Options.optional(
      Flag.String("root-hash").pipe(
        Flag.withMetavar("HEX"),
        Flag.withDescription("Root that you know from elsewhere; another one is FAILED"),
        Flag.withSchema(HashHex),
      ),
    ),
    vkeys: Flag.String("vkey").pipe(
      Flag.withMetavar("KEY"),
      Flag.withDescription("Key that must have signed the log; repeatable"),
      Options.repeatable,
    ),
  },
  Effect.fnUntraced(function* ({ path, root_hash, vkeys }) {
    const { json } = yield* root;
    const output = yield* Output;
    const result = yield* verifyFile(path, {
      ...(root_hash === undefined ? {} : { root_hash }),
      ...(vkeys.length === 0 ? {} : { trusted_keys: vkeys }),
    });
    if (json) yield* printJson(result);
    else
      yield* output.data(Verdict.render(output.stdout, `${shownOf(result)}, from ${path}`, result));
    const code = Verdict.exitCode(result.integrity.verification_status);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription("Verify a bundle offline"),
  Command.withExamples([
    { command: "runproof verify run.runproof.json" },
    {
      command: "curl -s https://example.com/run.runproof.json | runproof verify /dev/stdin",
      description: "From a pipe",
    },
  ]),
);
