/**
 * Measures what numbering the log's entries costs those who append: runs recorded while nobody numbers, against runs
 * recorded while a process of its own does so every second, as the product does, and without a pause.
 *
 *     node tooling/bootstrap.mjs exec node tooling/benchmarks/AppendCost.ts [ROUNDS]
 *
 * The figures are ratios of one run of this program: what is compared takes turns.
 */
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import process from "node:process";
import { LogStore } from "@runproof/drivers/LogStore";
import { storesOf, withMeasuredDatabase, withStores } from "./MeasuredDatabase.ts";
import { recordTrace } from "./RecordedTrace.ts";

const ROUNDS_DEFAULT = 9;
const RUNS_OF_A_ROUND = 400;
const STEPS_OF_A_RUN = 5;
const WRITERS = 8;

/** How long the process that numbers waits between two turns; null where there is none. */
const ARMS = [
  { name: "nobody numbers", pause_ms: null },
  { name: "numbered every second", pause_ms: 1_000 },
  { name: "numbered without a pause", pause_ms: 0 },
] as const;

const runs = Array.from({ length: RUNS_OF_A_ROUND }, () => STEPS_OF_A_RUN);

/** Records runs whose steps are each acknowledged before the next; answers how long that took. */
const record = Effect.gen(function* () {
  const started_ms = performance.now();
  yield* Effect.forEach(runs, (steps) => recordTrace(steps, 1), {
    concurrency: WRITERS,
    discard: true,
  });
  return performance.now() - started_ms;
});

const numberEvery = (pause_ms: number) =>
  Effect.gen(function* () {
    const log = yield* LogStore;
    return yield* Effect.forever(
      Effect.andThen(log.sequence, Effect.sleep(Duration.millis(pause_ms))),
    );
  });

/** One round of one arm, on a log in which nothing waits. */
const roundOf = (url: string, pause_ms: number | null) =>
  Effect.gen(function* () {
    const log = yield* LogStore;
    while ((yield* log.size).pending > 0) yield* log.sequence;
    if (pause_ms !== null) {
      // Connections of its own, as another process has.
      const numbering = Effect.provide(numberEvery(pause_ms), storesOf(url), { local: true });
      yield* Effect.forkScoped(numbering);
    }
    return yield* record;
  }).pipe(Effect.scoped);

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const [, , roundsText] = process.argv;
const rounds = roundsText === undefined ? ROUNDS_DEFAULT : Number(roundsText);
await withMeasuredDatabase((url) =>
  withStores(
    url,
    Effect.gen(function* () {
      yield* roundOf(url, null);
      const ratios = ARMS.map((): Array<number> => []);
      for (let round = 0; round < rounds; round += 1) {
        const took_ms: Array<number> = [];
        for (const { pause_ms } of ARMS) took_ms.push(yield* roundOf(url, pause_ms));
        for (const [at, duration_ms] of took_ms.entries()) {
          ratios[at]!.push(duration_ms / took_ms[0]!);
        }
      }
      const appends = RUNS_OF_A_ROUND * (STEPS_OF_A_RUN + 2);
      console.log(
        `${rounds} rounds of ${appends} appends by ${WRITERS} writers; time against the first`,
      );
      for (const [at, { name }] of ARMS.entries()) {
        const [low, high] = [Math.min(...ratios[at]!), Math.max(...ratios[at]!)];
        console.log(
          `${name.padEnd(24)} ${median(ratios[at]!).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
        );
      }
    }),
  ),
);
