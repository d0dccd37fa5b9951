/**
 * Goal: two runs are said to agree only where both were verified, are whole, and everything that decides is there. Method:
 * runs of traced programs on a real server and on the embedded database, one of them tampered with, erased or cut off.
 */
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { ControlsBridge } from "@runproof/spine-coordinators/controls/ControlsBridge";
import { ErasureCoordinator } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import { ParityCoordinator } from "@runproof/spine-coordinators/replay/ParityCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { runId, tamper, tenant_id } from "./StoredRuns.ts";
import { databases } from "./TestDatabase.ts";

type Capture = "gated" | "inline";

/** Records a run of calls with these amounts; answers its id. */
const recorded = (
  amounts: ReadonlyArray<unknown>,
  {
    capture = "inline",
    ends = Effect.void,
  }: { capture?: Capture; ends?: Effect.Effect<void> } = {},
) =>
  Effect.gen(function* () {
    const run_id = runId();
    const steps = Effect.forEach(amounts, (amount) =>
      TracedRun.step({ skill_id: "pay", params: { amount } }, Effect.succeed(1)),
    );
    yield* Effect.exit(TracedRun.run({ tenant_id, run_id, capture }, Effect.andThen(steps, ends)));
    return run_id;
  });

const compare = (run_a: string, run_b: string, outcomes = false) =>
  ParityCoordinator.use((parity) => parity.compare({ tenant_id, run_a, run_b, outcomes }));

for (const [name, config] of databases) {
  const live = Layer.unwrap(
    Effect.map(config, (opened) =>
      Layer.merge(
        RunproofLayer.layer(),
        ErasureCoordinator.layer.pipe(Layer.provide(ControlsBridge.layer)),
      ).pipe(Layer.provideMerge(Database.operating(opened))),
    ),
  );
  layer(live, { excludeTestServices: true, timeout: 60_000 })(`two runs on ${name}`, (it) => {
    it.effect("agree, whatever their times, and however close to the act they were recorded", () =>
      Effect.gen(function* () {
        const [a, b] = [yield* recorded([1, 2]), yield* recorded([1, 2], { capture: "gated" })];
        const report = yield* compare(a, b, true);
        assert.deepInclude(report, { verdict: "PARITY", reason: null, masked_acts: 0 });
        assert.deepStrictEqual([report.run_a.act_count, report.run_b.step_count], [2, 4]);
      }),
    );

    it.effect("diverge where a parameter first differs, or an act is missing", () =>
      Effect.gen(function* () {
        const a = yield* recorded([1, 2, 3]);
        const changed = yield* compare(a, yield* recorded([1, 5, 3]));
        assert.strictEqual(changed.verdict, "DIVERGED");
        assert.deepInclude(changed.first_divergence, {
          row: 1,
          value: { path: "$.amount", a: 2, b: 5 },
        });
        const missing = yield* compare(a, yield* recorded([1, 3]));
        assert.deepInclude(missing, { verdict: "DIVERGED" });
        assert.include(missing.reason, "only A calls pay (step 1)");
      }),
    );

    it.effect("are not compared where one was altered, is open or was cut off", () =>
      Effect.gen(function* () {
        const [a, b] = [yield* recorded([1]), yield* recorded([1])];
        const aborted = yield* recorded([1], { ends: Effect.die("cut off") });
        assert.include((yield* compare(a, aborted)).reason, "is ABORTED");
        assert.strictEqual((yield* compare(a, aborted)).verdict, "UNKNOWN");
        yield* tamper(
          "aos_trace_steps",
          `update aos_trace_steps set params = replace(params, '1', '9') where run_id = '${b}'`,
        );
        const report = yield* compare(a, b);
        assert.strictEqual(report.verdict, "UNKNOWN");
        assert.strictEqual(report.run_b.verification_status, "FAILED");
        assert.deepStrictEqual(report.rows, []);
      }),
    );

    it.effect("are not said to agree in what was erased, and masked values are told of", () =>
      Effect.gen(function* () {
        const [a, b] = [yield* recorded([1]), yield* recorded([1])];
        const erasure = yield* ErasureCoordinator;
        const payloads = yield* erasure.find({ tenant_id, run_id: b, fields: ["params"] });
        yield* erasure.erase(tenant_id, payloads, { actor: "ann", reason: "test" });
        const report = yield* compare(a, b);
        assert.strictEqual(report.verdict, "UNKNOWN");
        assert.include(report.reason, "params");
        const secret = (password: string) => recorded([{ password }]);
        const masked = yield* compare(yield* secret("one-secret"), yield* secret("another"));
        assert.deepInclude(masked, { verdict: "PARITY", masked_acts: 1 });
      }),
    );

    it.effect("must be there, both of them", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(compare(yield* recorded([1]), "none"));
        assert.strictEqual(error._tag, "RunNotFound");
      }),
    );
  });
}
