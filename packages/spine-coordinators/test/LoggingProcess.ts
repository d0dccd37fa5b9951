/**
 * A process that records runs, some of them rolled back, and signs the log now and then, until it is killed or its input
 * ends. Arguments: the database's URL, the key's file, a seed. It writes a line for each checkpoint, and ends with 1 and
 * the error at whatever goes wrong.
 */
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import { checkpoint, inProcess, recordRun } from "./LogPrograms.ts";

const [url = "", key = "", seed = "0"] = process.argv.slice(2);

/** Runs recorded between two checkpoints, at most; and at once. */
const RUNS_MAX = 60;
const CONCURRENCY = 8;
const STEPS_MAX = 2;

process.stdin.resume();

const record = Effect.flatMap(Random.nextIntBetween(0, STEPS_MAX), (steps) => recordRun(steps));

const rolledBack = Effect.flatMap(LogsBridge, ({ transactions }) =>
  transactions.atomically(Effect.andThen(record, Effect.fail("rolled back" as const))),
).pipe(
  Effect.catchIf(
    (error) => error === "rolled back",
    () => Effect.void,
  ),
);

const oneOfMany = Effect.flatMap(Random.nextBetween(0, 10), (dice) =>
  dice < 1 ? rolledBack : Effect.asVoid(record),
);

const program = Effect.gen(function* () {
  while (!process.stdin.readableEnded) {
    const runs = yield* Random.nextIntBetween(1, RUNS_MAX);
    yield* Effect.forEach(Array.from({ length: runs }), () => oneOfMany, {
      concurrency: CONCURRENCY,
      discard: true,
    });
    const { tree_size } = yield* checkpoint;
    process.stdout.write(`${tree_size}\n`);
  }
});

try {
  await Effect.runPromise(inProcess({ url, key }, Random.withSeed(program, seed)));
} catch (error) {
  process.stderr.write(`${JSON.stringify(error)} ${String(error)}\n`);
  process.exitCode = 1;
}
