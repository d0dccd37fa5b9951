/** `runproof log`: proofs from the log, and its publication. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { Count } from "@runproof/schemas/Text";
import type {
  EntryReference,
  TreeReference,
} from "@runproof/spine-coordinators/ledger/LogCoordinator";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { counted } from "../Count.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable } from "../Screen.ts";

const logCoordinator = load(() => import("@runproof/spine-coordinators/ledger/LogCoordinator"));

const trustedKeys = load(() => import("@runproof/spine-coordinators/ledger/TrustedKeys"));

/** Prints the proof itself, or all that is known of it as JSON. */
const showProof = Effect.fnUntraced(function* (proof: { readonly text: string }) {
  const { json } = yield* root;
  const output = yield* Output;
  if (json) yield* printJson(proof);
  else yield* output.data(proof.text.replace(/\n$/u, ""));
});

const exportLog = Command.make(
  "export",
  {
    folder: Argument.Path("DIR").pipe(
      Argument.withDescription("Folder to write to, for any static host"),
    ),
    checks: Options.toggle(
      "check",
      "Also compare every file of the published tree with the log, and write it again where it is missing or differs; without it, what was published before is not looked at",
    ),
    vkeys: Options.vkeys,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, folder, checks, vkeys }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { LogCoordinator } = yield* logCoordinator;
    const { trusting } = yield* trustedKeys;
    const exporting = Effect.flatMap(LogCoordinator, (log) =>
      Effect.all([
        Progress.during(checks ? "checking" : "exporting", null, (report) =>
          log.exportTiles({
            folder,
            checks,
            onProgress: (done, total) => report({ done, total }),
          }),
        ),
        log.unknownSigner,
      ]),
    );
    const [exported, note] = yield* withStored(
      { databaseUrl, home },
      trusting(vkeys, "--vkey", exporting),
    );
    if (note !== null) yield* output.note(note);
    const { tree_size, previous_size, files_checked, files_written, files_replaced } = exported;
    for (const path of files_replaced) {
      yield* output.note(`was not the log's, and was written again: ${printable(path)}`);
    }
    if (json) return yield* printJson({ folder, ...exported });
    const checked = files_checked === null ? "" : `, ${counted(files_checked, "file")} checked`;
    yield* output.data(
      `${printable(folder)}  ${counted(tree_size, "entry", "entries")} (${previous_size} before)${checked}, ${counted(files_written, "file")} written\nroot      ${exported.root_hash}`,
    );
  }),
).pipe(
  Command.withDescription("Write the log as C2SP tlog-tiles, as far as it is not there yet"),
  Command.withExamples([
    { command: "runproof log export ./public/log" },
    {
      command: "runproof log export ./public/log --check",
      description: "Repair what was lost or changed in the folder since it was published",
    },
  ]),
);

const entryOf = (flags: {
  readonly index: number | undefined;
  readonly run_id: string | undefined;
  readonly tenant_id: string | undefined;
  readonly entry: "opened" | "sealed";
}): EntryReference | InvalidInput => {
  const { index, run_id, tenant_id, entry } = flags;
  if (index !== undefined && run_id === undefined && tenant_id === undefined) return { index };
  if (index === undefined && run_id !== undefined && tenant_id !== undefined) {
    return { run_id, tenant_id, entry };
  }
  return new InvalidInput({
    what: "which entry is not said, or said twice",
    where: "log prove-inclusion",
    remedy: "Give --index N, or --run-id R with --tenant-id T.",
  });
};

const proveInclusion = Command.make(
  "prove-inclusion",
  {
    index: Options.optional(
      Flag.Int("index").pipe(
        Flag.withMetavar("N"),
        Flag.withDescription("Entry, counted from 0"),
        Flag.withSchema(Count),
      ),
    ),
    run_id: Options.id("run-id", "R", "Or the entry of a run"),
    tenant_id: Options.id("tenant-id", "T", "Tenant that the run belongs to"),
    entry: Flag.Literals("entry", ["opened", "sealed"]).pipe(
      Flag.withDescription("Which of the run's entries"),
      Flag.withDefault("sealed" as const),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...flags }) {
    const entry = entryOf(flags);
    if (entry instanceof InvalidInput) return yield* entry;
    const { LogCoordinator } = yield* logCoordinator;
    const proof = yield* withStored(
      { databaseUrl, home },
      Effect.flatMap(LogCoordinator, (log) => log.proveInclusion(entry)),
    );
    yield* showProof(proof);
  }),
).pipe(
  Command.withDescription("Prove that the log holds an entry (C2SP tlog-proof@v1)"),
  Command.withExamples([
    { command: "runproof log prove-inclusion --run-id RUN_ID --tenant-id my-team" },
    { command: "runproof log prove-inclusion --index 0" },
  ]),
);

/** A tree by its size, or by the checkpoint in a file. */
const treeOf = (
  text: string,
): Effect.Effect<TreeReference, InvalidInput | Effect.Error<ReturnType<typeof File.read>>> =>
  /^\d{1,15}$/u.test(text)
    ? Effect.succeed({ size: Number(text) })
    : Effect.map(File.read(text), (note) => ({ note }));

const proveConsistency = Command.make(
  "prove-consistency",
  {
    from: Flag.String("from").pipe(
      Flag.withMetavar("N|FILE"),
      Flag.withDescription("Older tree: its size, or a file with its checkpoint"),
    ),
    to: Options.optional(
      Flag.String("to").pipe(
        Flag.withMetavar("N|FILE"),
        Flag.withDescription("Newer tree [the latest checkpoint's]"),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...flags }) {
    const from = yield* treeOf(flags.from);
    const to = flags.to === undefined ? undefined : yield* treeOf(flags.to);
    const { LogCoordinator } = yield* logCoordinator;
    const proof = yield* withStored(
      { databaseUrl, home },
      Effect.flatMap(LogCoordinator, (log) => log.proveConsistency({ from, to })),
    );
    yield* showProof(proof);
  }),
).pipe(
  Command.withDescription("Prove that the log extends an older tree of it"),
  Command.withExamples([{ command: "runproof log prove-consistency --from checkpoint.txt" }]),
);

export const command = Command.make("log").pipe(
  Command.withDescription("Publish the signed log, and prove what it holds"),
  Command.withSubcommands([exportLog, proveInclusion, proveConsistency]),
);
