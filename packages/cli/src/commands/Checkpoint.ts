/** `runproof checkpoint`: signs the log as it is now. */
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as CheckpointFile from "../CheckpointFile.ts";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";

/** Who numbers the log's entries, or keeps others from it, in the words of the function that does. */
const LOCK_HOLDER =
  "select pid from pg_locks where locktype = 'advisory' and granted and (classid::bigint << 32 | objid::bigint) = hashtextextended('runproof_log', 'aos_log_entries'::regclass::oid::bigint)";

export const command = Command.make(
  "checkpoint",
  {
    out: Options.optional(
      Flag.Path("out").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Write the checkpoint to FILE instead of stdout"),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, out }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { LogCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/ledger/LogCoordinator"),
    );
    // Before the database is opened, which may make one.
    if (out !== undefined) yield* CheckpointFile.readKept(out);
    const signed = yield* withStored(
      { databaseUrl, home },
      Effect.flatMap(LogCoordinator, (log) =>
        Progress.during("signing", null, () => log.checkpoint()),
      ),
    );
    if (out !== undefined) yield* CheckpointFile.write(out, signed.note);
    if (json) yield* printJson(signed);
    // The note ends in the newline that the output adds.
    else if (out === undefined) yield* output.data(signed.note.slice(0, -1));
    yield* output.note(
      `signed: ${counted(signed.tree_size, "entry", "entries")}${out === undefined ? "" : `, written to ${out}`}; keep a copy where the database's owner can't change it`,
    );
    if (signed.follows !== null) {
      yield* output.note(
        `new name: this log was signed as ${signed.follows} before, and is ${signed.origin} from here on; who trusts the first key alone does not trust this`,
      );
    }
    if (signed.waiting > 0) {
      yield* output.note(
        `not covered: ${counted(signed.waiting, "entry", "entries")} that another process was still numbering; sign again later; if they stay, look for a session that holds the log's lock: ${LOCK_HOLDER}`,
      );
    }
  }),
).pipe(
  Command.withDescription("Sign the log as it is now"),
  Command.withExamples([
    { command: "runproof checkpoint --out checkpoint.txt" },
    {
      command: "runproof audit --checkpoint checkpoint.txt --vkey example.com/log+…",
      description: "Later: does the log still extend what was signed?",
    },
  ]),
);
