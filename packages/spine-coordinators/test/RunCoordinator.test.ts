/**
 * Goal: whatever a plan does, and wherever it is cut off, what was done is recorded before anything else happens, and the
 * trace is sealed as it ended. Method: real databases, acts with explicit gates, and a database that is changed under
 * the run as its owner could.
 */
import { setImmediate } from "node:timers/promises";
import { assert, layer } from "@effect/vitest";
import type { Database } from "@runproof/drivers/Database";
import { sha256 } from "@runproof/proof/Hash";
import { prepareStep } from "@runproof/proof/StepRecord";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import {
  type ExecuteRun,
  RunCoordinator,
  type StepEvent,
} from "@runproof/spine-coordinators/runs/RunCoordinator";
import type { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import type { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import type * as Schema from "effect/Schema";
import * as fc from "fast-check";
import { act, actSkill, failure, success } from "./Act.ts";
import { lease, asOwner, gate, rows, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

const stepOf = (params: Schema.Json, more: object = {}) => ({ skill: "act", params, ...more });

const execute = (steps: ReadonlyArray<unknown>, more: Partial<ExecuteRun> = {}) =>
  Effect.flatMap(RunCoordinator, (runs) => runs.execute({ plan: { steps }, tenant_id, ...more }));

for (const [name, config] of databases) {
  const Live = runproof(config, [actSkill]);
  layer(Live, { excludeTestServices: true, timeout: 60_000 })(`a run on ${name}`, (it) => {
    it.effect("is sealed completed, with its steps, and is VERIFIED", () =>
      Effect.gen(function* () {
        const outcome = yield* execute(
          [
            stepOf(act(Effect.succeed(success({ found: 3 })))),
            stepOf(act(Effect.succeed(success()))),
          ],
          { goal: "find three", agent_id: "agent-1", origin_system_id: "system-1" },
        );
        assert.strictEqual(outcome.status, "completed");
        assert.strictEqual(outcome.reason, null);
        assert.strictEqual(outcome.step_count, 2);
        const { integrity, lifecycle, assurance } = yield* verdict(outcome.run_id);
        assert.strictEqual(integrity.verification_status, "VERIFIED");
        assert.strictEqual(integrity.root_hash, outcome.root_hash);
        assert.strictEqual(lifecycle, "COMPLETE");
        assert.strictEqual(assurance, "SELF");
        const run = yield* show(outcome.run_id);
        assert.strictEqual(run.trace["agent_id"], "agent-1");
        assert.strictEqual(run.trace["origin_system_id"], "system-1");
        assert.deepStrictEqual(run.payloads.attributes, {
          state: "present",
          value: { goal: "find three" },
        });
        assert.deepStrictEqual(run.steps[0]?.payloads.outcome_data, {
          state: "present",
          value: { found: 3 },
        });
        assert.strictEqual(run.seal?.["status"], "completed");
        const [stored] = yield* rows<{ status: string }>(
          `select status from runs where run_id = '${outcome.run_id}'`,
        );
        assert.strictEqual(stored?.status, "succeeded");
      }),
    );

    it.effect("is stored with its plan before its first step, and each step before the next", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database>();
        const seen: Array<unknown> = [];
        const look = Effect.gen(function* () {
          const runs = yield* rows<{ status: string; plan: string }>(
            `select r.status, t.plan from runs r join aos_traces t using (trace_id) where r.run_id = '${run_id}'`,
          );
          const steps = yield* rows<{ status: string }>(
            `select status from aos_trace_steps where run_id = '${run_id}'`,
          );
          seen.push([runs[0]?.status, JSON.parse(runs[0]?.plan ?? "").steps.length, steps.length]);
          return success();
        }).pipe(Effect.provideContext(context), Effect.orDie);
        yield* execute([stepOf(act(look)), stepOf(act(look)), stepOf(act(look))], { run_id });
        assert.deepStrictEqual(seen, [
          ["running", 3, 0],
          ["running", 3, 1],
          ["running", 3, 2],
        ]);
      }),
    );

    it.effect("tells of each attempt as it begins and once it is recorded", () =>
      Effect.gen(function* () {
        const events: Array<StepEvent> = [];
        yield* execute(
          [stepOf(act(Effect.succeed(success()))), stepOf(act(Effect.succeed(success())))],
          {
            onStep: (event) => Effect.sync(() => events.push(event)),
          },
        );
        assert.deepStrictEqual(
          events.map((event) => [event.event, event.plan_step, event.attempt]),
          [
            ["started", 0, 0],
            ["recorded", 0, 0],
            ["started", 1, 0],
            ["recorded", 1, 0],
          ],
        );
      }),
    );

    it.effect("stops at a step that failed and is sealed failed, saying which", () =>
      Effect.gen(function* () {
        let after = 0;
        const outcome = yield* execute([
          stepOf(act(Effect.succeed(success()))),
          stepOf(act(Effect.succeed(failure("PERMANENT", { outcome_code: "NO_SUCH_ORDER" })))),
          stepOf(act(Effect.sync(() => success(++after)))),
        ]);
        assert.strictEqual(outcome.status, "failed");
        // A skill's own codes may say what it found: they are for those who may read the payloads.
        assert.strictEqual(outcome.reason, "step 1 failed");
        assert.strictEqual(outcome.detail, "act: NO_SUCH_ORDER");
        const run = yield* show(outcome.run_id);
        assert.strictEqual(run.seal?.["reason"], outcome.reason);
        assert.deepStrictEqual(run.payloads.metadata, {
          state: "present",
          value: { failed_steps: [1], detail: "act: NO_SUCH_ORDER" },
        });
        assert.strictEqual(outcome.step_count, 2);
        assert.strictEqual(after, 0);
        const { integrity, lifecycle } = yield* verdict(outcome.run_id);
        assert.strictEqual(integrity.verification_status, "VERIFIED");
        assert.strictEqual(lifecycle, "COMPLETE");
      }),
    );

    it.effect(
      "goes on after a failed step that may fail, and names it in the seal's metadata",
      () =>
        Effect.gen(function* () {
          const outcome = yield* execute([
            stepOf(act(Effect.succeed(failure("PERMANENT"))), { on_failure: "continue" }),
            stepOf(act(Effect.succeed(success()))),
          ]);
          assert.strictEqual(outcome.status, "completed");
          assert.strictEqual(outcome.step_count, 2);
          const run = yield* show(outcome.run_id);
          assert.deepStrictEqual(run.payloads.metadata, {
            state: "present",
            value: { failed_steps: [0] },
          });
          assert.strictEqual(run.steps[0]?.record["status"], "failure");
          assert.strictEqual(run.steps[0]?.record["level"], "ERROR");
        }),
    );

    it.effect("records each attempt that is repeated as a step of status retry", () =>
      Effect.gen(function* () {
        let attempts = 0;
        const flaky = Effect.sync(() =>
          ++attempts < 3 ? failure("TRANSIENT", { outcome_code: "HTTP_503" }) : success(attempts),
        );
        const outcome = yield* execute([stepOf(act(flaky))]);
        const { steps } = yield* show(outcome.run_id);
        assert.deepStrictEqual(
          steps.map(({ record }) => [
            record["status"],
            record["level"],
            record["outcome_category"],
            record["outcome_code"],
            record["retry_count"],
          ]),
          [
            ["retry", "WARN", "TRANSIENT", "HTTP_503", 0],
            ["retry", "WARN", "TRANSIENT", "HTTP_503", 1],
            ["success", "INFO", "SUCCESS", null, 2],
          ],
        );
        assert.strictEqual(outcome.status, "completed");
      }),
    );

    it.effect(
      "repeats an attempt that is not safe to repeat only where the plan says retries",
      () =>
        Effect.gen(function* () {
          let attempts = 0;
          const post = Effect.sync(() => {
            attempts += 1;
            return failure("TRANSIENT", { safe_to_repeat: false });
          });
          const silent = yield* execute([stepOf(act(post))]);
          assert.strictEqual(attempts, 1);
          assert.strictEqual(silent.status, "failed");
          attempts = 0;
          const asked = yield* execute([stepOf(act(post), { retries: 1 })]);
          assert.strictEqual(attempts, 2);
          const { steps } = yield* show(asked.run_id);
          assert.deepStrictEqual(
            steps.map(({ record }) => record["status"]),
            ["retry", "failure"],
          );
          attempts = 0;
          yield* execute([
            stepOf(act(Effect.sync(() => failure("TRANSIENT", { outcome_data: ++attempts }))), {
              retries: 0,
            }),
          ]);
          assert.strictEqual(attempts, 1);
        }),
    );

    it.effect("does not repeat what is permanent", () =>
      Effect.gen(function* () {
        let attempts = 0;
        const wrong = Effect.sync(() => failure("PERMANENT", { outcome_data: ++attempts }));
        yield* execute([stepOf(act(wrong), { retries: 5 })]);
        assert.strictEqual(attempts, 1);
      }),
    );

    it.effect("ends an attempt at its time limit", () =>
      Effect.gen(function* () {
        const outcome = yield* execute([
          stepOf(act(Effect.never, { safe_to_repeat: false }), { timeout_ms: 20 }),
        ]);
        assert.strictEqual(outcome.status, "failed");
        const { steps } = yield* show(outcome.run_id);
        assert.strictEqual(steps[0]?.record["outcome_code"], "TIMEOUT");
        assert.strictEqual(steps[0]?.record["status"], "failure");
      }),
    );

    for (const [what, outcome_data, told] of [
      ["a Date", new Date(0), "1970-01-01T00:00:00.000Z"],
      ["an integer that was rounded", 2 ** 60, "1152921504606846976"],
      ["a lone surrogate", "\ud800", "\ufffd"],
    ] as const) {
      it.effect(`keeps a step whose outcome is ${what}, told and marked`, () =>
        Effect.gen(function* () {
          const outcome = yield* execute([
            stepOf(act(Effect.succeed(success(outcome_data as never)))),
          ]);
          assert.strictEqual(outcome.status, "completed");
          const [step] = (yield* show(outcome.run_id)).steps;
          assert.strictEqual(step?.record["status"], "success");
          assert.deepStrictEqual(step?.payloads.outcome_data, { state: "present", value: told });
          assert.include(JSON.stringify(step?.payloads.attributes), '"path":"$.outcome_data"');
          const { integrity } = yield* verdict(outcome.run_id);
          assert.strictEqual(integrity.verification_status, "VERIFIED");
        }),
      );
    }

    it.effect("keeps a step whose outcome is more bytes than a payload may have, by its hash", () =>
      Effect.gen(function* () {
        const large = "x".repeat(17 * 1024 * 1024);
        const outcome = yield* execute([stepOf(act(Effect.succeed(success(large))))]);
        assert.strictEqual(outcome.status, "completed");
        const [step] = (yield* show(outcome.run_id)).steps;
        assert.include(
          JSON.stringify(step?.payloads.outcome_data),
          `"bytes":${large.length + 2},"sha256":"${sha256(JSON.stringify(large))}"`,
        );
      }),
    );

    it.effect("that is gated has each attempt's intent before it, and its outcome after", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database>();
        let seen = 0;
        let attempts = 0;
        const flaky = Effect.gen(function* () {
          const steps = yield* rows(`select from aos_trace_steps where run_id = '${run_id}'`);
          seen = steps.length;
          return ++attempts < 2 ? failure("TRANSIENT") : success(attempts);
        }).pipe(Effect.provideContext(context), Effect.orDie);
        const outcome = yield* execute([stepOf(act(flaky))], { run_id, capture: "gated" });
        assert.deepStrictEqual([outcome.status, outcome.step_count, seen], ["completed", 4, 3]);
        const { steps } = yield* show(run_id);
        assert.deepStrictEqual(
          steps.map(({ record }) => [record["status"], record["intent_index"]]),
          [
            ["intended", null],
            ["retry", 0],
            ["intended", null],
            ["success", 2],
          ],
        );
        const { integrity, capture } = yield* verdict(run_id);
        assert.deepStrictEqual([integrity.verification_status, capture], ["VERIFIED", "gated"]);
      }),
    );

    it.effect("keeps a step whose skill throws, without the text that was thrown", () =>
      Effect.gen(function* () {
        const outcome = yield* execute([stepOf(act(Effect.die(new TypeError("the key is hush"))))]);
        assert.strictEqual(outcome.status, "failed");
        const run = yield* show(outcome.run_id);
        assert.strictEqual(run.steps[0]?.record["outcome_code"], "SKILL_DEFECT");
        assert.deepStrictEqual(run.steps[0]?.payloads.outcome_data, {
          state: "present",
          value: { error: "the skill threw TypeError" },
        });
      }),
    );

    it.effect("stores no secret of its plan, and says by which rules", () =>
      Effect.gen(function* () {
        const outcome = yield* execute([
          {
            skill: "http_call",
            params: {
              method: "GET",
              url: "http://user:hush@127.0.0.1:9/?token=hush",
              headers: { Authorization: "Bearer hush" },
            },
            retries: 0,
          },
        ]);
        const run = yield* show(outcome.run_id);
        assert.strictEqual(run.trace["redaction"], "default@v1 http-secrets@v2");
        assert.notInclude(JSON.stringify(run), "hush");
        const [stored] = yield* rows<{ plan: string }>(
          `select plan from aos_traces where run_id = '${outcome.run_id}'`,
        );
        assert.include(stored?.plan, "[redacted]");
        assert.notInclude(stored?.plan, "hush");
      }),
    );

    it.effect("keeps a secret of answer, code, reason and goal out of the tables", () =>
      Effect.gen(function* () {
        const mail = "ann.lee@example.com";
        const key = `sk-ant-api03-${"Ab1".repeat(12)}`;
        const failing = Effect.succeed({
          status: "failure" as const,
          outcome_category: "PERMANENT" as const,
          outcome_code: `REFUSED ${mail}`,
          outcome_data: { error: `the key ${key} of ${mail} is no good` },
          safe_to_repeat: false,
          retry_after_ms: null,
        });
        const step = stepOf(act(failing));
        const outcome = yield* execute([step], { goal: `write to ${mail}` });
        assert.notInclude(JSON.stringify(outcome), mail);
        const stored = yield* rows(
          `select to_jsonb(t)::text || to_jsonb(s)::text || to_jsonb(r)::text as all_of_it
           from aos_traces t join aos_trace_steps s using (trace_id) join runs r using (trace_id)
           where t.run_id = '${outcome.run_id}'`,
        );
        assert.include(JSON.stringify(stored), "[redacted]");
        for (const secret of [mail, key]) assert.notInclude(JSON.stringify(stored), secret);
      }),
    );

    for (const [what, plan, where] of [
      ["no steps", { steps: [] }, "$.steps"],
      ["an unknown key", { steps: [stepOf({ act: "x" })], goal: "?" }, "$.goal"],
      [
        "a step with an unknown key",
        { steps: [stepOf({ act: "x" }, { retry: 1 })] },
        "$.steps[0].retry",
      ],
      [
        "negative retries",
        { steps: [stepOf({ act: "x" }, { retries: -1 })] },
        "$.steps[0].retries",
      ],
      [
        "params that the skill refuses",
        { steps: [stepOf({ act: "x" }), stepOf({ act: 1 })] },
        "$.steps[1].params.act",
      ],
      [
        "a value that is no JSON",
        { steps: [stepOf({ act: undefined as never })] },
        "$.steps[0].params.act",
      ],
      [
        "an integer that was rounded",
        {
          steps: [
            {
              skill: "http_call",
              params: { method: "POST", url: "http://127.0.0.1/", body: 2 ** 60 },
            },
          ],
        },
        "$.steps[0].params.body",
      ],
      ["no object", "GET /", "$"],
    ] as const) {
      it.effect(`is refused for a plan with ${what}, before anything is stored or run`, () =>
        Effect.gen(function* () {
          const run_id = runId();
          const error = yield* Effect.flip(execute([], { plan, run_id }));
          assert.strictEqual(error._tag, "InvalidInput");
          assert.strictEqual("where" in error ? error.where : undefined, where);
          assert.lengthOf(yield* rows(`select 1 from runs where run_id = '${run_id}'`), 0);
          assert.lengthOf(yield* rows(`select 1 from aos_traces where run_id = '${run_id}'`), 0);
        }),
      );
    }

    it.effect("is refused for a skill that is not known, naming those that are", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(execute([{ skill: "teleport", params: {} }]));
        assert.strictEqual(error._tag, "SkillUnknown");
        assert.deepInclude(error, { skill_id: "teleport", known: ["http_call", "act"] });
      }),
    );

    for (const [what, more, where] of [
      ["an empty tenant", { tenant_id: "" }, "run.tenant_id"],
      ["a run id of 256 characters", { run_id: "x".repeat(256) }, "run.run_id"],
      ["a synthetic run without its scenario", { is_synthetic: true }, "run.synthetic_scenario_id"],
      ["a lease of no time", { lease_ms: 0 }, "lease_ms"],
    ] as const) {
      it.effect(`is refused for ${what}`, () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(execute([stepOf(act(Effect.succeed(success())))], more));
          assert.strictEqual(error._tag, "InvalidInput");
          assert.strictEqual("where" in error ? error.where : undefined, where);
        }),
      );
    }

    it.effect(
      "is refused for a run id that the tenant has already, and not for another tenant's",
      () =>
        Effect.gen(function* () {
          const run_id = runId();
          const steps = [stepOf(act(Effect.succeed(success())))];
          yield* execute(steps, { run_id });
          const error = yield* Effect.flip(execute(steps, { run_id }));
          assert.strictEqual(error._tag, "RunExists");
          const other = yield* execute(steps, { run_id, tenant_id: "another-tenant" });
          assert.strictEqual(other.status, "completed");
        }),
    );

    const assertAborted = Effect.fnUntraced(function* (run_id: string, reason: string) {
      const run = yield* show(run_id);
      assert.strictEqual(run.status, "aborted");
      assert.strictEqual(run.seal?.["status"], "aborted");
      assert.strictEqual(run.seal?.["reason"], reason);
      const { integrity, lifecycle } = yield* verdict(run_id);
      assert.strictEqual(lifecycle, "ABORTED");
      assert.notStrictEqual(integrity.verification_status, "FAILED");
      const [stored] = yield* rows<{ status: string }>(
        `select status from runs where run_id = '${run_id}'`,
      );
      assert.strictEqual(stored?.status, "aborted");
      return run;
    });

    const interruptAt = Effect.fnUntraced(function* (
      begun: Effect.Effect<unknown>,
      run: Effect.Effect<unknown, unknown, RunCoordinator>,
    ) {
      const fiber = yield* Effect.forkChild(run);
      yield* begun;
      yield* Fiber.interrupt(fiber);
      const exit = yield* Fiber.await(fiber);
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause));
    });

    it.effect("that is interrupted during an attempt is aborted, and keeps the attempt", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, pass } = yield* gate;
        const steps = [
          stepOf(act(Effect.succeed(success()))),
          stepOf(act(Effect.as(pass, success()))),
        ];
        yield* interruptAt(began, execute(steps, { run_id }));
        const run = yield* assertAborted(run_id, "the run was interrupted");
        assert.deepStrictEqual(
          run.steps.map(({ record }) => [record["status"], record["outcome_code"]]),
          [
            ["success", null],
            ["failure", "INTERRUPTED"],
          ],
        );
      }),
    );

    it.effect("that is interrupted between two attempts is aborted, and keeps the first", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, pass } = yield* gate;
        const busy = act(Effect.succeed(failure("TRANSIENT", { retry_after_ms: 60_000 })));
        const onStep = (event: StepEvent) => (event.event === "recorded" ? pass : Effect.void);
        const { began: waiting, pass: wait } = yield* gate;
        const attempts = act(
          Effect.as(Effect.forkDetach(wait), failure("TRANSIENT", { retry_after_ms: 60_000 })),
        );
        yield* interruptAt(began, execute([stepOf(busy)], { run_id, onStep }));
        yield* assertAborted(run_id, "the run was interrupted");
        const other = runId();
        yield* interruptAt(waiting, execute([stepOf(attempts)], { run_id: other }));
        const run = yield* assertAborted(other, "the run was interrupted");
        assert.strictEqual(run.steps[0]?.record["status"], "retry");
      }),
    );

    it.effect("that is interrupted before its first attempt is aborted, with no step", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, pass } = yield* gate;
        const onStep = (event: StepEvent) => (event.event === "started" ? pass : Effect.void);
        yield* interruptAt(
          began,
          execute([stepOf(act(Effect.succeed(success())))], { run_id, onStep }),
        );
        const run = yield* assertAborted(run_id, "the run was interrupted");
        assert.lengthOf(run.steps, 0);
      }),
    );

    it.effect("whose onStep dies is aborted, saying why", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const onStep = () => Effect.die(new Error("no screen"));
        const outcome = yield* execute([stepOf(act(Effect.succeed(success())))], {
          run_id,
          onStep,
        });
        assert.strictEqual(outcome.status, "aborted");
        yield* assertAborted(run_id, "the run died: Error");
      }),
    );

    it.effect("stops when another writer adds to its trace, and is aborted", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<LogsBridge | Database>();
        const intrude = Effect.gen(function* () {
          const { sink } = yield* LogsBridge;
          const { trace_id } = yield* lease(run_id);
          const step = prepareStep({ ...FOREIGN_STEP, trace_id });
          const holder = sink.holderOf(trace_id);
          yield* sink.appendSteps({ trace_id, holder, first_index: 0, steps: [step] });
          return success();
        }).pipe(Effect.provideContext(context), Effect.orDie);
        let after = 0;
        const error = yield* Effect.flip(
          execute([stepOf(act(intrude)), stepOf(act(Effect.sync(() => success(++after))))], {
            run_id,
          }),
        );
        assert.strictEqual(error._tag, "ChainMoved");
        assert.strictEqual(after, 0);
        const run = yield* show(run_id);
        assert.strictEqual(run.status, "aborted");
        assert.strictEqual(run.seal?.["reason"], "the run could not be recorded: ChainMoved");
      }),
    );

    it.effect(
      "stops at once when its lease is lost: the attempt is ended, the trace is aborted",
      () =>
        Effect.gen(function* () {
          const run_id = runId();
          const context = yield* Effect.context<Database | LogsBridge>();
          const loseLease = Effect.gen(function* () {
            yield* asOwner(
              `update aos_trace_leases set expires_at = clock_timestamp() where trace_id = (select trace_id from aos_traces where run_id = '${run_id}')`,
            );
            return yield* Effect.never;
          }).pipe(Effect.provideContext(context), Effect.orDie);
          const lease_ms = 3_000;
          const outcome = yield* execute([stepOf(act(loseLease))], { run_id, lease_ms });
          assert.strictEqual(outcome.status, "aborted");
          // It did not go on until the lease's time was over.
          const lasted_ms = Date.parse(outcome.completed_at) - Date.parse(outcome.started_at);
          assert.isBelow(lasted_ms, lease_ms);
          assert.strictEqual(outcome.reason, "the run could not be recorded: LeaseLost");
          assert.include(outcome.detail, "the lease of trace");
          const { lifecycle } = yield* verdict(run_id);
          assert.strictEqual(lifecycle, "ABORTED");
        }),
    );

    it.effect("keeps its lease for as long as an attempt lasts", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database | LogsBridge>();
        const renewals = (minimum: number): Effect.Effect<void, unknown, Database> =>
          Effect.gen(function* () {
            const seen = new Set<string>();
            while (seen.size < minimum) {
              const [lease] = yield* rows<{ expires_at: string }>(
                `select l.expires_at::text from aos_trace_leases l join aos_traces t using (trace_id) where t.run_id = '${run_id}'`,
              );
              seen.add(lease?.expires_at ?? "gone");
              // The embedded database answers without a turn of the event loop, which timers wait for.
              yield* Effect.promise(() => setImmediate());
            }
          });
        const outlast = Effect.gen(function* () {
          // Four terms: more than one whole lease has passed.
          yield* renewals(5);
          const { sweep } = yield* LogsBridge;
          yield* sweep();
          return success();
        }).pipe(Effect.provideContext(context), Effect.orDie);
        const outcome = yield* execute([stepOf(act(outlast))], { run_id, lease_ms: 600 });
        assert.strictEqual(outcome.status, "completed");
      }),
    );

    it.effect("whose trace a sweeper aborted is not called anything else", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database | LogsBridge>();
        const swept = Effect.gen(function* () {
          yield* asOwner(
            `update aos_trace_leases set expires_at = clock_timestamp() where trace_id = (select trace_id from aos_traces where run_id = '${run_id}')`,
          );
          const { sweep } = yield* LogsBridge;
          const aborted = yield* sweep();
          assert.strictEqual(aborted[0]?.run_id, run_id);
          return success();
        }).pipe(Effect.provideContext(context), Effect.orDie);
        const error = yield* Effect.flip(execute([stepOf(act(swept))], { run_id }));
        assert.strictEqual(error._tag, "TraceSealed");
        const { lifecycle, integrity } = yield* verdict(run_id);
        assert.strictEqual(lifecycle, "ABORTED");
        assert.notStrictEqual(integrity.verification_status, "FAILED");
      }),
    );

    it.effect("is aborted when a step can't be recorded, and no further step runs", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database>();
        const [append] = yield* rows<{ signature: string }>(
          "select 'runproof_append_step'::regproc::oid::regprocedure::text as signature",
        );
        const forbid = asOwner(
          `revoke execute on function ${append?.signature} from runproof_app`,
        ).pipe(Effect.as(success()), Effect.provideContext(context), Effect.orDie);
        let after = 0;
        const steps = [stepOf(act(forbid)), stepOf(act(Effect.sync(() => success(++after))))];
        const outcome = yield* execute(steps, { run_id }).pipe(
          Effect.ensuring(
            Effect.orDie(asOwner(`grant execute on function ${append?.signature} to runproof_app`)),
          ),
        );
        assert.strictEqual(outcome.status, "aborted");
        assert.include(outcome.reason, "the run could not be recorded");
        assert.strictEqual(outcome.step_count, 0);
        assert.strictEqual(after, 0);
      }),
    );

    it.effect("that can't even be sealed fails, and its lease ends it later", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const context = yield* Effect.context<Database>();
        const [seal] = yield* rows<{ signature: string }>(
          "select 'runproof_seal_trace'::regproc::oid::regprocedure::text as signature",
        );
        const forbid = asOwner(
          `revoke execute on function ${seal?.signature} from runproof_app`,
        ).pipe(Effect.as(success()), Effect.provideContext(context), Effect.orDie);
        const error = yield* Effect.flip(execute([stepOf(act(forbid))], { run_id })).pipe(
          Effect.ensuring(
            Effect.orDie(asOwner(`grant execute on function ${seal?.signature} to runproof_app`)),
          ),
        );
        assert.strictEqual(error._tag, "NotAuthorised");
        const { integrity, lifecycle } = yield* verdict(run_id);
        assert.strictEqual(integrity.verification_status, "UNSUPPORTED");
        assert.strictEqual(lifecycle, "OPEN");
        yield* asOwner(
          `update aos_trace_leases set expires_at = clock_timestamp() where trace_id = (select trace_id from aos_traces where run_id = '${run_id}')`,
        );
        const { sweep } = yield* LogsBridge;
        const aborted = yield* sweep();
        assert.include(
          aborted.map((each) => each.run_id),
          run_id,
        );
        assert.strictEqual((yield* show(run_id)).steps.length, 1);
      }),
    );

    it.effect("is never left open, whatever its steps do", () =>
      Effect.gen(function* () {
        const context = yield* Effect.context<
          RunCoordinator | TraceCoordinator | RunProofCoordinator | Database
        >();
        const kinds = {
          success: () => Effect.succeed(success()),
          permanent: () => Effect.succeed(failure("PERMANENT")),
          transient: () => Effect.succeed(failure("TRANSIENT")),
          unrecordable: () => Effect.succeed(success(Number.NaN)),
          defect: () => Effect.die("thrown"),
          interrupt: () => Effect.interrupt,
          timeout: () => Effect.never,
        };
        const kind = fc.constantFrom(...(Object.keys(kinds) as Array<keyof typeof kinds>));
        const step = fc.record({ kind, on_failure: fc.constantFrom("stop", "continue") });
        const check = (steps: ReadonlyArray<{ kind: keyof typeof kinds; on_failure: string }>) =>
          Effect.gen(function* () {
            const run_id = runId();
            const plan = steps.map(({ kind, on_failure }) =>
              stepOf(act(kinds[kind]()), { on_failure, retries: 0, timeout_ms: 30 }),
            );
            yield* Effect.exit(execute(plan, { run_id }));
            const { status, seal, root_hash } = yield* show(run_id);
            assert.include(["completed", "failed", "aborted"], status);
            assert.strictEqual(seal?.["status"], status);
            const { integrity } = yield* verdict(run_id);
            assert.strictEqual(integrity.root_hash, root_hash);
            assert.strictEqual(integrity.verification_status, "VERIFIED");
            const hasFatal = steps.findIndex((each) => each.kind === "interrupt");
            const stops = steps.findIndex(
              (each) =>
                each.on_failure === "stop" &&
                each.kind !== "success" &&
                each.kind !== "unrecordable",
            );
            const expected =
              hasFatal >= 0 && (stops < 0 || hasFatal <= stops)
                ? "aborted"
                : stops >= 0
                  ? "failed"
                  : "completed";
            assert.strictEqual(status, expected);
          });
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) =>
              Effect.runPromise(Effect.provideContext(check(steps), context)),
            ),
            { numRuns: 30 },
          ),
        );
      }),
    );
  });
}

const FOREIGN_STEP = {
  capture: "inline" as const,
  step_index: 0,
  intent_index: null,
  parent_step_index: null,
  skill_id: "foreign",
  skill_name: "foreign",
  source: "external" as const,
  status: "success" as const,
  outcome_category: "SUCCESS",
  outcome_code: null,
  cost_cents: null,
  duration_ms: null,
  started_at: null,
  retry_count: 0,
  replay_behavior: "execute" as const,
  idempotency_key: null,
  timestamp: "2026-02-10T12:43:41.549430Z",
  is_synthetic: false,
  synthetic_scenario_id: null,
};
