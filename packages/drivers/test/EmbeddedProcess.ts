/**
 * A process that opens the embedded database of a folder, for tests of what a second process and a killed one meet. It says
 * what it met as one line of JSON, and holds the database until its standard input ends.
 */
import { Database } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";

const home = process.argv[2]!;

const untilInputEnds = Effect.callback<void>((resume) => {
  process.stdin.on("end", () => resume(Effect.void)).resume();
});

const say = (line: object) =>
  Effect.sync(() => process.stdout.write(`${JSON.stringify({ pid: process.pid, ...line })}\n`));

const program = Effect.andThen(say({ _tag: "Open" }), untilInputEnds).pipe(
  Effect.provide(Database.layer({ kind: "embedded", home })),
  Effect.catch((error) => say({ ...error, _tag: error._tag, message: error.message })),
);

await Effect.runPromise(program);
