/**
 * Many writers: no fork, no gap, no false alarm; and a step that races the seal is inside the count or refused. On the real
 * server, with processes of their own, and gates that decide who comes first where the order matters.
 */
import { randomUUID } from "node:crypto";
import { describe, expect, it as test } from "@effect/vitest";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { SqlClient } from "effect/sql/SqlClient";
import { Database } from "@runproof/drivers/Database";
import { bareStep, insertStep, moveHead } from "./ByHand.ts";
import { migratedDatabase, refusalOf, untilWaiting } from "./Databases.ts";
import {
  freshIdentity,
  HOLDER,
  type Identity,
  LEASE_MS,
  numberedStep,
  openRun,
  read,
  record,
  recordAt,
  seal,
  sealInput,
  start,
  verdictOf,
  verify,
} from "./Evidence.ts";
import { child, type Child } from "./Process.ts";
import type { RecorderTask } from "./Recorder.ts";
import { serverConfig, storesOn, traces } from "./Stores.ts";

const LONG = process.env["RUNPROOF_LONG"] === "1";

/** An acknowledged step, as its writer said. */
interface Acknowledged {
  readonly trace_id: string;
  readonly index: number;
  readonly link: string;
}

const acknowledgedBy = ({ lines }: Child): ReadonlyArray<Acknowledged> =>
  lines.flatMap((line) => {
    const [word, trace_id, index, link] = line.split(" ");
    return word === "ack" ? [{ trace_id: trace_id!, index: Number(index), link: link! }] : [];
  });

const recorder = (task: RecorderTask) => child("Recorder.ts", [JSON.stringify(task)]);

const ended = ({ process: running }: Child) =>
  Effect.callback<number | null>((resume) => {
    if (running.exitCode !== null) resume(Effect.succeed(running.exitCode));
    else running.once("close", (code) => resume(Effect.succeed(code)));
  });

/** Each acknowledged step is where its writer was told, and the indexes have no gap. */
const expectAll = (
  acknowledged: ReadonlyArray<Acknowledged>,
  stored: { steps: ReadonlyArray<{ columns: Readonly<Record<string, unknown>>; link: string }> },
) => {
  expect(stored.steps.map((step) => step.columns["step_index"])).toEqual(
    stored.steps.map((_, index) => index),
  );
  for (const { index, link } of acknowledged) expect(stored.steps[index]?.link).toBe(link);
  expect(new Set(acknowledged.map(({ index }) => index)).size).toBe(acknowledged.length);
};

describe("processes", () => {
  const processes = LONG ? 16 : 4;

  test.live("that record runs at the same time: each run verifies, and the log has each once", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const runs = LONG ? 50 : 4;
      const tenant_id = `tenant-${randomUUID()}`;
      const recorders = yield* Effect.all(
        Array.from({ length: processes }, () =>
          recorder({ kind: "runs", url, tenant_id, runs, steps: 5 }),
        ),
      );
      // While they write, two others number the log, and a third sweeps.
      const stores = storesOn(serverConfig(url));
      const meanwhile = Effect.gen(function* () {
        const { sql } = yield* Database;
        const store = yield* traces;
        const number = Effect.forever(
          Effect.andThen(sql`select runproof_sequence_log(5000)`, Effect.yieldNow),
        );
        const sweep = Effect.forever(Effect.andThen(store.abortExpired(), Effect.yieldNow));
        return yield* Effect.raceFirst(
          Effect.all([number, number, sweep], { concurrency: "unbounded" }),
          Effect.all(recorders.map(ended), { concurrency: "unbounded" }),
        );
      });
      yield* Effect.provide(meanwhile, stores);
      const acknowledged = recorders.flatMap(acknowledgedBy);
      expect(acknowledged).toHaveLength(processes * runs * 5);
      const program = Effect.gen(function* () {
        const store = yield* traces;
        const { sql } = yield* Database;
        const page = yield* store.search({ tenant_id, limit: 500 });
        expect(page.traces).toHaveLength(Math.min(500, processes * runs));
        for (const trace of page.traces) {
          const stored = yield* read(trace);
          expectAll(
            acknowledged.filter((each) => each.trace_id === trace.trace_id),
            stored,
          );
          expect(verdictOf(stored)).toMatchObject({
            verification_status: "VERIFIED",
            lifecycle: "COMPLETE",
            chain_length: 5,
            findings: [],
          });
        }
        yield* sql`select runproof_sequence_log(5000)`;
        const [log] = yield* sql`
          select count(*)::int as entries, max(log_index)::int + 1 as size, count(distinct digest)::int as digests,
                 (select count(*)::int from aos_log_queue) as queued
          from aos_log_entries`;
        const entries = processes * runs * 2;
        expect(log).toEqual({ entries, size: entries, digests: entries, queued: 0 });
        const wrong = yield* sql`
          select t.trace_id from aos_traces t left join aos_log_entries e on e.trace_id = t.trace_id
          group by t.trace_id, t.link, t.root_hash
          having array_agg(e.digest order by e.kind) <> array[t.link, t.root_hash]`;
        expect(wrong).toEqual([]);
      });
      yield* Effect.provide(program, stores);
    }),
  );

  test.live("that write one trace: no fork, no gap, and nobody's step after the seal", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const stores = storesOn(serverConfig(url));
      const run = yield* Effect.provide(openRun(0), stores);
      // 16 writers; the seal comes when some have written, and some will be refused.
      const writers = yield* Effect.all(
        Array.from({ length: processes }, () =>
          recorder({
            kind: "append",
            url,
            trace_id: run.trace_id,
            writers: 16 / processes,
            steps: 100_000,
          }),
        ),
      );
      yield* Effect.all(
        writers.map(({ line }) => line(/^ack /u)),
        { concurrency: "unbounded" },
      );
      const sealed = yield* Effect.provide(seal(run.trace_id), stores);
      expect(yield* Effect.all(writers.map(ended))).toEqual(writers.map(() => 0));
      const acknowledged = writers.flatMap(acknowledgedBy);
      for (const { lines } of writers)
        expect(lines.filter((line) => line.startsWith("refused"))).toHaveLength(16 / processes);
      const stored = yield* Effect.provide(read(run), stores);
      expectAll(acknowledged, stored);
      // What was stored was acknowledged, and the other way round: nobody died here.
      expect(acknowledged).toHaveLength(sealed.step_count);
      expect(verdictOf(stored)).toMatchObject({
        verification_status: "VERIFIED",
        chain_length: sealed.step_count,
        findings: [],
      });
    }),
  );
});

describe("a race at one trace", () => {
  /** Holds the trace's lease, as a writer does, until it is let go; `body` runs meanwhile. */
  const whileHeld = <A, E, R>(
    { trace_id }: Identity,
    body: (letGo: Effect.Effect<void>) => Effect.Effect<A, E, R>,
    table = "aos_trace_leases",
  ) =>
    Effect.gen(function* () {
      const [held, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()];
      const holder = Effect.flatMap(Database, (database) =>
        asOwner(database)(
          Effect.gen(function* () {
            const sql = yield* SqlClient;
            yield* sql`select from ${sql(table)} where trace_id = ${trace_id} for update`;
            yield* Deferred.succeed(held, undefined);
            yield* Deferred.await(released);
          }),
        ),
      );
      const holding = yield* Effect.forkChild(holder);
      yield* Deferred.await(held);
      const result = yield* body(Deferred.succeed(released, undefined));
      yield* Fiber.join(holding);
      return result;
    });

  /** Two operations that wait for one trace, the first before the second; both answers, once they may go on. */
  const inOrder = <A, E1, B, E2, R1, R2>(
    url: string,
    run: Identity,
    first: Effect.Effect<A, E1, R1>,
    second: Effect.Effect<B, E2, R2>,
  ) =>
    whileHeld(run, (letGo) =>
      Effect.gen(function* () {
        const one = yield* Effect.forkChild(Effect.result(first));
        yield* untilWaiting(url, 1);
        const two = yield* Effect.forkChild(Effect.result(second));
        yield* untilWaiting(url, 2);
        yield* letGo;
        return [yield* Fiber.join(one), yield* Fiber.join(two)] as const;
      }),
    );

  /** Opens a database twice, as two processes would: their connections know nothing of each other. */
  const twice = <A, E, R>(
    body: (url: string, other: ReturnType<typeof storesOn>) => Effect.Effect<A, E, R>,
  ) =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      return yield* Effect.provide(
        body(url, storesOn(serverConfig(url))),
        storesOn(serverConfig(url)),
      );
    });

  test.live("a step that comes before the seal is inside its count", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(1);
        const [step, sealed] = yield* inOrder(
          url,
          run,
          record(run.trace_id),
          Effect.provide(seal(run.trace_id), other),
        );
        expect(step).toMatchObject({ success: { next_index: 2 } });
        expect(sealed).toMatchObject({ success: { step_count: 2 } });
        expect(yield* verify(run)).toMatchObject({
          verification_status: "VERIFIED",
          chain_length: 2,
        });
      }),
    ),
  );

  test.live("a step that comes after the seal is refused", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(1);
        const [sealed, step] = yield* inOrder(
          url,
          run,
          Effect.provide(seal(run.trace_id), other),
          record(run.trace_id),
        );
        expect(sealed).toMatchObject({ success: { step_count: 1 } });
        expect(step).toMatchObject({ failure: { _tag: "TraceSealed", status: "completed" } });
        expect(yield* verify(run)).toMatchObject({
          verification_status: "VERIFIED",
          chain_length: 1,
        });
      }),
    ),
  );

  test.live("a step put in by hand waits like any other, and is refused after the seal", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(0);
        const { link: previous } = (yield* read(run)).trace;
        const step = { record: bareStep(run.trace_id), previous };
        const inserting = Effect.flatMap(Database, (database) =>
          asOwner(database)(
            Effect.flatMap(SqlClient, (sql) =>
              Effect.andThen(
                sql.unsafe(moveHead(step, run.trace_id)),
                sql.unsafe(insertStep(step)),
              ),
            ),
          ),
        );
        const [sealed, refused] = yield* inOrder(
          url,
          run,
          Effect.provide(seal(run.trace_id), other),
          refusalOf(inserting),
        );
        expect(sealed).toMatchObject({ success: { step_count: 0 } });
        expect(refused).toMatchObject({ success: { code: "S6002" } });
        expect((yield* read(run)).steps).toEqual([]);
      }),
    ),
  );

  test.live("of two seals one is kept, and the other is told which", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(1);
        const [first, second] = yield* inOrder(
          url,
          run,
          seal(run.trace_id, { status: "failed" }),
          Effect.provide(seal(run.trace_id), other),
        );
        expect(first._tag).toBe("Success");
        expect(second).toMatchObject({ failure: { _tag: "TraceSealed", status: "failed" } });
        expect((yield* read(run)).trace.status).toBe("failed");
      }),
    ),
  );

  test.live("a step of a transaction that is taken back leaves no gap behind it", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(1);
        const store = yield* traces;
        const [written, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()];
        const takenBack = store.atomically(
          Effect.gen(function* () {
            yield* record(run.trace_id, { skill_name: "taken back" });
            yield* Deferred.succeed(written, undefined);
            yield* Deferred.await(goOn);
            return yield* Effect.fail("taken back" as const);
          }),
        );
        const first = yield* Effect.forkChild(Effect.exit(takenBack));
        yield* Deferred.await(written);
        const second = yield* Effect.forkChild(
          Effect.provide(record(run.trace_id, { skill_name: "kept" }), other),
        );
        yield* untilWaiting(url, 1);
        yield* Deferred.succeed(goOn, undefined);
        expect((yield* Fiber.join(first))._tag).toBe("Failure");
        expect((yield* Fiber.join(second)).next_index).toBe(2);
        yield* seal(run.trace_id);
        const stored = yield* read(run);
        expect(stored.steps.map((step) => step.columns["skill_name"])).toEqual([
          "step number 0",
          "kept",
        ]);
        expect(verdictOf(stored).verification_status).toBe("VERIFIED");
      }),
    ),
  );

  test.live(
    "a step meets a seal that is not committed yet: refused if it is, taken if it is taken back",
    () =>
      twice((url, other) =>
        Effect.gen(function* () {
          for (const isKept of [true, false]) {
            const run = yield* openRun(1);
            const store = yield* traces;
            const [sealed, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()];
            const sealing = store.atomically(
              Effect.gen(function* () {
                yield* seal(run.trace_id);
                yield* Deferred.succeed(sealed, undefined);
                yield* Deferred.await(goOn);
                if (!isKept) return yield* Effect.fail("taken back" as const);
              }),
            );
            const first = yield* Effect.forkChild(Effect.exit(sealing));
            yield* Deferred.await(sealed);
            const second = yield* Effect.forkChild(
              Effect.result(Effect.provide(record(run.trace_id), other)),
            );
            yield* untilWaiting(url, 1);
            yield* Deferred.succeed(goOn, undefined);
            yield* Fiber.join(first);
            const step = yield* Fiber.join(second);
            if (isKept) expect(step).toMatchObject({ failure: { _tag: "TraceSealed" } });
            else {
              expect(step).toMatchObject({ success: { next_index: 2 } });
              yield* seal(run.trace_id);
            }
            expect(yield* verify(run)).toMatchObject({
              verification_status: "VERIFIED",
              chain_length: isKept ? 1 : 2,
            });
          }
        }),
      ),
  );

  test.live("a lease that is over is not renewed, and its run is the sweeper's", () =>
    twice((_, other) =>
      Effect.gen(function* () {
        const store = yield* traces;
        const lost = freshIdentity();
        yield* start(lost, {}, { holder: "late", lease_ms: 0 });
        const renewal = { trace_id: lost.trace_id, holder: "late", lease_ms: LEASE_MS };
        expect(yield* store.renewLeases([renewal])).toEqual(new Set([lost.trace_id]));
        const swept = yield* Effect.provide(
          Effect.flatMap(traces, (sweeper) => sweeper.abortExpired()),
          other,
        );
        expect(swept).toMatchObject([lost]);
        const head = { trace_id: lost.trace_id, next_index: 0, link: "" };
        expect(yield* Effect.flip(recordAt(head))).toMatchObject({
          _tag: "TraceSealed",
          status: "aborted",
        });
      }),
    ),
  );

  test.live("a sweep passes by a trace that another session is at, and comes back to it", () =>
    twice((_, other) =>
      Effect.gen(function* () {
        const [held, free] = [freshIdentity(), freshIdentity()];
        yield* start(held, {}, { lease_ms: 0 });
        yield* start(free, {}, { lease_ms: 0 });
        const sweep = Effect.provide(
          Effect.flatMap(traces, (sweeper) => sweeper.abortExpired()),
          other,
        );
        // It answers while the lock is held: nothing else ends its wait.
        expect(yield* whileHeld(held, (letGo) => Effect.tap(sweep, () => letGo))).toMatchObject([
          free,
        ]);
        expect(yield* sweep).toMatchObject([held]);
        expect(yield* verify(held)).toMatchObject({ lifecycle: "ABORTED" });
      }),
    ),
  );

  test.live("a row of a trace that is locked keeps a sweep from that trace alone", () =>
    twice((_, other) =>
      Effect.gen(function* () {
        const [held, free] = [freshIdentity(), freshIdentity()];
        yield* start(held, {}, { lease_ms: 0 });
        yield* start(free, {}, { lease_ms: 0 });
        const sweep = Effect.provide(
          Effect.flatMap(traces, (sweeper) => sweeper.abortExpired()),
          other,
        );
        const sweepFirst = (letGo: Effect.Effect<void>) => Effect.tap(sweep, () => letGo);
        const swept = yield* whileHeld(held, sweepFirst, "aos_traces");
        expect(swept).toMatchObject([free]);
        expect(yield* sweep).toMatchObject([held]);
      }),
    ),
  );

  test.live("of many starts of one run one is kept", () =>
    twice((_, other) =>
      Effect.gen(function* () {
        const identity = freshIdentity();
        const starts = Array.from({ length: 12 }, (_each, index) => {
          const begin = start({
            ...freshIdentity(),
            run_id: identity.run_id,
            tenant_id: identity.tenant_id,
          });
          return Effect.result(index % 2 === 0 ? begin : Effect.provide(begin, other));
        });
        const results = yield* Effect.all(starts, { concurrency: "unbounded" });
        expect(results.filter(({ _tag }) => _tag === "Success")).toHaveLength(1);
        for (const result of results)
          if (result._tag === "Failure") expect(result.failure._tag).toBe("RunExists");
        expect((yield* verify(identity)).lifecycle).toBe("OPEN");
      }),
    ),
  );

  test.live("a writer that must be alone is told when it was not", () =>
    twice((url, other) =>
      Effect.gen(function* () {
        const run = yield* openRun(0);
        const store = yield* traces;
        const head = yield* record(run.trace_id);
        const [intruder, owner] = yield* inOrder(
          url,
          run,
          Effect.provide(recordAt(head, { skill_name: "intruder" }), other),
          recordAt(head),
        );
        expect(intruder._tag).toBe("Success");
        expect(owner).toMatchObject({ failure: { _tag: "ChainMoved" } });
        const sealing = store.seal({
          trace_id: run.trace_id,
          holder: HOLDER,
          seal: prepareSeal(sealInput(run.trace_id)),
          expected: head,
        });
        expect((yield* Effect.flip(sealing))._tag).toBe("ChainMoved");
        expect((yield* read(run)).steps).toHaveLength(2);
      }),
    ),
  );
});

describe("any interleaving", () => {
  /** A small generator with a seed, so that a failure can be had again. */
  const random = (seed: number) => {
    let state = seed;
    return (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };

  const seeds = LONG ? Array.from({ length: 50 }, (_, seed) => seed + 1) : [1, 2];

  test.live.each(seeds)(
    "of steps, seals, aborts, renewals and sweeps gives whole chains (seed %s)",
    (seed) =>
      Effect.gen(function* () {
        const { url } = yield* migratedDatabase;
        const main = storesOn(serverConfig(url));
        const runs = yield* Effect.provide(
          Effect.all(Array.from({ length: 6 }, () => openRun(0))),
          main,
        );
        const acknowledged: Array<Acknowledged> = [];
        const sealed = new Map<string, number>();
        const actor = (actorSeed: number) => {
          const next = random(actorSeed);
          const act = Effect.gen(function* () {
            const store = yield* traces;
            const { trace_id } = runs[next(runs.length)]!;
            const choice = next(100);
            if (choice < 70) {
              const head = yield* record(trace_id, numberedStep(0));
              acknowledged.push({ trace_id, index: head.next_index - 1, link: head.link });
            } else if (choice < 90) {
              const steps = Array.from({ length: 1 + next(5) }, () => ({}));
              const head = yield* record(trace_id, ...steps);
              acknowledged.push({ trace_id, index: head.next_index - 1, link: head.link });
            } else if (choice < 93) {
              const status = next(2) === 0 ? "aborted" : "completed";
              sealed.set(trace_id, (yield* seal(trace_id, { status })).step_count);
            } else if (choice < 97)
              yield* store.renewLeases([
                { trace_id, holder: "test", lease_ms: next(2) === 0 ? LEASE_MS : 0 },
              ]);
            else
              for (const each of yield* store.abortExpired())
                sealed.set(each.trace_id, each.step_count);
          }).pipe(
            Effect.catchTag(
              ["TraceSealed", "TraceNotFound", "LeaseLost", "ChainMoved"],
              () => Effect.void,
            ),
          );
          return Effect.all(Array.from({ length: LONG ? 200 : 40 }, () => act));
        };
        yield* Effect.all(
          Array.from({ length: 16 }, (_, index) =>
            Effect.provide(
              actor(seed * 1000 + index),
              index % 4 === 0 ? storesOn(serverConfig(url)) : main,
            ),
          ),
          { concurrency: "unbounded" },
        );
        const check = Effect.forEach(runs, (run) =>
          Effect.gen(function* () {
            const stored = yield* read(run);
            const mine = acknowledged.filter(({ trace_id }) => trace_id === run.trace_id);
            expectAll(mine, stored);
            const count = sealed.get(run.trace_id);
            if (count !== undefined) expect(stored.steps).toHaveLength(count);
            expect(verdictOf(stored)).toMatchObject({ findings: [] });
            expect(stored.seal === null).toBe(count === undefined);
          }),
        );
        yield* Effect.provide(check, main);
      }),
  );
});
