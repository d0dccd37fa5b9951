/** Goal: a stored run is shown as it is stored, and what is gone is said to be gone. */
import { assert, layer } from "@effect/vitest";
import {
  type StepPage,
  type StepPageRequest,
  TraceCoordinator,
} from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";
import { asOwner, rows, runId, show, tamper, tenant_id } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

const list = (...filter: Parameters<TraceCoordinator["Service"]["list"]>) =>
  Effect.flatMap(TraceCoordinator, (traces) => traces.list(...filter));

const record = (
  run_id: string,
  more: { readonly tenant_id?: string; readonly agent_id?: string } = {},
) =>
  TracedRun.run(
    { tenant_id, capture: "inline", run_id, ...more },
    TracedRun.step({ skill_id: "look_up", params: { for: "tea" } }, Effect.succeed("found")),
  );

const recordMany = (run_id: string, params: ReadonlyArray<string>) =>
  TracedRun.run(
    { tenant_id, capture: "inline", run_id },
    Effect.forEach(params, (text) =>
      TracedRun.step({ skill_id: "look_up", params: text }, Effect.succeed("found")),
    ),
  );

const page = (run_id: string, asked: Partial<StepPageRequest> = {}) =>
  TraceCoordinator.use((traces) => traces.steps({ tenant_id, run_id }, asked));

const indexesOf = ({ steps }: StepPage) => steps.map(({ step_index }) => step_index);

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `traces on ${name}`,
    (it) => {
      it.effect("are listed by page, newest first, and only the tenant's", () =>
        Effect.gen(function* () {
          const own = `tenant-${crypto.randomUUID()}`;
          for (const run_id of ["one", "two", "three"]) yield* record(run_id, { tenant_id: own });
          yield* record(runId(), { tenant_id: "another-tenant" });
          const first = yield* list({ tenant_id: own, limit: 2 });
          const second = yield* list({
            tenant_id: own,
            limit: 2,
            cursor: first.next_cursor ?? undefined,
          });
          assert.deepStrictEqual(
            [...first.traces, ...second.traces].map(({ run_id }) => run_id),
            ["three", "two", "one"],
          );
          assert.strictEqual(second.next_cursor, null);
          const error = yield* Effect.flip(list({ tenant_id: own, cursor: "mine" }));
          assert.strictEqual(error._tag, "InvalidInput");
        }),
      );

      it.effect("are found by agent, status, skill and text", () =>
        Effect.gen(function* () {
          const own = `tenant-${crypto.randomUUID()}`;
          yield* record("one", { tenant_id: own, agent_id: "a1" });
          yield* record("two", { tenant_id: own, agent_id: "a2" });
          const found = (filter: object) =>
            Effect.map(list({ tenant_id: own, ...filter }), ({ traces }) => traces.length);
          assert.strictEqual(yield* found({ agent_id: "a2" }), 1);
          assert.strictEqual(yield* found({ status: "completed" }), 2);
          assert.strictEqual(yield* found({ status: "aborted" }), 0);
          assert.strictEqual(yield* found({ skill_id: "look_up" }), 2);
          assert.strictEqual(yield* found({ skill_id: "book" }), 0);
          assert.strictEqual(yield* found({ text: "TEA" }), 2);
        }),
      );

      it.effect("give the steps of a page, without a look at those before it", () =>
        Effect.gen(function* () {
          const run_id = runId();
          yield* recordMany(run_id, ["a", "b", "c", "d", "e"]);
          const first = yield* page(run_id, { limit: 2 });
          assert.deepStrictEqual(indexesOf(first), [0, 1]);
          assert.strictEqual(first.next_from, 2);
          assert.deepStrictEqual(indexesOf(yield* page(run_id, { from: 2, limit: 2 })), [2, 3]);
          const last = yield* page(run_id, { from: 4, limit: 1 });
          assert.deepStrictEqual([indexesOf(last), last.next_from], [[4], null]);
          assert.strictEqual(last.status, "completed");
          const found = (yield* Effect.flip(page(run_id, { from: -1 })))._tag;
          assert.strictEqual(found, "InvalidInput");
          const steps = (change: string, index: number) =>
            tamper(
              "aos_trace_steps",
              `${change} where run_id = '${run_id}' and step_index = ${index}`,
            );
          yield* steps("update aos_trace_steps set record = 'x'", 1);
          yield* steps("delete from aos_trace_steps", 3);
          const rest = yield* page(run_id, { from: 2 });
          assert.deepStrictEqual([indexesOf(rest), rest.next_from], [[2, 4], null]);
          const error = yield* Effect.flip(page(run_id, { from: 0 }));
          assert.include(error.message, "step 1");
        }),
      );

      it.effect("end a page early where steps hold megabytes", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const large = "x".repeat(4_500_000);
          yield* recordMany(run_id, [large, large, large]);
          const first = yield* page(run_id);
          assert.deepStrictEqual([indexesOf(first), first.next_from], [[0, 1], 2]);
          assert.deepStrictEqual(indexesOf(yield* page(run_id, { from: 2 })), [2]);
        }),
      );

      it.effect("of another tenant are not found", () =>
        Effect.gen(function* () {
          const run_id = runId();
          yield* record(run_id, { tenant_id: "another-tenant" });
          const error = yield* Effect.flip(show(run_id));
          assert.strictEqual(error._tag, "RunNotFound");
        }),
      );

      it.effect("show a payload that was erased as erased, and one that is gone as missing", () =>
        Effect.gen(function* () {
          const run_id = runId();
          yield* record(run_id);
          const [step] = yield* rows<{ trace_id: string }>(
            `select trace_id from aos_trace_steps where run_id = '${run_id}'`,
          );
          const event = JSON.stringify({
            actor: "test",
            detail: { payloads: "step 0:params" },
            event: "erasure",
            occurred_at: "2026-02-10T12:43:41.549430Z",
            reason: "asked for",
            trace_id: step!.trace_id,
            type: "runproof/event@v1",
          });
          yield* asOwner(
            `select runproof_queue_event('${event}')`,
            `update aos_trace_steps set params = null, params_salt = null, erased_at = clock_timestamp() where run_id = '${run_id}'`,
          );
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set outcome_data = null where run_id = '${run_id}'`,
          );
          const { steps, payloads, status } = yield* show(run_id);
          assert.deepStrictEqual(steps[0]?.payloads, {
            params: { state: "erased" },
            outcome_data: { state: "missing" },
            attributes: { state: "absent" },
          });
          assert.deepStrictEqual(payloads.metadata, { state: "absent" });
          assert.strictEqual(status, "completed");
        }),
      );

      for (const [what, table, change] of [
        ["a record", "aos_trace_steps", "record = 'x'"],
        ["a payload", "aos_trace_steps", "params = '{'"],
        ["a seal", "aos_traces", "seal_record = '[]'"],
      ] as const) {
        it.effect(`with ${what} that can't be read are an error that names it, not a guess`, () =>
          Effect.gen(function* () {
            const run_id = runId();
            yield* record(run_id);
            yield* tamper(table, `update ${table} set ${change} where run_id = '${run_id}'`);
            const error = yield* Effect.flip(show(run_id));
            assert.strictEqual(error._tag, "StoredDataUnreadable");
            assert.include(error.message, table === "aos_traces" ? "the seal record" : "step 0");
          }),
        );
      }
    },
  );
}
