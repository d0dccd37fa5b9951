/**
 * A process that records runs through whatever its URL leads to, until it is killed or its input ends. Its clock is set back
 * now and then. Arguments: the database's URL, a seed, how many runs at once. It writes a `Told` line at each moment that matters, before it goes on.
 */
import { Database } from "@runproof/drivers/Database";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import * as Schedule from "effect/Schedule";
import { writeSync } from "node:fs";

export const TENANT = "faults";

/** What a program says of its run. */
export type Told =
  | {
      readonly is: "begun";
      readonly run_id: string;
      readonly capture: "gated" | "inline";
      readonly steps: number;
    }
  | { readonly is: "acted" | "acknowledged"; readonly run_id: string; readonly act: number }
  | { readonly is: "succeeded"; readonly run_id: string }
  | { readonly is: "failed"; readonly run_id: string; readonly tag: string; readonly why: string }
  | { readonly is: "clock set back" };

/** A reproducible sequence of numbers from 0 to 1 (Lehmer). */
export const sequenceOf = (seed: number) => () =>
  (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

const STEPS_MAX = 6;
const LEASE_MS = 1_500;
const RUNS_PER_CLOCK_SET = 20;
const CLOCK_BACK_MAX_MS = 3_600_000;

const tell = (told: Told): void => void writeSync(1, `${JSON.stringify(told)}\n`);

const record = (run_id: string, capture: "gated" | "inline", steps: number) =>
  TracedRun.run(
    { tenant_id: TENANT, run_id, capture, lease_ms: LEASE_MS },
    Effect.forEach(
      Array.from({ length: steps }, (_, act) => act),
      (act) =>
        TracedRun.step(
          { skill_id: "act", params: { act } },
          Effect.sync(() => {
            tell({ is: "acted", run_id, act });
            return { act };
          }),
        ).pipe(Effect.tap(() => Effect.sync(() => tell({ is: "acknowledged", run_id, act })))),
      { discard: true },
    ),
  ).pipe(
    Effect.exit,
    Effect.tap((exit) => Effect.sync(() => tell(endOf(run_id, exit)))),
  );

const endOf = (run_id: string, exit: Exit.Exit<unknown, { readonly _tag: string }>): Told => {
  if (Exit.isSuccess(exit)) return { is: "succeeded", run_id };
  const error = Exit.findErrorOption(exit);
  const tag = error._tag === "Some" ? error.value._tag : "a defect";
  return { is: "failed", run_id, tag, why: JSON.stringify(exit) };
};

/** A clock that can be set back; what it measures durations by goes on. */
const clockThatIsSet = (live: Clock.Clock) => {
  let back_ms = 0;
  const nanos = () => live.currentTimeNanosUnsafe() - BigInt(Math.round(back_ms)) * 1_000_000n;
  const millis = () => Number(nanos() / 1_000_000n);
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: live.monotonicTimeNanos,
    sleep: (duration) => live.sleep(duration),
  };
  return { clock, setBack: (by_ms: number) => (back_ms += by_ms) };
};

const program = (random: () => number, name: string, at_once: number) =>
  Effect.gen(function* () {
    const { clock, setBack } = clockThatIsSet(yield* Clock.Clock);
    let runs = 0;
    const one = Effect.suspend(() => {
      if (random() * RUNS_PER_CLOCK_SET < 1) {
        setBack(random() * CLOCK_BACK_MAX_MS);
        tell({ is: "clock set back" });
      }
      const run_id = `run ${name}.${(runs += 1)}`;
      const capture = random() < 0.5 ? "gated" : "inline";
      const steps = 1 + Math.floor(random() * STEPS_MAX);
      tell({ is: "begun", run_id, capture, steps });
      return record(run_id, capture, steps);
    });
    const programs = Effect.forEach(
      Array.from({ length: at_once }),
      () =>
        Effect.whileLoop({
          while: () => !process.stdin.readableEnded,
          body: () => one,
          step: () => {},
        }),
      { concurrency: "unbounded", discard: true },
    );
    yield* Effect.provideService(programs, Clock.Clock, clock);
  });

if (import.meta.main) {
  const [url = "", seed = "1", at_once = "1"] = process.argv.slice(2);
  process.stdin.resume();
  const config = { kind: "server", url: Redacted.make(url) } as const;
  const services = RunproofLayer.layer().pipe(
    Layer.provideMerge(Database.layer(config)),
    // That it can't be reached is known.
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
  );
  await Effect.runPromise(
    program(sequenceOf(Number(seed)), seed, Number(at_once)).pipe(
      Effect.provide(services),
      // Opening meets the network, too.
      Effect.retry({ times: 1_000, schedule: Schedule.spaced("50 millis") }),
    ),
  );
  process.exit();
}
