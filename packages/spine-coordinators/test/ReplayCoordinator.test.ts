/**
 * Goal: a replay calls what its plan lets it call and nothing else, writes nothing unless asked, and says parity only of what it
 * checked. Method: plans against a real port, which says what it was asked and answers otherwise when told to; whatever a
 * replay may not use is missing, erased or forbidden.
 */
import { createServer } from "node:http";
import { assert, layer } from "@effect/vitest";
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import { ControlsBridge } from "@runproof/spine-coordinators/controls/ControlsBridge";
import { ErasureCoordinator } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import { ImportCoordinator } from "@runproof/spine-coordinators/import/ImportCoordinator";
import { RecordingCoordinator } from "@runproof/spine-coordinators/logs/RecordingCoordinator";
import { PolicyCoordinator } from "@runproof/spine-coordinators/policies/PolicyCoordinator";
import { ReplayCoordinator } from "@runproof/spine-coordinators/replay/ReplayCoordinator";
import { type ExecuteRun, RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { rows, runId, show, tamper, verdict } from "./StoredRuns.ts";
import { databases } from "./TestDatabase.ts";

const operated = <E, R>(config: Effect.Effect<DatabaseConfig, E, R>) =>
  Layer.unwrap(
    Effect.map(config, (opened) =>
      Layer.merge(
        RunproofLayer.layer(),
        ErasureCoordinator.layer.pipe(Layer.provide(ControlsBridge.layer)),
      ).pipe(Layer.provideMerge(Database.operating(opened))),
    ),
  );

/** A shop that counts what it was asked, and whose price and health can be set. */
const shop = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{
        readonly url: string;
        readonly asked: Array<string>;
        price: number;
        status: number;
        readonly close: () => void;
      }>((resolve) => {
        const server = createServer((request, response) => {
          state.asked.push(`${request.method} ${request.url}`);
          response.writeHead(state.status, {
            "content-type": "application/json",
            "x-id": `${state.asked.length}`,
          });
          response.end(JSON.stringify({ price: state.price }));
        });
        const state = {
          url: "",
          asked: [] as Array<string>,
          price: 5,
          status: 200,
          close: () => server.close(),
        };
        server.listen(0, "127.0.0.1", () => {
          const address = server.address();
          const port = typeof address === "object" && address !== null ? address.port : 0;
          resolve(Object.assign(state, { url: `http://127.0.0.1:${port}` }));
        });
      }),
  ),
  ({ close }) => Effect.sync(close),
);

const TENANT = "tenant-of-runs";

const call = (method: string, url: string, more: object = {}) => ({
  skill: "http_call",
  params: { method, url },
  ...more,
});
const check = { replay_behavior: "check" };

const execute = (steps: ReadonlyArray<unknown>, more: Partial<ExecuteRun> = {}) =>
  RunCoordinator.use((runs) => runs.execute({ tenant_id: TENANT, plan: { steps }, ...more }));

const replay = (run_id: string, record?: { readonly run_id?: string }, tenant_id = TENANT) =>
  ReplayCoordinator.use((replays) =>
    replays.replay({ tenant_id, run_id, ...(record === undefined ? {} : { record }) }),
  );

const erase = (run_id: string, field: "plan" | "outcome_data" | "attributes", step?: number) =>
  Effect.gen(function* () {
    const erasure = yield* ErasureCoordinator;
    const found = yield* erasure.find({
      tenant_id: TENANT,
      run_id,
      fields: [field],
      ...(step === undefined ? {} : { step_index: step }),
    });
    yield* erasure.erase(TENANT, found, { actor: "ann", reason: "test" });
  });

const START = {
  tenant_id: TENANT,
  agent_id: null,
  origin_system_id: null,
  incident_id: null,
  replay_of: null,
  seed: null,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
  capture: "inline",
} as const;

/** How many rows each table of evidence holds. */
const stored = rows<Record<string, string>>(
  `select (select count(*) from aos_traces) as traces, (select count(*) from aos_trace_steps) as steps,
          (select count(*) from runs) as runs, (select count(*) from aos_incidents) as incidents,
          (select count(*) from aos_prevention_records) as preventions, (select count(*) from aos_log_queue) + (select count(*) from aos_log_entries) as logged`,
);

for (const [name, config] of databases) {
  layer(operated(config), { excludeTestServices: true, timeout: 60_000 })(
    `a replay on ${name}`,
    (it) => {
      it.effect(
        "reads again, lets what was recorded stand in for what acts, and writes nothing",
        () =>
          Effect.gen(function* () {
            const site = yield* shop;
            const { run_id } = yield* execute([
              call("GET", `${site.url}/price`, check),
              call("POST", `${site.url}/pay`),
              call("GET", `${site.url}/receipt`),
            ]);
            site.asked.length = 0;
            const before = yield* stored;
            const report = yield* replay(run_id);
            assert.deepStrictEqual(site.asked, ["GET /price", "GET /receipt"]);
            assert.deepStrictEqual(yield* stored, before);
            assert.deepInclude(report, { verdict: "PARITY", reason: null, run: null });
            assert.deepStrictEqual(report.steps, { execute: 1, skip: 1, check: 1 });
            assert.deepStrictEqual(
              report.rows.map(({ kind, replay_behavior }) => [kind, replay_behavior]),
              [
                ["same", "check"],
                ["same", "skip"],
                ["same", "execute"],
              ],
            );
          }),
      );

      it.effect("diverges where a step to check answers otherwise, and only there", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          const checked = yield* execute([call("GET", `${site.url}/price`, check)]);
          const executed = yield* execute([call("GET", `${site.url}/price`)]);
          site.price = 7;
          const report = yield* replay(checked.run_id);
          assert.strictEqual(report.verdict, "DIVERGED");
          assert.deepInclude(report.first_divergence, {
            row: 0,
            value: { path: "$.body.price", a: 5, b: 7 },
          });
          assert.include(report.reason, "5 as recorded, 7 in the replay");
          const unchecked = yield* replay(executed.run_id);
          assert.strictEqual(unchecked.verdict, "UNCHECKED");
          assert.deepInclude(unchecked.rows[0], { kind: "changed", fields: ["outcome_data"] });
        }),
      );

      it.effect("diverges where it stops before a step to check", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          const { run_id } = yield* execute([
            call("GET", `${site.url}/price`, { retries: 0 }),
            call("GET", `${site.url}/price`, check),
          ]);
          site.status = 404;
          const report = yield* replay(run_id);
          assert.deepInclude(report, {
            verdict: "DIVERGED",
            reason: "the replay did not come to http_call (step 1)",
          });
          assert.deepStrictEqual(report.replayed, {
            status: "failed",
            reason: "step 0 failed: HTTP_404",
          });
        }),
      );

      it.effect(
        "is recorded on demand as a run that names what it replays, and stays provable",
        () =>
          Effect.gen(function* () {
            const site = yield* shop;
            for (const capture of ["inline", "gated"] as const) {
              const steps = [
                call("GET", `${site.url}/price`, check),
                call("POST", `${site.url}/pay`),
              ];
              const mark = { is_synthetic: true, synthetic_scenario_id: "drill" };
              const { run_id, root_hash, trace_id } = yield* execute(steps, { capture, ...mark });
              site.asked.length = 0;
              const asked = runId();
              const report = yield* replay(run_id, { run_id: asked });
              assert.deepInclude(report, { verdict: "PARITY" });
              assert.deepInclude(report.run, { run_id: asked, status: "completed" });
              assert.deepStrictEqual(site.asked, ["GET /price"]);
              const { trace, payloads, steps: told } = yield* show(asked);
              assert.deepInclude(trace, { replay_of: run_id, capture, ...mark });
              assert.deepStrictEqual(payloads.attributes, {
                state: "present",
                value: { replay: { trace_id, root_hash } },
              });
              assert.isTrue(told.every(({ record }) => record["source"] === "replay"));
              const last = told.at(-1)!;
              assert.strictEqual(last.record["status"], "skipped");
              const plan_step = 1;
              const stands_in = {
                step_index: capture === "gated" ? 2 : 1,
                status: "success",
                outcome_category: "SUCCESS",
              };
              assert.deepStrictEqual(last.payloads.attributes, {
                state: "present",
                value: { plan_step, stands_in },
              });
              assert.strictEqual((yield* verdict(asked)).integrity.verification_status, "VERIFIED");
              const again = yield* Effect.flip(replay(asked));
              assert.include(again.message, `it is itself a replay of ${run_id}`);
            }
          }),
      );

      it.effect("takes the end of a call that stands in, and does not make up one", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          site.status = 404;
          const first = call("POST", `${site.url}/pay`);
          const { run_id } = yield* execute([first, call("GET", `${site.url}/price`)]);
          site.status = 200;
          const failed = yield* replay(run_id);
          assert.deepStrictEqual(failed.replayed, {
            status: "failed",
            reason: "step 0 failed: HTTP_404",
          });
          assert.strictEqual(failed.rows.length, 1);
          site.status = 404;
          const stopped = yield* execute([call("GET", `${site.url}/price`, { retries: 0 }), first]);
          site.status = 200;
          const missing = yield* replay(stopped.run_id);
          assert.deepInclude(missing, { verdict: "UNKNOWN" });
          assert.include(missing.reason, "the recorded run never came to it");
        }),
      );

      it.effect(
        "asks nothing of a host that the policy forbids by now, and tells no trace of it",
        () =>
          Effect.gen(function* () {
            const site = yield* shop;
            const tenant_id = `tenant-${crypto.randomUUID()}`;
            const steps = [
              call("GET", `${site.url}/price`),
              call("GET", "http://127.0.0.2:1/", { on_failure: "continue" }),
            ];
            const { run_id } = yield* execute(steps, { tenant_id });
            site.asked.length = 0;
            const policies = yield* PolicyCoordinator;
            const text = JSON.stringify({
              rules: [{ effect: "block", host: "127.0.0.2", reason: "no" }],
            });
            const order = { actor: "ann", reason: "test" };
            yield* policies.set({ tenant_id, text, where: "policy", ...order });
            const before = yield* stored;
            const blocked = yield* Effect.flip(replay(run_id, undefined, tenant_id));
            assert.strictEqual(blocked._tag, "StepBlocked");
            assert.deepStrictEqual([site.asked, yield* stored], [[], before]);
            const recorded = yield* Effect.flip(replay(run_id, {}, tenant_id));
            assert.strictEqual(recorded._tag, "StepBlocked");
            assert.deepStrictEqual(site.asked, []);
            yield* policies.set({
              tenant_id,
              text: '{"rules":[{"effect":"allow","reason":"test"}]}',
              where: "policy",
              ...order,
            });
            yield* policies.setLimit({ tenant_id, kind: "steps_per_run", value: 1, ...order });
            const limited = yield* Effect.flip(replay(run_id, undefined, tenant_id));
            assert.include(limited.message, "steps_per_run");
            assert.deepStrictEqual(site.asked, ["GET /price"]);
          }),
      );

      it.effect("does not say parity of an answer that was erased", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          const { run_id } = yield* execute([call("GET", `${site.url}/price`, check)]);
          yield* erase(run_id, "outcome_data", 0);
          const report = yield* replay(run_id);
          assert.deepInclude(report, { verdict: "UNKNOWN" });
          assert.include(report.reason, "was erased");
        }),
      );

      const refused = (run_id: string, why: string) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(replay(run_id));
          assert.strictEqual(error._tag, "NotReplayable");
          assert.include(error.message, why);
        });

      it.effect("is refused where what it would need was erased or masked", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          const run = () =>
            Effect.map(
              execute([call("GET", `${site.url}/price`), call("POST", `${site.url}/pay`)]),
              ({ run_id }) => run_id,
            );
          const [plan, answer, place] = [yield* run(), yield* run(), yield* run()];
          yield* erase(plan, "plan");
          yield* erase(answer, "outcome_data", 1);
          yield* erase(place, "attributes", 0);
          const secret = {
            params: {
              method: "GET",
              url: `${site.url}/`,
              headers: { authorization: "Bearer abc" },
            },
          };
          const masked = yield* execute([call("GET", site.url, secret)]);
          const skipped = yield* execute([
            call("GET", site.url, { ...secret, replay_behavior: "skip" }),
          ]);
          site.asked.length = 0;
          yield* refused(plan, "its plan was erased");
          yield* refused(
            answer,
            "the answer of step 1, which would stand in for its call, was erased",
          );
          yield* refused(place, "the attributes of step 0");
          yield* refused(masked.run_id, "$.steps[0].params hold a value that was masked");
          assert.strictEqual((yield* replay(skipped.run_id)).verdict, "UNCHECKED");
          assert.deepStrictEqual(site.asked, []);
        }),
      );

      it.effect("is refused of what no plan made, and of what is not whole", () =>
        Effect.gen(function* () {
          const site = yield* shop;
          const steps = [call("GET", `${site.url}/price`)];
          const act = TracedRun.step({ skill_id: "http_call" }, Effect.void);
          const [program, planned, aborted, open] = [runId(), runId(), runId(), runId()];
          yield* TracedRun.run({ tenant_id: TENANT, run_id: program }, act);
          yield* TracedRun.run({ tenant_id: TENANT, run_id: planned, plan: { steps } }, act);
          yield* Effect.exit(
            TracedRun.run(
              { tenant_id: TENANT, run_id: aborted, plan: { steps } },
              Effect.die("cut off"),
            ),
          );
          yield* RecordingCoordinator.use((recording) =>
            recording.start({
              ...START,
              run_id: open,
              plan: { steps },
            }),
          );
          const { runs } = yield* ImportCoordinator.use((imports) =>
            imports.importText({
              name: "runs.ndjson",
              format: "ndjson",
              tenant_id: TENANT,
              text: [
                { type: "run", started_at: "2026-02-10T12:00:00.000000Z", plan: { steps } },
                { type: "end", status: "completed" },
              ]
                .map((line) => JSON.stringify(line))
                .join("\n"),
            }),
          );
          yield* refused(program, "no plan is stored with it");
          yield* refused(planned, "does not say which step of the plan it was");
          yield* refused(aborted, "it is ABORTED");
          yield* refused(open, "it is OPEN");
          yield* refused(runs[0]!.run_id, "it is UNSUPPORTED");
          assert.strictEqual((yield* Effect.flip(replay("none")))._tag, "RunNotFound");
          const { run_id } = yield* execute(steps);
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set params = replace(params, 'GET', 'PUT') where run_id = '${run_id}'`,
          );
          const altered = yield* Effect.flip(replay(run_id));
          assert.strictEqual(altered._tag, "StoredDataUnreadable");
          assert.include(altered.message, "FAILED");
        }),
      );
    },
  );
}
