/**
 * Goal: what a tenant's policy or limits forbid is not done, and that it was asked for is evidence. Method: plans against a
 * real port, which says whether it was called, and traced programs that say whether they ran.
 */
import { createServer } from "node:http";
import { assert, layer } from "@effect/vitest";
import { Database, type DatabaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import { BoundHost } from "@runproof/drivers/HttpCallSkill";
import type { Skill } from "@runproof/drivers/Skill";
import { ControlsBridge } from "@runproof/spine-coordinators/controls/ControlsBridge";
import { ErasureCoordinator } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import { RunEvidenceCoordinator } from "@runproof/spine-coordinators/evidence/RunEvidenceCoordinator";
import { RecordingCoordinator } from "@runproof/spine-coordinators/logs/RecordingCoordinator";
import { INTENDED } from "@runproof/spine-coordinators/logs/StepDraft";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { PolicyCoordinator } from "@runproof/spine-coordinators/policies/PolicyCoordinator";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import type { PolicyRule } from "@runproof/schemas/Policy";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { startOf } from "./AuditedRuns.ts";
import { asOwner, gate } from "./StoredRuns.ts";
import { databases } from "./TestDatabase.ts";

/** Answers which addresses its call is bound to. */
const boundSkill: Skill = {
  id: "bound",
  name: "bound",
  redaction: null,
  prepare: (params) =>
    Effect.succeed({
      recorded_params: params,
      safe_to_repeat: true,
      attempt: Effect.map(Effect.service(BoundHost), (bound) => ({
        status: "success" as const,
        outcome_category: "SUCCESS" as const,
        outcome_code: null,
        outcome_data: bound === null ? null : { ...bound },
        safe_to_repeat: true,
        retry_after_ms: null,
      })),
    }),
};

const operated = <E, R>(config: Effect.Effect<DatabaseConfig, E, R>) =>
  Layer.unwrap(
    Effect.map(
      Effect.tap(config, (opened) => migrateDatabase(opened)),
      (opened) =>
        Layer.merge(
          RunproofLayer.layer([boundSkill]),
          ErasureCoordinator.layer.pipe(Layer.provide(ControlsBridge.layer)),
        ).pipe(Layer.provideMerge(Database.operating(opened))),
    ),
  );

const order = { actor: "ann", reason: "test" };
const tenant = () => `tenant-${crypto.randomUUID()}`;

const setPolicy = (tenant_id: string, ...rules: ReadonlyArray<PolicyRule>) =>
  PolicyCoordinator.use((policies) =>
    policies.set({ tenant_id, text: JSON.stringify({ rules }), where: "policy", ...order }),
  );

const setLimit = (
  tenant_id: string,
  kind: Parameters<PolicyCoordinator["Service"]["setLimit"]>[0]["kind"],
  value: number | null,
) => PolicyCoordinator.use((policies) => policies.setLimit({ tenant_id, kind, value, ...order }));

/** A port that counts who calls it. */
const site = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{ port: number; calls: () => number; close: () => void }>((resolve) => {
        let calls = 0;
        const server = createServer((_, response) => {
          calls += 1;
          response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
        });
        server.listen(0, "127.0.0.1", () => {
          const address = server.address();
          const port = typeof address === "object" && address !== null ? address.port : 0;
          resolve({ port, calls: () => calls, close: () => server.close() });
        });
      }),
  ),
  ({ close }) => Effect.sync(close),
);

const get = (url: string) => ({ skill: "http_call", params: { method: "GET", url } });

const execute = (tenant_id: string, run_id: string, ...urls: ReadonlyArray<string>) =>
  RunCoordinator.use((runs) => runs.execute({ tenant_id, run_id, plan: { steps: urls.map(get) } }));

const evidence = (tenant_id: string, run_id: string) =>
  RunEvidenceCoordinator.use((coordinator) => coordinator.get({ tenant_id, run_id }));

/** A run as a caller starts it. */
const START = {
  agent_id: null,
  origin_system_id: null,
  incident_id: null,
  replay_of: null,
  attributes: {},
  seed: null,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
} as const;

/** An act as a caller tells it. */
const ACT = {
  skill_name: "act",
  source: "external",
  params: undefined,
  outcome_data: undefined,
  attributes: undefined,
  parent_step_index: null,
  started_at: null,
  retry_count: 0,
  replay_behavior: "execute",
  idempotency_key: null,
} as const;

const statusOf = (tenant_id: string, run_id: string) =>
  Effect.map(
    RunProofCoordinator.use((proofs) => proofs.getRunProof({ tenant_id, run_id })),
    ({ integrity }) => integrity.verification_status,
  );

for (const [name, config] of databases) {
  layer(operated(config), { excludeTestServices: true, timeout: 60_000 })(
    `enforcement on ${name}`,
    (it) => {
      it.effect("takes no step of a plan of which one is blocked", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          const { port, calls } = yield* site;
          yield* setPolicy(tenant_id, { effect: "block", host: "evil.*", reason: "no evil" });
          const outcome = yield* execute(
            tenant_id,
            "r",
            `http://127.0.0.1:${port}/`,
            "http://evil.example/",
          );
          assert.strictEqual(outcome.status, "aborted");
          assert.strictEqual(outcome.reason, "step 0 was blocked");
          assert.strictEqual(calls(), 0);
          const found = yield* evidence(tenant_id, "r");
          assert.strictEqual(found.impact, "incidents");
          assert.deepStrictEqual(found.policies_evaluated, { state: "version", version: 1 });
          assert.deepStrictEqual(found.decisions_made, [
            { decision: "BLOCKED", step_index: 0, rule: "rule 0", reason: "no evil" },
          ]);
          assert.deepInclude(found.incidents_caused[0], {
            kind: "policy_violation",
            step_index: 0,
            prevented: { policy_version: 1, rule: "rule 0" },
          });
          assert.strictEqual(yield* statusOf(tenant_id, "r"), "VERIFIED");
        }),
      );

      it.effect("follows no redirect, and calls no name that stands for a private address", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          const { port, calls } = yield* site;
          const followed = yield* execute(tenant_id, "r0", `http://localhost:${port}/`);
          assert.strictEqual(followed.status, "completed");
          assert.strictEqual(calls(), 1);
          yield* setPolicy(tenant_id, { effect: "block", network: "private", reason: "inside" });
          for (const [run_id, host] of [
            ["r1", "localhost"],
            ["r2", "127.0.0.1"],
            ["r3", "[::1]"],
            ["r4", "[::ffff:127.0.0.1]"],
            ["r5", "name.invalid"],
          ] as const) {
            const outcome = yield* execute(tenant_id, run_id, `http://${host}:${port}/`);
            assert.strictEqual(outcome.status, "aborted", host);
          }
          assert.strictEqual(calls(), 1);
        }),
      );

      it.effect("binds a call to the addresses that were looked at when it was decided on", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          yield* setPolicy(tenant_id, {
            effect: "block",
            network: "private",
            port: 9,
            reason: "inside",
          });
          const steps = [{ skill: "bound", params: { url: "http://127.0.0.1:8/" } }];
          yield* RunCoordinator.use((runs) =>
            runs.execute({ tenant_id, run_id: "r", plan: { steps } }),
          );
          const { steps: shown } = yield* TraceCoordinator.use((traces) =>
            traces.show({ tenant_id, run_id: "r" }),
          );
          assert.deepStrictEqual(shown[0]?.payloads.outcome_data, {
            state: "present",
            value: { host: "127.0.0.1", addresses: ["127.0.0.1"] },
          });
        }),
      );

      it.effect("runs no effect of a traced step that is blocked, and aborts its run", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          let acted = 0;
          yield* setPolicy(tenant_id, {
            effect: "block",
            skill: "refund",
            params: { "order.id": "18*" },
            reason: "ask first",
          });
          const refund = (id: string) =>
            TracedRun.step(
              { skill_id: "refund", params: { order: { id } } },
              Effect.sync(() => (acted += 1)),
            );
          const exit = yield* Effect.exit(
            TracedRun.run(
              { tenant_id, run_id: "r" },
              Effect.andThen(refund("2000"), refund("1842")),
            ),
          );
          assert.strictEqual(acted, 1);
          assert.isTrue(Exit.isFailure(exit));
          const found = yield* evidence(tenant_id, "r");
          // The first act has an intent and an outcome.
          assert.deepInclude(found.decisions_made[0], { decision: "BLOCKED", step_index: 2 });
          assert.strictEqual(yield* statusOf(tenant_id, "r"), "VERIFIED");
        }),
      );

      it.effect("says of a step that it was warned of, and takes it", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          yield* setPolicy(tenant_id, { effect: "warn", skill: "re*", reason: "looked at" });
          const step = TracedRun.step({ skill_id: "refund" }, Effect.succeed(1));
          assert.strictEqual(yield* TracedRun.run({ tenant_id, run_id: "r" }, step), 1);
          const found = yield* evidence(tenant_id, "r");
          assert.strictEqual(found.impact, "none");
          assert.deepStrictEqual(found.decisions_made, [
            { decision: "WARNED", step_index: 0, rule: "rule 0", reason: "looked at" },
          ]);
        }),
      );

      it.effect("stops a run at its tenant's limits", () =>
        Effect.gen(function* () {
          for (const [kind, value, taken] of [
            ["steps_per_run", 3, 3],
            ["cost_cents_per_run", 2, 3],
            // Starting takes longer than that.
            ["duration_ms_per_run", 0, 0],
          ] as const) {
            const tenant_id = tenant();
            let acted = 0;
            yield* setLimit(tenant_id, kind, value);
            const step = TracedRun.step(
              { skill_id: "s", cost_cents: 1 },
              Effect.sync(() => (acted += 1)),
            );
            yield* Effect.exit(
              TracedRun.run(
                { tenant_id, run_id: "r", capture: "inline" },
                Effect.forEach([1, 2, 3, 4, 5, 6], () => step),
              ),
            );
            assert.strictEqual(acted, taken, kind);
            const found = yield* evidence(tenant_id, "r");
            assert.deepInclude(found.limits_hit[0], { kind, value });
            assert.deepInclude(found.decisions_made[0], { decision: "STOPPED" });
          }
        }),
      );

      it.effect("begins no more runs at once than a tenant may have, whoever asks first", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          yield* setLimit(tenant_id, "concurrent_runs", 4);
          const exits = yield* Effect.forEach(
            Array.from({ length: 12 }, (_, at) => `r${at}`),
            (run_id) =>
              Effect.exit(TracedRun.run({ tenant_id, run_id }, Effect.sleep("2 seconds"))),
            { concurrency: 12 },
          );
          assert.strictEqual(exits.filter(Exit.isSuccess).length, 4);
          yield* setLimit(tenant_id, "concurrent_runs", null);
          yield* TracedRun.run({ tenant_id, run_id: "after" }, Effect.void);
        }),
      );

      it.effect("fails a run whose step went past the guard", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          const past = TracedRun.TracedRun.use(({ trace }) =>
            trace.takeStep(
              trace.record({
                skill_id: "s",
                skill_name: "s",
                source: "engine",
                status: "success",
                outcome_category: "SUCCESS",
                outcome_code: null,
                params: undefined,
                outcome_data: undefined,
                attributes: undefined,
                intent_index: null,
                parent_step_index: null,
                started_at: null,
                cost_cents: null,
                duration_ms: null,
                retry_count: 0,
                replay_behavior: "execute",
                idempotency_key: null,
              }),
            ),
          );
          const error = yield* Effect.flip(
            TracedRun.run({ tenant_id, run_id: "r", capture: "inline" }, past),
          );
          assert.include((error as Error).message, "past the guard");
          const { sealed, steps } = yield* LogsBridge.use((logs) =>
            logs.read({ tenant_id, run_id: "r" }, (run) =>
              Effect.succeed({ sealed: run.trace.status, steps: run.seal?.columns["step_count"] }),
            ),
          );
          assert.deepStrictEqual([sealed, steps], ["aborted", 0]);
        }),
      );

      it.effect(
        "asks of a run that is recorded call by call, under the version that it began with",
        () =>
          Effect.gen(function* () {
            const tenant_id = tenant();
            const recording = yield* RecordingCoordinator;
            const start = (run_id: string) =>
              recording.start({ ...START, tenant_id, run_id, capture: "gated" });
            const intend = (run_id: string, skill_id: string) =>
              recording.record({ tenant_id, run_id, steps: [{ ...ACT, skill_id, ...INTENDED }] });
            const before = yield* start("before");
            yield* setPolicy(tenant_id, { effect: "block", skill: "refund", reason: "ask first" });
            yield* start("r");
            yield* intend("before", "refund");
            yield* intend("r", "look");
            const blocked = yield* Effect.flip(intend("r", "refund"));
            assert.deepInclude(blocked, { _tag: "StepBlocked", step_index: 1 });
            const found = yield* evidence(tenant_id, "r");
            assert.deepStrictEqual(
              found.decisions_made.map(({ decision }) => decision),
              ["BLOCKED"],
            );
            assert.strictEqual((yield* Effect.flip(intend("r", "look")))._tag, "TraceSealed");

            // The outcome of what was done is kept, though the intent behind it is blocked.
            yield* start("both");
            yield* intend("both", "look");
            const outcome = {
              ...ACT,
              skill_id: "look",
              status: "success",
              outcome_category: "SUCCESS",
              outcome_code: null,
              intent_index: 0,
              cost_cents: null,
              duration_ms: null,
            } as const;
            const intent = { ...ACT, skill_id: "refund", ...INTENDED };
            const steps = [outcome, intent];
            const ended = yield* Effect.flip(
              recording.record({ tenant_id, run_id: "both", steps }),
            );
            assert.deepInclude(ended, { _tag: "StepBlocked", step_index: 2 });
            const { steps: kept } = yield* TraceCoordinator.use((traces) =>
              traces.show({ tenant_id, run_id: "both" }),
            );
            assert.deepStrictEqual(
              kept.map(({ record }) => record["status"]),
              ["intended", "success", "skipped"],
            );
            assert.deepStrictEqual((yield* evidence(tenant_id, "before")).policies_evaluated, {
              state: "none",
            });
            assert.isString(before.trace_id);
          }),
      );

      it.effect("answers a step that was warned of and is sent again as the first time", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          yield* setPolicy(tenant_id, { effect: "warn", skill: "s", reason: "looked at" });
          const recording = yield* RecordingCoordinator;
          const run = { tenant_id, run_id: "r" };
          yield* recording.start({ ...START, ...run, capture: "gated" });
          const steps = [{ ...ACT, skill_id: "s", ...INTENDED }];
          const first = yield* recording.record({ ...run, steps, first_index: 0 });
          assert.deepStrictEqual(yield* recording.record({ ...run, steps, first_index: 0 }), first);
        }),
      );

      it.effect(
        "says of evidence that is gone that it is not known, and never that there was none",
        () =>
          Effect.gen(function* () {
            const tenant_id = tenant();
            yield* setPolicy(tenant_id, { effect: "warn", skill: "s", reason: "looked at" });
            const step = TracedRun.step({ skill_id: "s" }, Effect.succeed(1));
            yield* TracedRun.run({ tenant_id, run_id: "warned", capture: "inline" }, step);
            const erasure = yield* ErasureCoordinator;
            const payloads = yield* erasure.find({ tenant_id, run_id: "warned" });
            yield* erasure.erase(tenant_id, payloads, order);
            const found = yield* evidence(tenant_id, "warned");
            assert.deepStrictEqual(found.policies_evaluated, { state: "unknown" });
            assert.deepStrictEqual([found.decisions_made, found.decisions_unknown], [[], 1]);

            yield* setPolicy(tenant_id, { effect: "block", skill: "s", reason: "no" });
            yield* Effect.exit(TracedRun.run({ tenant_id, run_id: "blocked" }, step));
            yield* asOwner(
              "alter table aos_incidents disable trigger user",
              `delete from aos_incidents where tenant_id = '${tenant_id}'`,
              "alter table aos_incidents enable always trigger s6_change",
              "alter table aos_incidents enable always trigger s6_truncate",
            );
            const error = yield* Effect.flip(evidence(tenant_id, "blocked"));
            assert.strictEqual(error._tag, "StoredDataUnreadable");
          }),
      );

      it.effect("keeps each version of a policy, and refuses what is none", () =>
        Effect.gen(function* () {
          const tenant_id = tenant();
          const rule = { effect: "warn", skill: "s", reason: "one" } as const;
          assert.strictEqual(yield* setPolicy(tenant_id, rule), 1);
          assert.strictEqual(yield* setPolicy(tenant_id, { ...rule, reason: "two" }), 2);
          const policies = yield* PolicyCoordinator;
          assert.deepStrictEqual(
            (yield* policies.list(tenant_id)).map(({ version }) => version),
            [2, 1],
          );
          assert.include((yield* policies.show(tenant_id, 1)).document, "one");
          for (const [text, said] of [
            ["{", "policy"],
            ['{"rules":[]}', "1 to 500"],
            ['{"rules":[{"effect":"deny","reason":"r"}]}', "rules[0].effect"],
            ['{"rules":[{"effect":"block","reason":"r","hosts":"x"}]}', "hosts"],
          ] as const) {
            const error = yield* Effect.flip(
              policies.set({ tenant_id, text, where: "policy", ...order }),
            );
            assert.strictEqual(error._tag, "InvalidInput");
            assert.include(error.message, said);
          }
        }),
      );
    },
  );
}

layer(operated(databases[0][1]), { excludeTestServices: true, timeout: 60_000 })(
  "runs of several processes",
  (it) => {
    it.effect("wait for one that is just beginning: none of them is the last twice", () =>
      Effect.gen(function* () {
        const tenant_id = tenant();
        yield* setLimit(tenant_id, "concurrent_runs", 1);
        const { sink } = yield* LogsBridge;
        const { config, sql } = yield* Database;
        const other = Context.get(
          yield* Layer.build(Layer.fresh(Database.operating(config))),
          Database,
        );
        const run = () => startOf({ trace_id: crypto.randomUUID(), run_id: "r", tenant_id });
        const { began, pass, release } = yield* gate;
        const { trace, holder } = run();
        const { plan, attributes } = trace.payloads;
        const beginning = other.write.withTransaction(
          Effect.andThen(
            other.write`select runproof_start_trace(
              ${trace.record}, ${plan?.text ?? null}, ${plan?.salt ?? null},
              ${attributes?.text ?? null}, ${attributes?.salt ?? null}, ${holder}, ${60_000n})`,
            pass,
          ),
        );
        const first = yield* Effect.forkChild(beginning);
        yield* began;
        const second = yield* Effect.forkChild(Effect.exit(sink.start(run())));
        const isWaiting = Effect.map(
          sql`select from pg_locks where locktype = 'advisory' and not granted`,
          (rows) => rows.length > 0,
        ).pipe(Effect.repeat({ until: (waits) => waits, schedule: Schedule.spaced("10 millis") }));
        const seen = yield* Effect.raceFirst(
          Effect.as(isWaiting, "waits"),
          Effect.as(Fiber.join(second), "went past"),
        );
        assert.strictEqual(seen, "waits");
        yield* release;
        yield* Fiber.join(first);
        const refused = yield* Effect.flip(yield* Fiber.join(second));
        assert.deepInclude(refused, { _tag: "RunRefused", value: 1, observed: 1 });
      }),
    );
  },
);
