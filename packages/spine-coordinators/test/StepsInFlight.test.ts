/** Goal: nothing acts unseen once a run's work is over, whatever fibers go on. */
import { assert, layer } from "@effect/vitest";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { gate, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

/** Tries steps until the run takes no more of them: its work is over then. */
const untilRefused = Effect.gen(function* () {
  for (;;) {
    const result = yield* Effect.result(TracedRun.step({ skill_id: "probe" }, Effect.void));
    if (result._tag === "Failure") return result.failure;
    yield* Effect.yieldNow;
  }
});

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `a step in a fiber of its own on ${name}`,
    (it) => {
      it.effect("that runs when the work is over is waited for, and recorded before the seal", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { began, release, pass } = yield* gate;
          const refused = yield* Deferred.make<string>();
          let acted = 0;
          let sealed_after = -1;
          const running = yield* Effect.forkChild(
            TracedRun.run(
              {
                tenant_id,
                capture: "inline",
                run_id,
                onSealed: () => Effect.sync(() => void (sealed_after = acted)),
              },
              Effect.gen(function* () {
                const acting = Effect.andThen(
                  pass,
                  Effect.sync(() => void (acted += 1)),
                );
                yield* Effect.forkDetach(TracedRun.step({ skill_id: "late" }, acting));
                yield* began;
                yield* Effect.forkDetach(
                  Effect.flatMap(untilRefused, ({ _tag }) => Deferred.succeed(refused, _tag)),
                );
              }),
            ),
          );
          assert.strictEqual(yield* Deferred.await(refused), "TraceSealed");
          assert.strictEqual((yield* show(run_id)).status, "running");
          yield* release;
          yield* Fiber.join(running);
          assert.strictEqual(sealed_after, 1);
          const { status, steps } = yield* show(run_id);
          assert.strictEqual(status, "completed");
          assert.strictEqual(steps.at(-1)?.record["skill_id"], "late");
          assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
        }),
      );

      it.effect("that begins after the seal does not act", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { release, pass } = yield* gate;
          let acted = 0;
          const late = yield* TracedRun.run(
            { tenant_id, capture: "inline", run_id },
            Effect.forkDetach(
              Effect.andThen(
                pass,
                TracedRun.step(
                  { skill_id: "late" },
                  Effect.sync(() => void (acted += 1)),
                ),
              ),
            ),
          );
          yield* release;
          const error = yield* Effect.flip(Fiber.join(late));
          assert.strictEqual(error._tag, "TraceSealed");
          assert.strictEqual(acted, 0);
          assert.deepStrictEqual((yield* show(run_id)).steps, []);
        }),
      );

      it.effect(
        "that runs when the run is interrupted is not waited for, and the seal says so",
        () =>
          Effect.gen(function* () {
            const run_id = runId();
            const { began, release, pass } = yield* gate;
            const started = yield* Deferred.make<Fiber.Fiber<void, { readonly _tag: string }>>();
            const running = yield* Effect.forkChild(
              TracedRun.run(
                { tenant_id, capture: "inline", run_id },
                Effect.gen(function* () {
                  const step = TracedRun.step({ skill_id: "late" }, pass);
                  yield* Deferred.succeed(started, yield* Effect.forkDetach(step));
                  return yield* Effect.never;
                }),
              ),
            );
            yield* began;
            yield* Fiber.interrupt(running);
            yield* release;
            const error = yield* Effect.flip(Fiber.join(yield* Deferred.await(started)));
            assert.strictEqual(error._tag, "TraceSealed");
            const { seal, steps } = yield* show(run_id);
            assert.deepStrictEqual([seal?.["status"], steps.length], ["aborted", 0]);
            assert.strictEqual(
              seal?.["reason"],
              "the run was interrupted; 1 step was still under way, and what came of it is not recorded",
            );
          }),
      );

      it.effect("that is waited for lets the run be interrupted", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const refused = yield* Deferred.make<void>();
          const { began, release, pass } = yield* gate;
          const running = yield* Effect.forkChild(
            TracedRun.run(
              { tenant_id, capture: "inline", run_id },
              Effect.gen(function* () {
                yield* Effect.forkDetach(TracedRun.step({ skill_id: "late" }, pass));
                yield* began;
                yield* Effect.forkDetach(
                  Effect.andThen(untilRefused, Deferred.succeed(refused, undefined)),
                );
              }),
            ),
          );
          yield* Deferred.await(refused);
          yield* Fiber.interrupt(running);
          yield* release;
          const { seal } = yield* show(run_id);
          assert.strictEqual(seal?.["status"], "aborted");
          assert.include(JSON.stringify(seal?.["reason"]), "1 step was still under way");
        }),
      );
    },
  );
}
