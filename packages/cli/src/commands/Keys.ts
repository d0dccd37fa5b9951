/** `runproof keys`: the keys that sign the log. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import type { SignerStatus } from "@runproof/spine-coordinators/ledger/KeyCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { counted } from "../Count.ts";
import * as ApiKeys from "./ApiKeys.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, type Location, withRunproof, withSigner } from "../Runproof.ts";
import { printable, type Screen } from "../Screen.ts";
import * as Table from "../Table.ts";

/** The keys, where they lie, and what was signed last. */
export const renderStatus = (screen: Screen, status: SignerStatus): string => {
  const { keys, last, key_path, state_path } = status;
  const table = Table.render(
    screen,
    [{ heading: "role" }, { heading: "verifier key" }],
    keys.map(({ role, vkey }) => [{ text: role }, { text: printable(vkey) }]),
  );
  return [
    keys.length === 0 ? "no key yet: the first checkpoint makes one" : table,
    "",
    `key file  ${key_path === null ? "none: the key comes from RUNPROOF_LOG_KEY" : printable(key_path)}`,
    `state     ${printable(state_path)}`,
    `signed    ${last === null ? "nothing yet" : `${counted(last.tree_size, "entry", "entries")}, root ${last.root_hash}`}`,
  ].join("\n");
};

const showStatus = Effect.fnUntraced(function* (status: SignerStatus) {
  const { json } = yield* root;
  const output = yield* Output;
  if (json) yield* printJson(status);
  else yield* output.data(renderStatus(output.stdout, status));
});

const keyCoordinator = load(() => import("@runproof/spine-coordinators/ledger/KeyCoordinator"));

const generate = Command.make(
  "generate",
  {
    origin: Flag.String("origin").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("Name of the log, such as example.com/log: each checkpoint says it"),
    ),
    path: Flag.Path("out").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("New file for the private key, which only you can read"),
    ),
  },
  Effect.fnUntraced(function* ({ origin, path }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { vkey } = yield* withSigner({}, (signer) => signer.generate({ origin, path }));
    if (json) yield* printJson({ vkey, path });
    else yield* output.data(vkey);
    yield* output.note(
      `the private key is in ${printable(path)}: set RUNPROOF_LOG_KEY_FILE to it, and give the key above to whoever verifies`,
    );
  }),
).pipe(
  Command.withDescription("Make a key in a new file, and print its verifier key"),
  Command.withExamples([
    { command: "runproof keys generate --origin example.com/log --out /etc/runproof/log.key" },
  ]),
);

const list = Command.make(
  "list",
  Options.database,
  Effect.fnUntraced(function* (location) {
    const status = yield* withSigner(location, (signer) => signer.status);
    yield* showStatus(status);
  }),
).pipe(
  Command.withDescription("Show the verifier keys and what was signed last"),
  Command.withExamples([{ command: "runproof keys list --json" }]),
);

const rotate = Command.make(
  "rotate",
  {
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Why the key is changed, for the log"),
      Flag.withDefault("rotation"),
    ),
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, reason, actor }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { KeyCoordinator } = yield* keyCoordinator;
    const rotated = yield* withRunproof(
      { databaseUrl, home },
      Effect.flatMap(KeyCoordinator, (keys) =>
        Progress.during("rotating", null, () => keys.rotate({ reason, actor })),
      ),
    );
    if (json) yield* printJson(rotated);
    else yield* output.data(rotated.new_vkey);
    if (rotated.was_done) {
      yield* output.note(
        "this rotation was cut off when all but its end was done, and is finished now; for another, run it again",
      );
    }
    yield* output.note(
      `the old key is retired: ${rotated.old_vkey}\ngive the new one to whoever verifies; checkpoints signed before need the old one`,
    );
  }),
).pipe(
  Command.withDescription("Put a new key in place, with both keys' signatures under the change"),
  Command.withExamples([{ command: 'runproof keys rotate --reason "yearly"' }]),
);

/** Where the database does not answer, what it keeps can't be compared with. */
const restoreUncompared = Effect.fnUntraced(function* (location: Location, note: string) {
  const output = yield* Output;
  const status = yield* withSigner(location, (signer) =>
    signer.restoreState(note, () => Effect.succeed(null)),
  );
  yield* output.note(
    "the database can't be reached, so the checkpoint was not compared with those that it keeps: be sure that this key signed no newer one",
  );
  return status;
});

const restoreState = Command.make(
  "restore-state",
  {
    checkpoint: Options.optional(
      Flag.File("checkpoint").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Newest checkpoint that this key signed"),
      ),
    ),
    never_signed: Options.toggle("never-signed", "Say instead that this key never signed anything"),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, checkpoint, never_signed }) {
    if ((checkpoint === undefined) !== never_signed) {
      return yield* new InvalidInput({
        what: "one of --checkpoint and --never-signed is needed, and not both",
        where: "keys restore-state",
        remedy: "Give the newest checkpoint that this key signed with --checkpoint FILE.",
      });
    }
    const { KeyCoordinator } = yield* keyCoordinator;
    const note = checkpoint === undefined ? null : yield* File.read(checkpoint);
    const status = yield* withRunproof(
      { databaseUrl, home },
      Effect.flatMap(KeyCoordinator, (keys) => keys.restoreState(note)),
    ).pipe(
      Effect.catchTag(
        "DatabaseUnreachable",
        Effect.fnUntraced(function* (error) {
          if (note === null) return yield* error;
          return yield* restoreUncompared({ databaseUrl, home }, note);
        }),
      ),
    );
    yield* showStatus(status);
  }),
).pipe(
  Command.withDescription("Make the signer's lost state anew from a checkpoint"),
  Command.withExamples([{ command: "runproof keys restore-state --checkpoint checkpoint.txt" }]),
);

export const command = Command.make("keys").pipe(
  Command.withDescription("Make, list and change the keys that sign the log, and API keys"),
  Command.withSubcommands([generate, list, rotate, restoreState, ApiKeys.command]),
);
