/**
 * Recorders that are killed with SIGKILL at each stage of a run, and servers that crash. Whatever was acknowledged is there;
 * once the lease is over, another process makes the trace ABORTED; nothing is COMPLETE that was not sealed as it stands.
 */
import process from "node:process";
import { describe, expect, it as test } from "@effect/vitest";
import { queryDatabase, startPostgresServer } from "@runproof/tooling/PostgresServer";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Schedule from "effect/Schedule";
import { SqlClient } from "effect/sql/SqlClient";
import { embeddedFolder, literal, migratedDatabase, untilRow, untilWaiting } from "./Databases.ts";
import { insertLease } from "./ByHand.ts";
import {
  freshIdentity,
  HOLDER,
  type Identity,
  openRun,
  read,
  record,
  runStatus,
  sealedRun,
  verdictOf,
  verify,
} from "./Evidence.ts";
import { child, type Child } from "./Process.ts";
import type { RecorderTask } from "./Recorder.ts";
import { serverConfig, storesOn, traces } from "./Stores.ts";

const LONG = process.env["RUNPROOF_LONG"] === "1";

/** Longer than any test: it ends where a test says so. */
const LEASE_MS = 600_000;

/** Over before a process that was killed is missed. */
const SHORT_LEASE_MS = 500;

const recorder = (task: RecorderTask) => child("Recorder.ts", [JSON.stringify(task)]);

/** The links that a recorder was told, in the order of its steps. */
const acknowledgedBy = ({ lines }: Child): ReadonlyArray<string> =>
  lines.filter((line) => line.startsWith("ack ")).map((line) => line.split(" ")[3]!);

const leaseOf = ({ trace_id }: Identity) =>
  `select from aos_trace_leases where trace_id = ${literal(trace_id)}`;

/** Ends a lease as its time would; one that is gone is none to end. */
const endLease = ({ trace_id }: Identity) =>
  Effect.flatMap(traces, (store) => store.renewLeases([{ trace_id, holder: HOLDER, lease_ms: 0 }]));

/** Sweeps as another process does, and reads what is left. */
const afterSweep = (run: Identity) =>
  Effect.gen(function* () {
    const store = yield* traces;
    const aborted = yield* store.abortExpired();
    return { aborted, status: yield* runStatus(run), stored: yield* read(run) };
  });

describe("a recorder that is killed", () => {
  const stages = ["start", "step 0", "step 1", "step 2", "seal", "end"];

  for (const stage of stages)
    test.live(`before ${stage}: nothing acknowledged is missing, and nothing is left running`, () =>
      Effect.gen(function* () {
        const { url } = yield* migratedDatabase;
        const stores = storesOn(serverConfig(url));
        const run = freshIdentity();
        const dead = yield* recorder({
          kind: "stages",
          url,
          identity: run,
          lease_ms: LEASE_MS,
          stop_before: stage,
        });
        yield* dead.line(/^stopped/u);
        yield* dead.kill;
        const acknowledged = acknowledgedBy(dead);
        if (stage === "start") {
          // It began nothing, and its id is free.
          const before = Effect.gen(function* () {
            return [yield* runStatus(run), (yield* Effect.flip(read(run)))._tag];
          });
          expect(yield* Effect.provide(before, stores)).toEqual([null, "RunNotFound"]);
          return;
        }
        // Until its lease is over it may be alive, and nobody takes its run from it.
        if (stage !== "end") {
          const early = yield* Effect.provide(afterSweep(run), stores);
          expect(early).toMatchObject({ aborted: [], status: "running" });
        }
        yield* Effect.provide(endLease(run), stores);
        const { aborted, status, stored } = yield* Effect.provide(afterSweep(run), stores);
        expect(stored.steps.map((step) => step.link)).toEqual(acknowledged);
        const verdict = verdictOf(stored);
        expect(verdict.findings).toEqual([]);
        if (stage === "end") {
          expect([aborted, status]).toEqual([[], "succeeded"]);
          expect(verdict).toMatchObject({ verification_status: "VERIFIED", lifecycle: "COMPLETE" });
          expect(dead.lines).toContain(`sealed ${run.trace_id} 3 ${verdict.root_hash}`);
        } else {
          expect(aborted).toMatchObject([{ ...run, step_count: acknowledged.length }]);
          expect(status).toBe("aborted");
          expect(verdict.lifecycle).toBe("ABORTED");
          expect(stored.seal!.columns["reason"]).toContain("lease ended");
        }
      }),
    );

  /**
   * Kills a recorder whose statement for a stage waits in the server: another session holds what it needs, and lets it go,
   * within the lease or when that is over. The server goes on with the statement of a client that is gone.
   */
  const killedInFlight = (stage: string, letGo: "early" | "late") =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const stores = storesOn(serverConfig(url));
      const run = freshIdentity();
      const dead = yield* recorder({
        kind: "stages",
        url,
        identity: run,
        lease_ms: LEASE_MS,
        stop_before: stage,
      });
      yield* dead.line(/^stopped/u);
      if (letGo === "late") yield* Effect.provide(endLease(run), stores);
      const [held, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()];
      const hold = stage === "start" ? insertLease(run.trace_id) : `${leaseOf(run)} for update`;
      const holder = Effect.flatMap(Database, (database) =>
        asOwner(database)(
          Effect.gen(function* () {
            yield* Effect.flatMap(SqlClient, (sql) => sql.unsafe(hold));
            yield* Deferred.succeed(held, undefined);
            yield* Deferred.await(released);
            return yield* Effect.fail("let go" as const);
          }),
        ),
      );
      const holding = yield* Effect.forkChild(Effect.flip(Effect.provide(holder, stores)));
      yield* Deferred.await(held);
      dead.process.stdin!.write("go\n");
      yield* untilWaiting(url, 1);
      yield* dead.kill;
      yield* Deferred.succeed(released, undefined);
      expect(yield* Fiber.join(holding)).toBe("let go");
      yield* untilRow(
        url,
        `select where not exists (select from pg_stat_activity
           where datname = current_database() and state = 'active' and pid <> pg_backend_pid())`,
      );
      yield* Effect.provide(endLease(run), stores);
      const { aborted, status, stored } = yield* Effect.provide(afterSweep(run), stores);
      const { lifecycle, findings } = verdictOf(stored);
      expect(findings).toEqual([]);
      expect(stored.steps.map((step) => step.link).slice(0, acknowledgedBy(dead).length)).toEqual(
        acknowledgedBy(dead),
      );
      const unacknowledged = stored.steps.length - acknowledgedBy(dead).length;
      return { lifecycle, status, aborted: aborted.length, unacknowledged };
    });

  const inFlight = [
    // It began, and nobody knew; so it is swept.
    ["start", "early", { lifecycle: "ABORTED", status: "aborted", aborted: 1, unacknowledged: 0 }],
    // The step is there, and counted, though nobody was told.
    ["step 1", "early", { lifecycle: "ABORTED", status: "aborted", aborted: 1, unacknowledged: 1 }],
    // Sealed within its lease, as a whole: the record says what its process meant to say.
    [
      "seal",
      "early",
      { lifecycle: "COMPLETE", status: "succeeded", aborted: 0, unacknowledged: 0 },
    ],
    // Too late: whoever may be dead completes nothing.
    ["seal", "late", { lifecycle: "ABORTED", status: "aborted", aborted: 1, unacknowledged: 0 }],
  ] as const;
  for (const [stage, letGo, outcome] of inFlight)
    test.live(`while its ${stage} waits in the server, ${letGo}: ${outcome.lifecycle}`, () =>
      Effect.map(killedInFlight(stage, letGo), (found) => expect(found).toEqual(outcome)),
    );

  test.live("is swept once its lease is over by the database's clock, and not before", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const run = freshIdentity();
      const dead = yield* recorder({
        kind: "stages",
        url,
        identity: run,
        lease_ms: SHORT_LEASE_MS,
        stop_before: "step 0",
      });
      yield* dead.line(/^stopped/u);
      yield* dead.kill;
      yield* untilRow(url, `${leaseOf(run)} and expires_at <= clock_timestamp()`);
      const { aborted, stored } = yield* Effect.provide(
        afterSweep(run),
        storesOn(serverConfig(url)),
      );
      expect(aborted).toHaveLength(1);
      expect(stored.trace.status).toBe("aborted");
    }),
  );

  test.live("on the embedded database: its lock goes with it, and its steps stay", () =>
    Effect.gen(function* () {
      for (const stage of ["step 2", "end"]) {
        const home = yield* embeddedFolder;
        const run = freshIdentity();
        const dead = yield* recorder({
          kind: "stages",
          home,
          identity: run,
          lease_ms: LEASE_MS,
          stop_before: stage,
        });
        yield* dead.line(/^stopped/u);
        yield* dead.kill;
        const after = Effect.gen(function* () {
          expect((yield* afterSweep(run)).aborted).toEqual([]);
          yield* endLease(run);
          return yield* afterSweep(run);
        });
        const { stored, aborted } = yield* Effect.provide(
          after,
          storesOn({ kind: "embedded", home }),
        );
        expect(stored.steps.map((step) => step.link)).toEqual(acknowledgedBy(dead));
        expect(aborted).toHaveLength(stage === "end" ? 0 : 1);
        const lifecycle = stage === "end" ? "COMPLETE" : "ABORTED";
        expect(verdictOf(stored)).toMatchObject({ lifecycle, findings: [] });
      }
    }),
  );
});

describe("a server that crashes", () => {
  test.live("keeps every acknowledged step, whatever the database's own settings are", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => startPostgresServer({ durable: true })),
        ({ stop }) => Effect.promise(stop),
      );
      const { url, name } = yield* Effect.promise(() => createDatabase(server.url));
      yield* migrateDatabase(serverConfig(url));
      yield* Effect.promise(() =>
        // With these, a commit is acknowledged before it is on the disk.
        queryDatabase(
          server.url,
          `alter database ${name} set synchronous_commit = off`,
          "alter role postgres set synchronous_commit = off",
          "alter system set wal_writer_delay = '10s'",
          "select pg_reload_conf()",
        ),
      );
      const rounds = LONG ? 20 : 2;
      const stores = storesOn(serverConfig(url));
      const program = Effect.gen(function* () {
        for (let round = 0; round < rounds; round += 1) {
          const runs = yield* Effect.all(Array.from({ length: 4 }, () => openRun(0)));
          const acknowledged = new Map(runs.map(({ trace_id }) => [trace_id, [] as Array<string>]));
          const writing = yield* Deferred.make<void>();
          const writers = runs.map(({ trace_id }) =>
            Effect.forever(
              Effect.gen(function* () {
                const { link } = yield* record(trace_id);
                const links = acknowledged.get(trace_id)!;
                links.push(link);
                if (links.length === 5) yield* Deferred.succeed(writing, undefined);
              }),
            ).pipe(Effect.flip),
          );
          const ended = yield* Effect.forkChild(Effect.all(writers, { concurrency: "unbounded" }));
          yield* Deferred.await(writing);
          yield* crash(server.url);
          // What they were told when the server went.
          for (const error of yield* Fiber.join(ended))
            expect(error._tag).toBe("DatabaseUnreachable");
          yield* untilUp(url);
          for (const run of runs) {
            const stored = yield* Effect.retry(read(run), untilReconnected);
            const links = stored.steps.map((step) => step.link);
            expect(links.slice(0, acknowledged.get(run.trace_id)!.length)).toEqual(
              acknowledged.get(run.trace_id),
            );
            expect(verdictOf(stored).findings).toEqual([]);
          }
        }
        return yield* Effect.retry(Effect.flatMap(sealedRun(1), verify), untilReconnected);
      });
      expect((yield* Effect.provide(program, stores)).verification_status).toBe("VERIFIED");
    }),
  );
});

const untilReconnected = { schedule: Schedule.spaced("10 millis"), times: 500 } as const;

/** Kills one of a server's processes: it then drops every session and what was only in its memory, and recovers. */
const crash = (url: string) =>
  Effect.promise(async () => {
    const [row] = await queryDatabase(
      url,
      "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1",
    );
    process.kill(Number(row!["pid"]), "SIGKILL");
  });

/** Waits until a server answers. */
const untilUp = (url: string) =>
  Effect.tryPromise(() => queryDatabase(url, "select 1")).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 3000 }),
    Effect.orDie,
  );
