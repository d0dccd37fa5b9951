/** `runproof proof RUN_ID`: the verdict on one stored run. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { Count } from "@runproof/schemas/Text";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as BundleFile from "../BundleFile.ts";
import * as ExitCode from "../ExitCode.ts";
import * as Options from "../Options.ts";
import { jsonInParts, Output } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import * as Verdict from "../Verdict.ts";

/** A step shown alone is bound to its run by the log, or by a root that is known from elsewhere, and by nothing else. */
const STEP_NOTE =
  "A step alone is VERIFIED only under the log's key (`verify --vkey KEY`) or a root kept elsewhere (`verify --root-hash HEX`); without them it is UNSUPPORTED.";

/** The rows of a proof, in the order in which they come. */
const PARTS = ["aos_traces", "aos_trace_steps", "raw_logs"] as const;

export const command = Command.make(
  "proof",
  {
    run_id: Options.runId.pipe(Argument.withDescription("Run to prove")),
    tenant_id: Options.tenantId,
    model: Flag.Literals("model", ["HASH_CHAIN", "MERKLE_TREE"]).pipe(
      Flag.withDescription("Which root to recompute"),
      Flag.withDefault("HASH_CHAIN" as const),
    ),
    include_payloads: Options.toggle(
      "include-payloads",
      "Add the payloads' values to the JSON result",
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
    if (input.include_payloads && !json) {
      return yield* new InvalidInput({
        what: "it is given without --json",
        where: "--include-payloads",
        remedy: "Add --json: payloads are shown in the JSON result only.",
      });
    }
    const { trusting } = yield* load(
      () => import("@runproof/spine-coordinators/ledger/TrustedKeys"),
    );
    const { RunProofCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/proof/RunProofCoordinator"),
    );
    const { result, bundled } = yield* withStored(
      { databaseUrl, home },
      Effect.gen(function* () {
        const coordinator = yield* RunProofCoordinator;
        const document = json ? yield* jsonInParts(PARTS) : null;
        const result = yield* trusting(
          vkeys,
          "--vkey",
          Progress.during("verifying", null, () => coordinator.judge(input, document?.add)),
        );
        if (document !== null) {
          const { is_stored: _, ...members } = result;
          yield* document.end(members);
        }
        if (bundle === undefined || result.integrity.verification_status !== "VERIFIED")
          return { result, bundled: Effect.void };
        const made = BundleFile.write(bundle, (write) =>
          step === undefined
            ? coordinator.writeBundle(input, write)
            : coordinator.getStepBundle({ ...input, step_index: step }).pipe(
                Effect.tap(({ text }) => write(text)),
                Effect.map((file) => ({ ...file, step_index: step })),
              ),
        );
        const writing = Effect.gen(function* () {
          const { notes } = yield* trusting(vkeys, "--vkey", made);
          const all = step === undefined ? notes : [...notes, STEP_NOTE];
          yield* output.note([`bundle written to ${bundle}`, ...all].join("\n"));
        });
        // What is said of the run stands, whatever keeps it from being written to a file.
        return { result, bundled: yield* Effect.exit(writing) };
      }),
    );
    const { verification_status } = result.integrity;
    if (!json) {
      const subject = `run ${input.run_id} of tenant ${input.tenant_id}`;
      yield* output.data(Verdict.render(output.stdout, subject, result));
    }
    if (bundle !== undefined && verification_status !== "VERIFIED") {
      yield* output.note(
        `no bundle written: only a VERIFIED run is bundled, and this one is ${verification_status}`,
      );
    }
    yield* bundled;
    const absent = verification_status === "UNSUPPORTED" && !result.is_stored;
    const code = absent ? 3 : Verdict.exitCode(verification_status);
    if (code !== 0) return yield* new ExitCode.Concluded({ code });
  }),
).pipe(
  Command.withDescription("Prove a run, or name what was changed in it"),
  Command.withExamples([
    { command: "runproof proof RUN_ID --tenant-id demo" },
    {
      command: "runproof proof RUN_ID --tenant-id demo --vkey example.com/log+…",
      description: "SIGNED, where the log's key signed a checkpoint that covers the run",
    },
    {
      command: "runproof proof RUN_ID --tenant-id demo --bundle run.runproof.json",
      description: "Hand the evidence to somebody who trusts nobody",
    },
  ]),
);
