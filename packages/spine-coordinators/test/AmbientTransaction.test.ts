/** Goal: a run inside a transaction, which could take its records back, does not act. */
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";
import { act, actSkill, success } from "./Act.ts";
import { rows, runId, show, tenant_id } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

for (const [name, config] of databases) {
  layer(runproof(config, [actSkill]), { excludeTestServices: true, timeout: 60_000 })(
    `a transaction on ${name}`,
    (it) => {
      it.effect("around a run is refused before anything acts or is stored", () =>
        Effect.gen(function* () {
          const { sql } = yield* Database;
          const runs = yield* RunCoordinator;
          const run_id = runId();
          let acted = 0;
          let sealed = 0;
          const acting = Effect.sync(() => void (acted += 1));
          const traced = TracedRun.run(
            {
              tenant_id,
              capture: "inline",
              run_id,
              onSealed: () => Effect.sync(() => void (sealed += 1)),
            },
            TracedRun.step({ skill_id: "act" }, acting),
          );
          const attempt = act(Effect.as(acting, success()));
          const plan = { steps: [{ skill: "act", params: attempt }] };
          const executed = runs.execute({ plan, tenant_id, run_id });
          for (const run of [Effect.asVoid(traced), Effect.asVoid(executed)]) {
            const error = yield* Effect.flip(sql.withTransaction(run));
            assert.strictEqual(error._tag, "InvalidInput");
            assert.include(error.message, "transaction");
            // One that goes on with the error keeps nothing of the run either.
            yield* sql.withTransaction(Effect.ignore(run));
          }
          assert.deepStrictEqual([acted, sealed], [0, 0]);
          const count = (table: string) =>
            rows<{ n: string }>(
              `select count(*)::text as n from ${table} where run_id = '${run_id}'`,
            );
          assert.deepStrictEqual(yield* count("aos_traces"), [{ n: "0" }]);
          assert.deepStrictEqual(yield* count("runs"), [{ n: "0" }]);
        }),
      );

      it.effect("around a step is refused before it acts, and the run goes on", () =>
        Effect.gen(function* () {
          const { sql } = yield* Database;
          const run_id = runId();
          let acted = 0;
          yield* TracedRun.run(
            { tenant_id, capture: "inline", run_id },
            Effect.gen(function* () {
              const step = TracedRun.step(
                { skill_id: "act" },
                Effect.sync(() => void (acted += 1)),
              );
              const error = yield* Effect.flip(sql.withTransaction(step));
              assert.strictEqual(error._tag, "InvalidInput");
              assert.strictEqual(acted, 0);
              yield* step;
            }),
          );
          assert.strictEqual(acted, 1);
          const { status, steps } = yield* show(run_id);
          assert.deepStrictEqual([status, steps.length], ["completed", 1]);
        }),
      );
    },
  );
}
