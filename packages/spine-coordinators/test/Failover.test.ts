/**
 * Goal: what is acknowledged survives the loss of the server wherever a standby has to have each commit, also where the first
 * answer was lost and what is there is only said again.
 * Method: a standby that receives nothing for a while, so that a commit is there and waits for it; the session that waits is
 * ended, and the same is asked again: it must wait as well. Then the primary is lost.
 */
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { LogsBridge, type TraceSink } from "@runproof/spine-coordinators/logs/LogsBridge";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { timestampNow } from "@runproof/proof/Timestamp";
import { createDatabase, queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startOf, stepOf } from "./AuditedRuns.ts";
import { FaultyServer } from "./FaultyServer.ts";

const run = {
  trace_id: crypto.randomUUID(),
  run_id: crypto.randomUUID(),
  tenant_id: "tenant-of-failover",
};
const { trace_id } = run;
const STARTED = startOf(run);
const { holder } = STARTED;
const STEP = { trace_id, holder, step_index: 0, step: stepOf(trace_id, 0), patience_ms: 60_000 };

const ENDED = timestampNow();
const SEAL = {
  trace_id,
  holder,
  seal: prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    metadata: { tokens: 12 },
    completed_at: ENDED,
    sealed_at: ENDED,
  }),
};

const through = <A, E>(use: (sink: TraceSink) => Effect.Effect<A, E>) =>
  Effect.flatMap(LogsBridge, ({ sink }) => use(sink));

/** What a run is written by, one after the other. Each may be asked again. */
const WRITES: Record<string, Effect.Effect<unknown, { readonly _tag: string }, LogsBridge>> = {
  start: through((sink) => sink.start(STARTED)),
  append: through((sink) => sink.append(STEP)),
  seal: through((sink) => sink.seal(SEAL)),
};

it("says again that something is there only once the standby has it", async ({ skip }) => {
  const server = await FaultyServer.start(() => 0.5);
  const missing = server.missing.find((reason) => reason.startsWith("failover"));
  if (missing !== undefined) {
    await server.stop();
    return skip(missing);
  }
  const database = await createDatabase(server.url);
  const url = new URL(server.url);
  url.pathname = `/${database.name}`;
  const config = { kind: "server", url: Redacted.make(url.href) } as const;
  await Effect.runPromise(migrateDatabase(config));
  const services = LogsBridge.layer.pipe(
    Layer.provide(Database.layer(config)),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
  );

  /** Resolves with the sessions that wait for the standby, or with none once the write is answered. */
  const waiting = async (answered: () => boolean) => {
    for (;;) {
      const sessions = await server.waiting();
      if (sessions.length > 0 || answered()) return sessions;
      await sleep(10);
    }
  };
  /** Writes while the standby receives nothing, ends the session that waits for it, and asks again where that is ours to do. */
  const writeTwice = (name: string, write: (typeof WRITES)[string]) =>
    Effect.gen(function* () {
      const release = yield* Effect.promise(() => server.holdStandby());
      const exits: Array<Exit.Exit<unknown, unknown>> = [];
      const ask = (effect: typeof write) =>
        Effect.forkChild(
          Effect.tap(Effect.exit(effect), (exit) => Effect.sync(() => exits.push(exit))),
        );
      yield* ask(write);
      const [first] = yield* Effect.promise(() => waiting(() => exits.length > 0));
      expect(first, `${name} waits for the standby`).toBeDefined();
      yield* Effect.promise(() => server.endSessionOf(first!));
      // An append asks again by itself; of a start and a seal the caller is told that the answer is missing.
      if (name !== "append") {
        while (exits.length === 0) yield* Effect.sleep("5 millis");
        expect(Exit.isFailure(exits.pop()!)).toBe(true);
        yield* ask(write);
      }
      const [second] = yield* Effect.promise(() => waiting(() => exits.length > 0));
      release();
      while (exits.length === 0) yield* Effect.sleep("5 millis");
      expect(second, `${name}, asked again, waits too: ${JSON.stringify(exits)}`).toBeDefined();
      expect(Exit.isSuccess(exits[0]!), JSON.stringify(exits[0])).toBe(true);
    });
  const recorded = Effect.forEach(Object.entries(WRITES), ([name, write]) =>
    writeTwice(name, write),
  );
  await Effect.runPromise(Effect.provide(recorded, services));

  await server.failOver();
  const [sealed] = await queryDatabase(
    url.href,
    `select status, step_count from aos_traces where trace_id = '${trace_id}'`,
  );
  expect(sealed).toMatchObject({ status: "completed", step_count: 1n });
  await server.stop();
}, 120_000);
