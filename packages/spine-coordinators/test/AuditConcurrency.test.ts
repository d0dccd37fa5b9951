/**
 * Goal: an audit beside writers cries no wolf. Method: sixteen writers record, seal, abandon and sweep runs, a sequencer
 * numbers the log and a signer signs it, while audits run one after another until the writers are done.
 */
import { assert, layer } from "@effect/vitest";
import { AuditBridge } from "@runproof/spine-coordinators/audit/AuditBridge";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { AuditReport } from "@runproof/schemas/AuditReport";
import { StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Ref from "effect/Ref";
import {
  append,
  audit,
  audited,
  logKey,
  number,
  openRun,
  pastTriggers,
  seal,
  sealedRun,
  sign,
} from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

const WRITERS = 16;
const RUNS_OF_A_WRITER = 12;

const record = (nth: number, lease_ms?: number) =>
  Effect.gen(function* () {
    const run = yield* openRun(2, lease_ms);
    for (let more = 0; more < nth % 3; more += 1) yield* append(run, 1);
    return run;
  });

/** A run whose lease is soon over: another writer's sweeper may end it at any of its steps. */
const abandonRun = (nth: number) =>
  record(nth, 5).pipe(
    Effect.catchTag(["TraceSealed", "TraceNotFound", "LeaseLost"], () => Effect.void),
    Effect.andThen(Effect.flatMap(LogsBridge, ({ sweep }) => sweep())),
  );

/** One run of a writer: sealed, left open, or abandoned. */
const writeRun = (nth: number) =>
  nth % 4 === 3
    ? abandonRun(nth)
    : Effect.flatMap(record(nth), (run) => (nth % 4 < 2 ? seal(run) : Effect.void));

const writer = Effect.forEach(
  Array.from({ length: RUNS_OF_A_WRITER }, (_, nth) => nth),
  writeRun,
  { discard: true },
);

layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })("an audit", (it) => {
  it.effect("beside sixteen writers, a sweeper, a sequencer and a signer finds nothing", () =>
    Effect.gen(function* () {
      const key = logKey();
      const first = yield* Effect.andThen(openRun(1), sign(key));
      const isDone = yield* Ref.make(false);
      const writers = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: WRITERS }, () => writer),
          {
            concurrency: WRITERS,
            discard: true,
          },
        ).pipe(Effect.ensuring(Ref.set(isDone, true))),
      );
      const signer = yield* Effect.forkChild(
        Effect.repeat(Effect.andThen(sign(key), Ref.get(isDone)), { until: (done) => done }),
      );
      const reports: Array<AuditReport> = [];
      let since = first;
      do {
        const full = yield* audit({
          checkpoints: [{ source: "first.txt", note: first }],
          verifier_keys: [key.verifier.text],
        });
        const recent = yield* audit({ since: { source: "last.txt", note: since } });
        reports.push(full.report, recent.report);
        since = recent.resume_from ?? since;
      } while (!(yield* Ref.get(isDone)));
      yield* Fiber.join(writers);
      yield* Fiber.join(signer);
      for (const report of reports) assert.deepStrictEqual(report.findings, []);
      yield* number;
      const { report } = yield* audit();
      assert.deepStrictEqual(report.findings, []);
      assert.strictEqual(report.checked.traces, WRITERS * RUNS_OF_A_WRITER + 1);
      // What is found beside writers is found all the same.
      yield* pastTriggers("update aos_trace_steps set skill_name = 'x' where step_index = 1");
      assert.strictEqual((yield* audit()).report.verdict, "FINDINGS");
    }),
  );
});

layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
  "an audit's count",
  (it) => {
    it.effect("of one worker stays where another takes its own back", () =>
      Effect.gen(function* () {
        const [runs, steps] = [8, 3];
        yield* Effect.forEach(Array.from({ length: runs }), () => sealedRun(steps));
        yield* number;
        const oneIsDone = yield* Deferred.make<void>();
        let batches = 0;
        // The first batch that is read fails once all of another worker's is counted, and is read again by its traces.
        const bridge = Effect.map(AuditBridge, (real) =>
          AuditBridge.of({
            ...real,
            snapshot: (use) =>
              real.snapshot((reads) =>
                use({
                  ...reads,
                  forEachStepPage: (range, usePage) => {
                    batches += 1;
                    const read = reads.forEachStepPage(range, usePage);
                    if (batches > 1)
                      return Effect.tap(read, Deferred.succeed(oneIsDone, undefined));
                    const failed = new StoredDataUnreadable({ where: "a page", what: "torn" });
                    return Effect.andThen(
                      Effect.andThen(read, Deferred.await(oneIsDone)),
                      Effect.fail(failed),
                    );
                  },
                }),
              ),
          }),
        );
        const paged = AuditCoordinator.layer.pipe(
          Layer.provide(Layer.effect(AuditBridge, bridge)),
          Layer.provide(AuditBridge.layer),
        );
        const { report } = yield* Effect.provide(audit({ workers: 2 }), paged, { local: true });
        assert.deepStrictEqual(report.findings, []);
        assert.strictEqual(report.checked.steps, runs * steps);
        assert.isAbove(batches, 2);
      }),
    );
  },
);
