/**
 * Goal: a run that is told to end while the database works is recorded as far as it came, and sealed. Method: the
 * database is made to wait at each stage by locks that its owner holds, and the run is interrupted while it waits.
 */
import { setImmediate } from "node:timers/promises";
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { LedgerBridge, noKeyConfigured } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import * as Sequencer from "@runproof/spine-coordinators/ledger/Sequencer";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunCoordinator, type StepEvent } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner as asLogin } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";
import * as TestClock from "effect/testing/TestClock";
import { inject } from "vitest";
import { act, actSkill, success } from "./Act.ts";
import { asOwner, gate, rows, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { runproof, serverConfig } from "./TestDatabase.ts";

const step = (attempt: Parameters<typeof act>[0]) => ({ skill: "act", params: act(attempt) });

const execute = (
  run_id: string,
  steps: ReadonlyArray<object>,
  onStep?: (event: StepEvent) => Effect.Effect<void>,
  lease_ms?: number,
) =>
  Effect.flatMap(RunCoordinator, (runs) =>
    runs.execute({ plan: { steps }, tenant_id, run_id, onStep, lease_ms }),
  );

/** Holds what a statement locks until it is let go. */
const hold = Effect.fnUntraced(function* (statement: string) {
  const run = asLogin(yield* Database);
  const name = yield* databaseName;
  const { began, release, pass } = yield* gate;
  const holder = yield* Effect.forkChild(
    run(Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.andThen(sql.unsafe(statement), pass))),
  );
  yield* began;
  return { name, release: Effect.andThen(release, Fiber.join(holder)) };
});

const server = (...statements: ReadonlyArray<string>) =>
  Effect.promise(() => queryDatabase(inject("postgresUrl"), ...statements));

const databaseName = Effect.map(
  rows<{ name: string }>("select current_database() as name"),
  ([row]) => row!.name,
);

/** Waits until a statement waits for a lock. It looks from outside: the application's connections may be blocked. */
const blockedIn = Effect.fnUntraced(function* (name: string) {
  const query = `select 1 from pg_stat_activity where datname = '${name}' and wait_event_type = 'Lock'`;
  while ((yield* server(query)).length === 0);
});

/** Lets time pass for what waits by the clock, second by second: each wait may lead to the next. */
const passTime = Effect.fnUntraced(function* (duration_ms: number) {
  for (let passed_ms = 0; passed_ms < duration_ms; passed_ms += 1_000) {
    yield* TestClock.adjust("1 second");
    yield* Effect.promise(() => setImmediate());
  }
});

const lockLease = (run_id: string) =>
  hold(
    `select 1 from aos_trace_leases where trace_id = (select trace_id from aos_traces where run_id = '${run_id}') for update`,
  );

/** Interrupts a run while the database keeps it waiting, then lets it go on. */
const interruptWhileBlocked = Effect.fnUntraced(function* <A, E, R>(
  run: Fiber.Fiber<A, E>,
  held: { readonly name: string; readonly release: Effect.Effect<unknown, unknown, R> },
) {
  yield* blockedIn(held.name);
  const interrupting = yield* Effect.forkChild(Fiber.interrupt(run));
  yield* Effect.promise(() => setImmediate());
  yield* held.release;
  yield* Fiber.join(interrupting);
});

layer(runproof(serverConfig, [actSkill]), { excludeTestServices: true, timeout: 60_000 })(
  "an interruption on a real server",
  (it) => {
    it.effect("while the trace starts: it is aborted, with no step", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const held = yield* hold("lock table aos_traces in share row exclusive mode");
        let ran = false;
        const attempt = Effect.sync(() => success((ran = true)));
        const run = yield* Effect.forkChild(execute(run_id, [step(attempt)]));
        yield* interruptWhileBlocked(run, held);
        const { status, steps, seal } = yield* show(run_id);
        assert.deepStrictEqual([status, steps.length, ran], ["aborted", 0, false]);
        assert.strictEqual(seal?.["reason"], "the run was interrupted");
      }),
    );

    it.effect("while a step is recorded: the step is kept, the next does not begin", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, release: finish, pass } = yield* gate;
        let after = 0;
        const run = yield* Effect.forkChild(
          execute(run_id, [
            step(Effect.as(pass, success("done"))),
            step(Effect.sync(() => success(++after))),
          ]),
        );
        yield* began;
        const held = yield* lockLease(run_id);
        yield* finish;
        yield* interruptWhileBlocked(run, held);
        const { status, steps } = yield* show(run_id);
        assert.deepStrictEqual([status, steps.length, after], ["aborted", 1, 0]);
        assert.deepStrictEqual(steps[0]?.payloads.outcome_data, {
          state: "present",
          value: "done",
        });
        assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
      }),
    );

    it.effect("while the trace is sealed: it stays as it ended", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, release: finish, pass } = yield* gate;
        const onStep = (event: StepEvent) => (event.event === "recorded" ? pass : Effect.void);
        const run = yield* Effect.forkChild(
          execute(run_id, [step(Effect.succeed(success()))], onStep),
        );
        yield* began;
        const held = yield* lockLease(run_id);
        yield* finish;
        yield* interruptWhileBlocked(run, held);
        const { status, steps } = yield* show(run_id);
        assert.deepStrictEqual([status, steps.length], ["completed", 1]);
        assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
      }),
    );

    it.effect("while a traced program's step is recorded: the step is kept", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const { began, release: finish, pass } = yield* gate;
        const run = yield* Effect.forkChild(
          TracedRun.run(
            { tenant_id, capture: "inline", run_id },
            TracedRun.step({ skill_id: "wait" }, pass),
          ),
        );
        yield* began;
        const held = yield* lockLease(run_id);
        yield* finish;
        yield* interruptWhileBlocked(run, held);
        const { status, steps } = yield* show(run_id);
        assert.deepStrictEqual([status, steps[0]?.record["status"]], ["aborted", "success"]);
      }),
    );
  },
);

layer(runproof(serverConfig, [actSkill]), { excludeTestServices: true, timeout: 60_000 })(
  "a database that lies or goes away",
  (it) => {
    /** Makes one of the database's functions answer otherwise, until the effect ends. */
    const lying = <A, E, R>(
      name: string,
      lie: (definition: string) => string,
      effect: (tell: Effect.Effect<void>) => Effect.Effect<A, E, R>,
    ) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Database>();
        const [found] = yield* rows<{ definition: string }>(
          `select pg_get_functiondef('${name}'::regproc) as definition`,
        );
        const { definition } = found!;
        const tell = asOwner(lie(definition)).pipe(Effect.provideContext(context), Effect.orDie);
        return yield* effect(tell).pipe(Effect.ensuring(Effect.orDie(asOwner(definition))));
      });

    const otherLink = (definition: string) => definition.replace("'\\x02'", "'\\x03'");

    it.effect("a first link that is not the trace's stops the run before its first step", () =>
      Effect.gen(function* () {
        const run_id = runId();
        let ran = false;
        const attempt = Effect.sync(() => success((ran = true)));
        const error = yield* lying("runproof_link", otherLink, (tell) =>
          Effect.andThen(tell, Effect.flip(execute(run_id, [step(attempt)]))),
        );
        assert.strictEqual(error._tag, "ChainMismatch");
        assert.isFalse(ran);
        assert.strictEqual((yield* show(run_id)).status, "aborted");
        assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "FAILED");
      }),
    );

    it.effect("a link that does not follow from what was sent stops the run at that step", () =>
      Effect.gen(function* () {
        const run_id = runId();
        let after = 0;
        const error = yield* lying("runproof_link", otherLink, (tell) =>
          Effect.flip(
            execute(run_id, [
              step(Effect.succeed(success())),
              step(Effect.as(tell, success())),
              step(Effect.sync(() => success(++after))),
            ]),
          ),
        );
        assert.strictEqual(error._tag, "ChainMismatch");
        assert.include(error.message, "the link of step 1");
        assert.strictEqual(after, 0);
        assert.strictEqual((yield* show(run_id)).status, "aborted");
        assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "FAILED");
      }),
    );

    for (const [what, name, lie] of [
      ["root_hash", "runproof_link", otherLink],
      [
        "merkle_root",
        "runproof_peaks_root",
        (definition: string) =>
          definition.replace("return encode(root, 'hex')", "return repeat('0', 64)"),
      ],
    ] as const) {
      it.effect(`a seal with another ${what} is an error, and no outcome`, () =>
        Effect.gen(function* () {
          const run_id = runId();
          const error = yield* lying(name, lie, (tell) =>
            Effect.flip(
              execute(run_id, [step(Effect.succeed(success()))], (event) =>
                event.event === "recorded" ? tell : Effect.void,
              ),
            ),
          );
          assert.strictEqual(error._tag, "ChainMismatch");
          assert.include(error.message, what);
        }),
      );
    }

    it.effect("a start that is not answered in time leaves no trace open, and runs nothing", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const held = yield* hold("lock table aos_traces in share row exclusive mode");
        let ran = false;
        const attempt = Effect.sync(() => success((ran = true)));
        const lease_ms = 300;
        const run = yield* Effect.forkChild(
          Effect.flip(execute(run_id, [step(attempt)], undefined, lease_ms)),
        );
        // Until the time limit of the start is over: it can't be seen from outside.
        yield* Effect.sleep(2 * lease_ms);
        yield* held.release;
        const error = yield* Fiber.join(run);
        assert.strictEqual(error._tag, "DatabaseUnreachable");
        assert.include(error.message, "no answer within 300 ms");
        const open = yield* rows(
          `select 1 from aos_traces where run_id = '${run_id}' and status = 'running'`,
        );
        assert.lengthOf(open, 0);
        assert.isFalse(ran);
      }),
    );

    it.effect(
      "a record that is not answered in time aborts the run, whether it was kept or not",
      () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { began, release: finish, pass } = yield* gate;
          let after = 0;
          const lease_ms = 600;
          const steps = [
            step(Effect.as(pass, success())),
            step(Effect.sync(() => success(++after))),
          ];
          const run = yield* Effect.forkChild(execute(run_id, steps, undefined, lease_ms));
          yield* began;
          const held = yield* lockLease(run_id);
          yield* finish;
          // Until the time limit of the record is over: it can't be seen from outside.
          yield* Effect.sleep(2 * lease_ms);
          yield* held.release;
          const { status, reason } = yield* Fiber.join(run);
          assert.deepStrictEqual([status, after], ["aborted", 0]);
          assert.include(reason, "the run could not be recorded");
          assert.strictEqual((yield* show(run_id)).status, "aborted");
          assert.notStrictEqual((yield* verdict(run_id)).integrity.verification_status, "FAILED");
        }),
    );

    it.effect(
      "a database that never answers again does not keep a run from ending when it is told to",
      () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { began, release: finish, pass } = yield* gate;
          const lease_ms = 600_000;
          const run = yield* Effect.forkChild(
            execute(run_id, [step(Effect.as(pass, success()))], undefined, lease_ms),
          );
          yield* began;
          const held = yield* lockLease(run_id);
          yield* finish;
          yield* blockedIn(held.name);
          // It ends while the lock is still held: what can't be written now is the lease's to end.
          const ending = yield* Effect.forkChild(Fiber.interrupt(run));
          yield* passTime(lease_ms / 10);
          yield* Fiber.join(ending);
          yield* held.release;
          yield* asOwner("update aos_trace_leases set expires_at = clock_timestamp()");
          const { sweep } = yield* LogsBridge;
          while ((yield* show(run_id)).status === "running") yield* sweep();
          assert.strictEqual((yield* show(run_id)).status, "aborted");
          assert.notStrictEqual((yield* verdict(run_id)).integrity.verification_status, "FAILED");
        }).pipe(Effect.provide(TestClock.layer())),
    );

    it.effect("a server that comes back while the lease holds keeps no run from going on", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const name = yield* databaseName;
        const goAway = server(
          `alter database ${name} with allow_connections false`,
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
        );
        const comeBack = server(`alter database ${name} with allow_connections true`);
        const restart = Effect.andThen(
          goAway,
          Effect.forkDetach(Effect.delay(comeBack, "300 millis")),
        );
        const outcome = yield* execute(run_id, [
          step(Effect.succeed(success())),
          step(Effect.as(restart, success("kept"))),
          step(Effect.succeed(success())),
        ]);
        assert.deepStrictEqual([outcome.status, outcome.step_count], ["completed", 3]);
        assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
      }),
    );

    it.effect("a server that goes away fails the run, and its lease ends the trace later", () =>
      Effect.gen(function* () {
        const run_id = runId();
        const name = yield* databaseName;
        const goAway = server(
          `alter database ${name} with allow_connections false`,
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
        );
        const comeBack = server(`alter database ${name} with allow_connections true`);
        const exit = yield* Effect.exit(
          execute(
            run_id,
            [step(Effect.succeed(success())), step(Effect.as(goAway, success("lost")))],
            undefined,
            1_000,
          ),
        ).pipe(Effect.ensuring(comeBack));
        assert.isTrue(Exit.isFailure(exit));
        assert.strictEqual((yield* show(run_id)).status, "running");
        yield* asOwner(
          `update aos_trace_leases set expires_at = clock_timestamp() where trace_id = (select trace_id from aos_traces where run_id = '${run_id}')`,
        );
        const { sweep } = yield* LogsBridge;
        yield* sweep();
        const { status, steps } = yield* show(run_id);
        assert.deepStrictEqual([status, steps.length], ["aborted", 1]);
      }),
    );
  },
);

// Without the sequencer that belongs to the coordinators: it would be the one that waits.
layer(Layer.unwrap(Effect.map(serverConfig, Database.layer)), {
  excludeTestServices: true,
  timeout: 60_000,
})("a database that never answers again", (it) => {
  it.effect("does not keep a sequencer from ending", () =>
    Effect.gen(function* () {
      const held = yield* hold("lock table aos_log_queue in access exclusive mode");
      const sequencer = Sequencer.layer.pipe(Layer.provide(LedgerBridge.layer(noKeyConfigured())));
      const ended = yield* Effect.forkChild(Effect.scoped(Layer.build(sequencer)));
      yield* blockedIn(held.name);
      yield* passTime(2 * Sequencer.LAST_NUMBERING_MS);
      yield* Fiber.join(ended);
      yield* held.release;
    }).pipe(Effect.provide(TestClock.layer())),
  );
});
