/** `runproof proof RUN_ID`: the verdict on one stored run. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { REASON_NO_TRACE } from "@runproof/schemas/RunProofResult";
import { Count } from "@runproof/schemas/Text";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as ExitCode from "../ExitCode.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withRunproof } from "../Runproof.ts";
import * as Verdict from "../Verdict.ts";

export const command = Command.make(
  "proof",
  {
    run_id: Options.runId.pipe(Argument.withDescription("Run to prove")),
    tenant_id: Options.tenantId,
    model: Flag.Literals("model", ["HASH_CHAIN", "MERKLE_TREE"]).pipe(
      Flag.withDescription("Which root to recompute"),
      Flag.withDefault("HASH_CHAIN" as const),
    ),
    include_payloads: Flag.Boolean("include-payloads").pipe(
      Flag.withDescription("Add the payloads' values to the JSON result"),
      Flag.withDefault(false),
    ),
    bundle: Options.optional(
      Flag.File("bundle").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Also write the run to FILE, for `verify` to check offline"),
      ),
    ),
    step: Options.optional(
      Flag.Int("step").pipe(
        Flag.withMetavar("N"),
        Flag.withDescription(
          "With --bundle: only step N, counted from 0, and nothing of the others",
        ),
        Flag.withSchema(Count),
      ),
    ),
    vkeys: Options.vkeys,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, bundle, step, vkeys, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    if (step !== undefined && bundle === undefined) {
      return yield* new InvalidInput({
        what: "it is given without --bundle",
        where: "--step",
        remedy: "Add --bundle FILE: a step is shown alone in a bundle of its own.",
      });
    }
    if (vkeys.length > 0 && bundle === undefined) {
      return yield* new InvalidInput({
        what: "it is given without --bundle",
        where: "--vkey",
        remedy: "Add --bundle FILE: only a bundle holds proofs from the log.",
      });
    }
    const { trusting } = yield* load(
      () => import("@runproof/spine-coordinators/ledger/TrustedKeys"),
    );
    const { RunProofCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/proof/RunProofCoordinator"),
    );
    const { result, bundled } = yield* withRunproof(
      { databaseUrl, home },
      Effect.gen(function* () {
        const coordinator = yield* RunProofCoordinator;
        const proved = yield* Progress.during("verifying", null, () =>
          coordinator.getRunProof(input),
        );
        if (bundle === undefined || proved.integrity.verification_status !== "VERIFIED")
          return { result: proved, bundled: Effect.void };
        const writing = Effect.gen(function* () {
          const { text, notes } = yield* trusting(
            vkeys,
            "--vkey",
            step === undefined
              ? coordinator.getBundle(input)
              : coordinator.getStepBundle({ ...input, step_index: step }),
          );
          yield* File.write(bundle, text);
          yield* output.note([`bundle written to ${bundle}`, ...notes].join("\n"));
        });
        // What is said of the run stands, whatever keeps it from being written to a file.
        return { result: proved, bundled: yield* Effect.exit(writing) };
      }),
    );
    const { verification_status, failure_reason } = result.integrity;
    if (json) yield* printJson(result);
    else
      yield* output.data(
        Verdict.render(output.stdout, `run ${input.run_id} of tenant ${input.tenant_id}`, result),
      );
    if (bundle !== undefined && verification_status !== "VERIFIED") {
      yield* output.note(
        `no bundle written: only a VERIFIED run is bundled, and this one is ${verification_status}`,
      );
    }
    yield* bundled;
    const absent = verification_status === "UNSUPPORTED" && failure_reason === REASON_NO_TRACE;
    const code = absent ? 3 : Verdict.exitCode(verification_status);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription("Prove a run, or name what was changed in it"),
  Command.withExamples([
    { command: "runproof proof RUN_ID --tenant-id demo" },
    {
      command: "runproof proof RUN_ID --tenant-id demo --bundle run.runproof.json",
      description: "Hand the evidence to somebody who trusts nobody",
    },
  ]),
);
