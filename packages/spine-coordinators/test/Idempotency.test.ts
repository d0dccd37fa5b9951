/**
 * Goal: a request that is sent again acts once, whoever sends it and whenever. Method: a skill that counts its acts, requests
 * at once and one after another, on a real server and on the embedded database.
 */
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import type { Skill } from "@runproof/drivers/Skill";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { asOwner } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

let acts = 0;

/** Acts, and takes as long as others need to come. */
const slow: Skill = {
  id: "refund",
  name: "refund",
  redaction: null,
  prepare: (params) =>
    Effect.succeed({
      recorded_params: params,
      safe_to_repeat: false,
      attempt: Effect.sync(() => {
        acts += 1;
        return {
          status: "success",
          outcome_category: "SUCCESS",
          outcome_code: null,
          outcome_data: { refunded: true },
          safe_to_repeat: false,
          retry_after_ms: null,
        } as const;
      }).pipe(Effect.delay("300 millis")),
    }),
};

const tenant = () => `tenant-${crypto.randomUUID()}`;

const request = (tenant_id: string, idempotency_key: string, amount = 1) =>
  RunCoordinator.use((runs) =>
    runs.execute({
      tenant_id,
      idempotency_key,
      goal: "refund",
      plan: { steps: [{ skill: "refund", params: { amount } }] },
    }),
  );

for (const [name, config] of databases) {
  layer(runproof(config, [slow]), { excludeTestServices: true, timeout: 60_000 })(
    `an idempotency key on ${name}`,
    (it) => {
      it.effect("lets one of many requests at once act, and says to the others that it does", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          acts = 0;
          const exits = yield* Effect.forEach(
            Array.from({ length: 64 }),
            () => Effect.exit(request(tenant_id, "k")),
            { concurrency: 64 },
          );
          assert.strictEqual(acts, 1);
          const outcomes = exits.filter(Exit.isSuccess).map(({ value }) => value.run_id);
          assert.strictEqual(new Set(outcomes).size, 1);
          const told = yield* Effect.forEach(exits.filter(Exit.isFailure), (exit) =>
            Effect.map(Effect.flip(exit), (error) => error._tag),
          );
          assert.deepStrictEqual([...new Set(told)], ["IdempotencyInProgress"]);
          const later = yield* request(tenant_id, "k");
          assert.strictEqual(acts, 1);
          assert.strictEqual(later.run_id, outcomes[0]);
        }),
      );

      it.effect("answers the first outcome whole, and refuses another request under it", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          acts = 0;
          const first = yield* request(tenant_id, "k");
          assert.deepStrictEqual(yield* request(tenant_id, "k"), first);
          const conflict = yield* Effect.flip(request(tenant_id, "k", 2));
          assert.deepInclude(conflict, { _tag: "IdempotencyConflict", run_id: first.run_id });
          assert.strictEqual(acts, 1);
          // Another tenant's key is its own.
          assert.notStrictEqual((yield* request(tenant(), "k")).run_id, first.run_id);
          assert.strictEqual(acts, 2);
        }),
      );

      it.effect(
        "counts again once its time is over, and leaves nothing of a run that never began",
        () =>
          Effect.gen(function* () {
            const tenant_id = tenant();
            const first = yield* request(tenant_id, "k");
            yield* asOwner(
              `update aos_idempotency_keys set expires_at = clock_timestamp() where tenant_id = '${tenant_id}'`,
            );
            assert.notStrictEqual((yield* request(tenant_id, "k", 2)).run_id, first.run_id);
            const taken = Effect.flip(
              RunCoordinator.use((runs) =>
                runs.execute({
                  tenant_id,
                  run_id: first.run_id,
                  idempotency_key: "another",
                  plan: { steps: [{ skill: "refund", params: {} }] },
                }),
              ),
            );
            assert.strictEqual((yield* taken)._tag, "RunExists");
            const [left] = yield* Effect.flatMap(
              Database,
              ({ sql }) => sql<{ left: bigint }>`
              select count(*) as left from aos_idempotency_keys
              where tenant_id = ${tenant_id} and idempotency_key = 'another'`,
            );
            assert.strictEqual(left!.left, 0n);
          }),
      );

      it.effect("keeps a traced program from running twice, and says which run it was", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          let ran = 0;
          const program = TracedRun.run(
            { tenant_id, idempotency_key: "k", plan: { refund: 1842, at: new Date(0) } },
            TracedRun.step(
              { skill_id: "s" },
              Effect.sync(() => (ran += 1)),
            ),
          );
          assert.strictEqual(yield* program, 1);
          const again = yield* Effect.flip(program);
          assert.strictEqual(again._tag, "RunRepeated");
          assert.strictEqual(ran, 1);
          const run_id = again._tag === "RunRepeated" ? again.run_id : "";
          const status = yield* LogsBridge.use((logs) =>
            logs.read({ tenant_id, run_id }, ({ trace }) => Effect.succeed(trace.status)),
          );
          assert.strictEqual(status, "completed");
        }),
      );
    },
  );
}
