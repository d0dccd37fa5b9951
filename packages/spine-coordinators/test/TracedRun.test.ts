/** Goal: a program that is recorded behaves as it would without, and what it did is in its trace. */
import { assert, layer } from "@effect/vitest";
import type { Database } from "@runproof/drivers/Database";
import type { RunOutcome } from "@runproof/spine-coordinators/runs/RunOutcome";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import type { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Cause from "effect/Cause";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { asOwner, gate, rows, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly message: string }> {}

const outOfStock = new OutOfStock({ message: "no more of order 7" });

/** A run whose steps are its outcomes alone. */
const inline = { tenant_id, capture: "inline" } as const;

const fieldsOf = (
  steps: ReadonlyArray<{ readonly record: Readonly<Record<string, unknown>> }>,
  ...names: ReadonlyArray<string>
) => steps.map(({ record }) => names.map((name) => record[name]));

const valueOf = (payload: { readonly state: string; readonly value?: unknown }) =>
  payload.value as Readonly<Record<string, unknown>>;

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `a traced program on ${name}`,
    (it) => {
      it.effect("gives its result, and its trace is completed and VERIFIED", () =>
        Effect.gen(function* () {
          const outcomes: Array<RunOutcome> = [];
          const total = yield* TracedRun.run(
            {
              ...inline,
              agent_id: "buyer",
              plan: { buy: 3 },
              attributes: { service: "shop" },
              onSealed: (outcome) => Effect.sync(() => outcomes.push(outcome)),
            },
            Effect.gen(function* () {
              const price = yield* TracedRun.step(
                { skill_id: "price", skill_name: "Look up price", params: { item: "tea" } },
                Effect.succeed(4),
              );
              yield* TracedRun.step({ skill_id: "log" }, Effect.void);
              return price * 3;
            }),
          );
          assert.strictEqual(total, 12);
          assert.lengthOf(outcomes, 1);
          const { run_id, root_hash, status, step_count } = outcomes[0]!;
          assert.deepStrictEqual([status, step_count], ["completed", 2]);
          const { integrity } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "VERIFIED");
          assert.strictEqual(integrity.root_hash, root_hash);
          const run = yield* show(run_id);
          assert.deepStrictEqual(
            fieldsOf(run.steps, "skill_id", "skill_name", "source", "status"),
            [
              ["price", "Look up price", "engine", "success"],
              ["log", "log", "engine", "success"],
            ],
          );
          assert.deepStrictEqual(run.steps[0]?.payloads, {
            params: { state: "present", value: { item: "tea" } },
            outcome_data: { state: "present", value: 4 },
            attributes: { state: "absent" },
          });
          assert.strictEqual(run.steps[1]?.payloads.outcome_data.state, "absent");
          assert.deepStrictEqual(run.payloads.plan, { state: "present", value: { buy: 3 } });
        }),
      );

      it.effect("marks the trace and each step as synthetic, and no run without its scenario", () =>
        Effect.gen(function* () {
          const mark = { is_synthetic: true, synthetic_scenario_id: "outage" } as const;
          for (const capture of ["gated", "inline"] as const) {
            const run_id = runId();
            const work = TracedRun.step({ skill_id: "price" }, Effect.succeed(4));
            yield* TracedRun.run({ tenant_id, capture, run_id, ...mark }, work);
            const { trace, steps } = yield* show(run_id);
            for (const record of [trace, ...steps.map(({ record }) => record)])
              assert.deepInclude(record, mark);
          }
          let hasRun = false;
          const work = Effect.sync(() => {
            hasRun = true;
          });
          const refused = yield* Effect.flip(
            TracedRun.run({ ...inline, is_synthetic: true }, work),
          );
          assert.deepInclude(refused, { _tag: "InvalidInput", where: "run.synthetic_scenario_id" });
          assert.isFalse(hasRun);
        }),
      );

      it.effect("tells runs that begin and end together each its own answer", () =>
        Effect.gen(function* () {
          const taken = runId();
          const run_ids = [runId(), taken, runId(), taken, runId(), taken];
          const exits = yield* Effect.forEach(
            run_ids,
            (run_id) =>
              Effect.exit(
                TracedRun.run(
                  { ...inline, run_id },
                  TracedRun.step({ skill_id: "buy", params: { run_id } }, Effect.void),
                ),
              ),
            { concurrency: "unbounded" },
          );
          const began = run_ids.filter((_, at) => Exit.isSuccess(exits[at]!));
          assert.deepStrictEqual(began.toSorted(), [...new Set(run_ids)].toSorted());
          for (const exit of exits.filter(Exit.isFailure))
            assert.strictEqual((Cause.squash(exit.cause) as { _tag: string })._tag, "RunExists");
          for (const run_id of began) {
            const { integrity } = yield* verdict(run_id);
            assert.strictEqual(integrity.verification_status, "VERIFIED");
            assert.deepStrictEqual(fieldsOf((yield* show(run_id)).steps, "skill_id"), [["buy"]]);
          }
        }),
      );

      it.effect("has each step durable before what comes after it", () =>
        Effect.gen(function* () {
          const run_id = runId();
          yield* TracedRun.run(
            { ...inline, run_id },
            Effect.gen(function* () {
              yield* TracedRun.step({ skill_id: "first" }, Effect.succeed(1));
              assert.lengthOf((yield* show(run_id)).steps, 1);
            }),
          );
        }),
      );

      it.effect("fails as it would, and its trace is failed with the step that did", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const error = yield* Effect.flip(
            TracedRun.run(
              { ...inline, run_id },
              TracedRun.step({ skill_id: "buy", retry_count: 1 }, Effect.fail(outOfStock)),
            ),
          );
          assert.strictEqual(error, outOfStock);
          const run = yield* show(run_id);
          assert.strictEqual(run.seal?.["status"], "failed");
          assert.strictEqual(run.seal?.["reason"], "step 0 failed: OutOfStock");
          assert.deepStrictEqual(run.payloads.metadata, {
            state: "present",
            value: { detail: "OutOfStock: no more of order 7" },
          });
          assert.deepStrictEqual(
            fieldsOf(run.steps, "status", "level", "outcome_code", "retry_count"),
            [["failure", "ERROR", "OutOfStock", 1]],
          );
          assert.deepStrictEqual(run.steps[0]?.payloads.outcome_data, {
            state: "present",
            value: { error: "OutOfStock: no more of order 7" },
          });
        }),
      );

      it.effect("tells whoever gets one of its steps nothing of what another's error says", () =>
        Effect.gen(function* () {
          const secret = "4111-1111 of Jane Doe";
          const declined = new Error(`card ${secret} declined`);
          const renamed = Object.assign(new Error(secret), { name: `${secret} declined` });
          const tagged = { _tag: secret };
          const ok = TracedRun.step({ skill_id: "look" }, Effect.succeed("seen"));
          const pay = (error: unknown) => TracedRun.step({ skill_id: "pay" }, Effect.fail(error));
          const programs: ReadonlyArray<readonly [Effect.Effect<unknown, unknown, any>, string]> = [
            [pay(declined), "step 1 failed: Error"],
            [pay(renamed), "step 1 failed"],
            [pay(tagged), "step 1 failed"],
            [pay(secret), "the program failed"],
            [Effect.fail(declined), "the program failed: Error"],
            [Effect.die(declined), "the run died: Error"],
            // Of steps inside each other it is the innermost, and of attempts the last.
            [
              TracedRun.step({ skill_id: "outer" }, Effect.retry(pay(declined), { times: 1 })),
              "step 2 failed: Error",
            ],
          ];
          const proofs = yield* RunProofCoordinator;
          for (const [fails, reason] of programs) {
            const run_id = runId();
            yield* Effect.exit(TracedRun.run({ ...inline, run_id }, Effect.andThen(ok, fails)));
            const run = yield* show(run_id);
            assert.strictEqual(run.seal?.["reason"], reason);
            assert.include(JSON.stringify(run.payloads.metadata), secret);
            const { text } = yield* proofs.getStepBundle({ tenant_id, run_id, step_index: 0 });
            assert.notInclude(text, secret);
            assert.include(text, reason);
          }
        }),
      );

      it.effect("may handle a step's failure, and is completed then", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const answer = yield* TracedRun.run(
            { ...inline, run_id },
            TracedRun.step(
              { skill_id: "buy", failure: ({ message }: OutOfStock) => ({ message }) },
              Effect.fail(outOfStock),
            ).pipe(Effect.catchTag("OutOfStock", () => Effect.succeed("tea instead"))),
          );
          assert.strictEqual(answer, "tea instead");
          const run = yield* show(run_id);
          assert.strictEqual(run.status, "completed");
          assert.deepStrictEqual(run.steps[0]?.payloads.outcome_data, {
            state: "present",
            value: { message: "no more of order 7" },
          });
        }),
      );

      it.effect("that dies is aborted, and dies as it would", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const exit = yield* Effect.exit(
            TracedRun.run(
              { ...inline, run_id },
              TracedRun.step({ skill_id: "buy" }, Effect.die(new Error("a bug"))),
            ),
          );
          assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause));
          const run = yield* show(run_id);
          assert.strictEqual(run.seal?.["status"], "aborted");
          assert.strictEqual(run.seal?.["reason"], "the run died: Error");
          assert.deepStrictEqual(run.payloads.metadata, {
            state: "present",
            value: { detail: "Error: a bug" },
          });
          assert.deepStrictEqual(fieldsOf(run.steps, "status", "outcome_code"), [
            ["failure", "DEFECT"],
          ]);
        }),
      );

      it.effect("that is interrupted is aborted, and keeps the step it was in", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { began, pass } = yield* gate;
          const fiber = yield* Effect.forkChild(
            TracedRun.run({ ...inline, run_id }, TracedRun.step({ skill_id: "wait" }, pass)),
          );
          yield* began;
          yield* Fiber.interrupt(fiber);
          const run = yield* show(run_id);
          assert.strictEqual(run.seal?.["status"], "aborted");
          assert.strictEqual(run.seal?.["reason"], "the run was interrupted");
          assert.deepStrictEqual(fieldsOf(run.steps, "status", "outcome_code"), [
            ["failure", "INTERRUPTED"],
          ]);
        }),
      );

      it.effect("may take many steps at once: each is recorded once, without a gap", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const results = yield* TracedRun.run(
            { ...inline, run_id },
            Effect.forEach(
              Array.from({ length: 40 }, (_, index) => index),
              (index) =>
                TracedRun.step({ skill_id: "work", params: index }, Effect.succeed(index * 2)),
              { concurrency: "unbounded" },
            ),
          );
          assert.deepStrictEqual(
            results,
            Array.from({ length: 40 }, (_, index) => index * 2),
          );
          const run = yield* show(run_id);
          const params = run.steps.map(({ payloads }) =>
            payloads.params.state === "present" ? payloads.params.value : null,
          );
          assert.sameMembers(
            params,
            Array.from({ length: 40 }, (_, index) => index),
          );
          assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
        }),
      );

      it.effect("records a step inside another first, and both tell which is whose", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const inner = (skill_id: string) => TracedRun.step({ skill_id }, Effect.void);
          yield* TracedRun.run(
            { ...inline, run_id },
            Effect.andThen(
              TracedRun.step(
                { skill_id: "outer", attributes: { mine: 1 } },
                Effect.andThen(inner("one"), inner("two")),
              ),
              inner("alone"),
            ),
          );
          const { steps } = yield* show(run_id);
          assert.deepStrictEqual(fieldsOf(steps, "skill_id", "parent_step_index"), [
            ["one", null],
            ["two", null],
            ["outer", null],
            ["alone", null],
          ]);
          const [one, two, outer, alone] = steps.map(({ payloads }) =>
            payloads.attributes.state === "present"
              ? (payloads.attributes.value as Record<string, unknown>)
              : null,
          );
          assert.match(String(outer?.["span_id"]), /^[0-9a-f]{16}$/u);
          assert.deepStrictEqual(outer?.["attributes"], { mine: 1 });
          assert.strictEqual(one?.["parent_span_id"], outer?.["span_id"]);
          assert.strictEqual(two?.["parent_span_id"], outer?.["span_id"]);
          assert.notStrictEqual(one?.["span_id"], two?.["span_id"]);
          assert.deepStrictEqual(alone, {});
        }),
      );

      it.effect("started inside a step of another has steps that are its own", () =>
        Effect.gen(function* () {
          const [outer_id, inner_id] = [runId(), runId()];
          const work = TracedRun.step({ skill_id: "work" }, Effect.void);
          yield* TracedRun.run(
            { ...inline, run_id: outer_id },
            TracedRun.step(
              { skill_id: "delegate" },
              TracedRun.run({ ...inline, run_id: inner_id }, work),
            ),
          );
          const [outer, inner] = [yield* show(outer_id), yield* show(inner_id)];
          assert.deepStrictEqual(fieldsOf(outer.steps, "skill_id"), [["delegate"]]);
          assert.deepStrictEqual(fieldsOf(inner.steps, "skill_id"), [["work"]]);
          for (const { steps } of [outer, inner]) {
            assert.deepStrictEqual(steps[0]?.payloads.attributes, { state: "present", value: {} });
          }
        }),
      );

      it.effect("does not run a step that no record can hold, and says where", () =>
        Effect.gen(function* () {
          for (const [wrong, where] of [
            [{ skill_id: "a\u0000b" }, "step.skill_id"],
            [{ skill_id: "buy", cost_cents: -1 }, "step.cost_cents"],
            [{ skill_id: "buy", retry_count: 0.5 }, "step.retry_count"],
            [{ skill_id: "buy", idempotency_key: "\ud800" }, "step.idempotency_key"],
          ] as const) {
            for (const capture of ["gated", "inline"] as const) {
              const run_id = runId();
              let ran = false;
              const error = yield* Effect.flip(
                TracedRun.run(
                  { tenant_id, run_id, capture },
                  TracedRun.step(
                    wrong,
                    Effect.sync(() => (ran = true)),
                  ),
                ),
              );
              assert.deepInclude(error, { _tag: "InvalidInput", where });
              assert.isFalse(ran);
              assert.lengthOf((yield* show(run_id)).steps, 0);
            }
          }
        }),
      );

      it.effect("gets back what JSON can't say as it was, and its steps say what was told", () =>
        Effect.gen(function* () {
          const result = { a: 1, note: undefined, at: new Date(0), big: 7n };
          const params = { when: new Date(1) };
          const lossy = [
            { path: "$.outcome_data.note", was: "undefined" },
            { path: "$.outcome_data.at", was: "Date" },
            { path: "$.outcome_data.big", was: "BigInt" },
          ];
          for (const capture of ["gated", "inline"] as const) {
            const run_id = runId();
            const given = yield* TracedRun.run(
              { tenant_id, run_id, capture, plan: [1n] },
              TracedRun.step({ skill_id: "buy", params }, Effect.succeed(result)),
            );
            assert.strictEqual(given, result);
            const { steps, payloads } = yield* show(run_id);
            assert.deepStrictEqual(payloads.plan, { state: "present", value: ["1"] });
            const last = steps.at(-1)!;
            assert.strictEqual(last.record["status"], "success");
            assert.deepStrictEqual(last.payloads.outcome_data, {
              state: "present",
              value: { a: 1, at: "1970-01-01T00:00:00.000Z", big: "7" },
            });
            const ofParams = { path: "$.params.when", was: "Date" };
            const marked = capture === "gated" ? lossy : [ofParams, ...lossy];
            const { runproof: notes } = valueOf(last.payloads.attributes);
            assert.deepStrictEqual(notes, { lossy: marked });
            assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
          }
        }),
      );

      it.effect("goes on where an outcome function throws, and its step says so", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const outcome = () => {
            throw new Error("a bug in it");
          };
          const given = yield* TracedRun.run(
            { ...inline, run_id },
            TracedRun.step({ skill_id: "buy", outcome }, Effect.succeed(1)),
          );
          assert.strictEqual(given, 1);
          const { steps } = yield* show(run_id);
          assert.deepStrictEqual(fieldsOf(steps, "status", "outcome_code"), [
            ["success", "OUTCOME_NOT_RECORDABLE"],
          ]);
          assert.include(JSON.stringify(steps[0]?.payloads.outcome_data), "a bug in it");
        }),
      );

      it.effect("is gated unless asked otherwise: an intent is durable before its act", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const context = yield* Effect.context<TraceCoordinator>();
          const seen: Array<unknown> = [];
          const look = Effect.gen(function* () {
            seen.push(fieldsOf((yield* show(run_id)).steps, "status", "intent_index"));
          }).pipe(Effect.provideContext(context), Effect.orDie);
          const work = (skill_id: string) =>
            TracedRun.step({ skill_id, params: { of: skill_id } }, look);
          yield* TracedRun.run(
            { tenant_id, run_id },
            TracedRun.step({ skill_id: "outer" }, Effect.andThen(work("one"), work("two"))),
          );
          const [intended, answered] = [["intended", null] as const, "success"];
          assert.deepStrictEqual(seen, [
            [intended, intended],
            [intended, intended, [answered, 1], intended],
          ]);
          const { trace, steps } = yield* show(run_id);
          assert.strictEqual(trace["capture"], "gated");
          assert.deepStrictEqual(
            fieldsOf(steps, "skill_id", "status", "intent_index", "parent_step_index"),
            [
              ["outer", "intended", null, null],
              ["one", "intended", null, 0],
              ["one", "success", 1, 0],
              ["two", "intended", null, 0],
              ["two", "success", 3, 0],
              ["outer", "success", 0, null],
            ],
          );
          const params = steps.map(({ payloads }) => payloads.params.state);
          assert.deepStrictEqual(params, [
            "absent",
            "present",
            "absent",
            "present",
            "absent",
            "absent",
          ]);
          const { integrity, capture, findings } = yield* verdict(run_id);
          assert.deepStrictEqual([integrity.verification_status, capture], ["VERIFIED", "gated"]);
          assert.deepStrictEqual(findings, []);
        }),
      );

      it.effect("whose act a seal cut off names it: VERIFIED, and its outcome unknown", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { began, release, pass } = yield* gate;
          const fiber = yield* Effect.forkChild(
            TracedRun.run(
              { tenant_id, run_id },
              // In a fiber of its own, which is not waited for once the run is interrupted.
              Effect.andThen(
                Effect.forkDetach(TracedRun.step({ skill_id: "transfer" }, pass)),
                Effect.never,
              ),
            ),
          );
          yield* began;
          yield* Fiber.interrupt(fiber);
          yield* release;
          const { lifecycle, integrity, findings } = yield* verdict(run_id);
          assert.deepStrictEqual(
            [lifecycle, integrity.verification_status],
            ["ABORTED", "VERIFIED"],
          );
          assert.deepInclude(findings[0], { code: "OUTCOME_UNKNOWN", step_index: 0 });
        }),
      );

      it.effect("is stopped by a step that can't be recorded, even if it handles the error", () =>
        Effect.gen(function* () {
          const run_id = runId();
          const context = yield* Effect.context<Database>();
          const sweptAway = asOwner(
            `delete from aos_trace_leases where trace_id = (select trace_id from aos_traces where run_id = '${run_id}')`,
          ).pipe(Effect.provideContext(context), Effect.orDie);
          const error = yield* Effect.flip(
            TracedRun.run(
              { ...inline, run_id },
              TracedRun.step({ skill_id: "lose" }, sweptAway).pipe(
                Effect.ignore,
                Effect.andThen(Effect.never),
              ),
            ),
          );
          assert.strictEqual(error._tag, "TraceSealed");
          const { lifecycle, integrity } = yield* verdict(run_id);
          assert.strictEqual(lifecycle, "OPEN");
          assert.notStrictEqual(integrity.verification_status, "VERIFIED");
        }),
      );

      it.effect(
        "does nothing more once a step could not be recorded, even where it can't be interrupted",
        () =>
          Effect.gen(function* () {
            const run_id = runId();
            const context = yield* Effect.context<Database>();
            const [append] = yield* rows<{ signature: string }>(
              "select 'runproof_append_step'::regproc::oid::regprocedure::text as signature",
            );
            const set = (statement: string) =>
              asOwner(`${statement} runproof_app`).pipe(
                Effect.provideContext(context),
                Effect.orDie,
              );
            const forbid = set(`revoke execute on function ${append?.signature} from`);
            const allow = set(`grant execute on function ${append?.signature} to`);
            let ran = false;
            const error = yield* Effect.flip(
              TracedRun.run(
                { ...inline, run_id },
                Effect.gen(function* () {
                  // The outer step ends after the inner one was lost, when the store would take steps again.
                  yield* Effect.ignore(
                    TracedRun.step(
                      { skill_id: "outer" },
                      Effect.andThen(
                        Effect.ignore(TracedRun.step({ skill_id: "lost" }, forbid)),
                        allow,
                      ),
                    ),
                  );
                  yield* Effect.ignore(
                    TracedRun.step(
                      { skill_id: "after" },
                      Effect.sync(() => (ran = true)),
                    ),
                  );
                }).pipe(Effect.uninterruptible),
              ),
            );
            assert.strictEqual(error._tag, "NotAuthorised");
            assert.isFalse(ran);
            const { status, steps } = yield* show(run_id);
            assert.deepStrictEqual([status, steps.length], ["aborted", 0]);
          }),
      );

      for (const [what, input, where] of [
        ["an empty tenant", { tenant_id: "" }, "run.tenant_id"],
        ["a lease of no time", { tenant_id, lease_ms: 0 }, "lease_ms"],
      ] as const) {
        it.effect(`is refused for ${what}, and not run`, () =>
          Effect.gen(function* () {
            let ran = false;
            const error = yield* Effect.flip(
              TracedRun.run(
                input,
                Effect.sync(() => (ran = true)),
              ),
            );
            assert.deepInclude(error, { _tag: "InvalidInput", where });
            assert.isFalse(ran);
          }),
        );
      }
    },
  );
}
