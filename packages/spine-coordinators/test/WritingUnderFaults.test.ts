/**
 * Goal: whatever becomes of messages, sessions and the server itself, no acknowledged step is lost or there twice, no run is
 * COMPLETE whose program did not end or whose steps were not all acknowledged, every act that was begun and not recorded is
 * named, and every trace that began is sealed.
 * Method: programs that record runs through a network with faults, whose sessions are ended and whose server crashes at
 * moments drawn from a seed, with two sweepers beside them; then every run is read, proven, and compared with what its
 * program was told.
 *
 * A hundred thousand faults with RUNPROOF_LONG=1; some without.
 */
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import {
  createDatabase,
  queryDatabase,
  startPostgresServer,
} from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { FaultyNetwork } from "./FaultyNetwork.ts";

const isLong = process.env["RUNPROOF_LONG"] === "1";
const FAULTS = isLong ? 100_000 : 120;
/** Runs are compared with what was told, and forgotten, after so many. */
const RUNS_OF_A_ROUND = isLong ? 2_000 : 60;
const PROGRAMS = 12;
const STEPS_MAX = 6;
const LEASE_MS = 1_500;
/** One message in so many meets a fault. */
const ONE_IN = 12;
/** Sessions are ended that often, and one time in so many the server crashes instead. */
const ENDING_EVERY_MS = isLong ? 150 : 120;
const ENDINGS_PER_CRASH = 12;
const SEED = 20_261_127;

/** A reproducible sequence of numbers from 0 to 1 (Lehmer). */
const sequenceOf = (seed: number) => () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

const TENANT = "faults";

/** A run as its program knows it. */
interface Known {
  readonly run_id: string;
  readonly capture: "gated" | "inline";
  readonly steps: number;
  /** The acts that were done, and of those the ones whose step was acknowledged. */
  readonly acted: Set<number>;
  readonly acknowledged: Set<number>;
  exit: Exit.Exit<unknown, { readonly _tag: string }> | null;
}

/** Errors of a run whose recording met the network, the server or the sweeper. Any other is a fault of the product's. */
const MAY_MEET = ["DatabaseUnreachable", "LeaseLost", "TraceSealed", "TraceNotFound"];

const record = (known: Known) =>
  TracedRun.run(
    { tenant_id: TENANT, run_id: known.run_id, capture: known.capture, lease_ms: LEASE_MS },
    Effect.forEach(
      Array.from({ length: known.steps }, (_, act) => act),
      (act) =>
        TracedRun.step(
          { skill_id: "act", params: { act } },
          Effect.sync(() => {
            known.acted.add(act);
            return { act };
          }),
        ).pipe(Effect.tap(() => Effect.sync(() => known.acknowledged.add(act)))),
      { discard: true },
    ),
  ).pipe(
    Effect.exit,
    Effect.tap((exit) => Effect.sync(() => (known.exit = exit))),
  );

interface Row {
  readonly status: string;
  readonly act: string | null;
  readonly answered: string | null;
}

/** Reads what the database has of a run, and compares it with what its program was told. */
const compare = (known: Known) =>
  Effect.gen(function* () {
    const { sql } = yield* Database;
    const { run_id, capture } = known;
    const rows = yield* sql<Row>`
      select status, params::json ->> 'act' as act, outcome_data::json ->> 'act' as answered
      from aos_trace_steps where tenant_id = ${TENANT} and run_id = ${run_id} order by step_index`;
    const proof = yield* RunProofCoordinator.use((proofs) =>
      proofs.getRunProof({ tenant_id: TENANT, run_id }),
    );
    const outcomes = rows.flatMap(({ answered }) => (answered === null ? [] : [Number(answered)]));
    const intents = rows.flatMap((row) => (row.status === "intended" ? [Number(row.act)] : []));
    const where = `${run_id}, told ${JSON.stringify(known.exit)}`;
    expect(outcomes, `${where}: each act has one outcome at most`).toEqual([...new Set(outcomes)]);
    for (const act of known.acknowledged)
      expect(outcomes, `${where}: act ${act} was acknowledged`).toContain(act);
    for (const act of outcomes) expect(known.acted, `${where}: it was done`).toContain(act);
    if (capture === "gated")
      for (const act of known.acted)
        expect(intents, `${where}: act ${act} was begun after its intent`).toContain(act);
    const unanswered = capture === "gated" ? intents.filter((act) => !outcomes.includes(act)) : [];
    expect(
      proof.findings.map(({ code }) => code),
      where,
    ).toEqual(unanswered.map(() => "OUTCOME_UNKNOWN"));
    const { verification_status } = proof.integrity;
    if (rows.length > 0) expect(verification_status, where).toBe("VERIFIED");
    else expect(verification_status, where).toBe("UNSUPPORTED");
    if (proof.lifecycle === "COMPLETE") {
      expect([known.acknowledged.size, outcomes.length], where).toEqual([known.steps, known.steps]);
    } else if (known.exit !== null && Exit.isSuccess(known.exit)) {
      expect(proof.lifecycle, `${where}: it was told that the run is sealed`).toBe("COMPLETE");
    }
    const [run] = yield* sql<{ status: string }>`
      select status from runs where tenant_id = ${TENANT} and run_id = ${run_id}`;
    const [trace] = yield* sql<{ status: string }>`
      select status from aos_traces where tenant_id = ${TENANT} and run_id = ${run_id}`;
    expect(run === undefined, where).toBe(trace === undefined);
    expect(["succeeded", "aborted", undefined], where).toContain(run?.status);
    expect(["completed", "aborted", undefined], where).toContain(trace?.status);
    if (trace === undefined) expect(known.acknowledged.size, where).toBe(0);
    return proof.lifecycle;
  });

it(
  "loses no acknowledged step, doubles none, and leaves no run open or wrongly complete",
  { timeout: isLong ? 4 * 3_600_000 : 120_000 },
  async () => {
    const random = sequenceOf(SEED);
    const server = await startPostgresServer({ durable: true });
    const database = await createDatabase(server.url);
    const layerOn = (port: number) => {
      const url = new URL(database.url);
      url.port = String(port);
      const config = { kind: "server", url: Redacted.make(url.href) } as const;
      // That it can't be reached is known.
      const quiet = Layer.succeed(References.MinimumLogLevel, "None");
      return RunproofLayer.layer().pipe(
        Layer.provideMerge(Database.layer(config)),
        Layer.provideMerge(quiet),
      );
    };
    const straight = layerOn(server.port);
    const config = { kind: "server", url: Redacted.make(database.url) } as const;
    await Effect.runPromise(migrateDatabase(config));
    const network = await FaultyNetwork.open({ host: server.host, port: server.port }, random);
    let ended = 0;
    let crashes = 0;
    const over = new AbortController();

    /** Ends sessions, and now and then one of the server's processes, at which all of it starts anew. */
    const endSessions = async () => {
      while (!over.signal.aborted) {
        await sleep(ENDING_EVERY_MS * (0.5 + random()));
        if (network.one_in === 0) continue;
        const isCrash = random() * ENDINGS_PER_CRASH < 1;
        const victims = `from pg_stat_activity where datname = '${database.name}' and pid <> pg_backend_pid() order by random() limit 1`;
        const find = isCrash
          ? `select pid ${victims}`
          : `select pg_terminate_backend(pid) ${victims}`;
        const [row] = await queryDatabase(server.url, find).catch(() => []);
        if (row === undefined) continue;
        if (isCrash) {
          process.kill(Number(row["pid"]), "SIGKILL");
          crashes += 1;
        } else ended += 1;
      }
    };
    const faults = () =>
      [...network.faults.values()].reduce((sum, count) => sum + count, ended + crashes);

    /** Sweeps again and again, as a process of its own does, whatever it meets. */
    const sweeper = Effect.gen(function* () {
      const logs = yield* LogsBridge;
      while (!over.signal.aborted) {
        yield* Effect.ignore(logs.sweep());
        yield* Effect.sleep("100 millis");
      }
    });
    const sweeping = [1, 2].map(() => Effect.runPromise(Effect.provide(sweeper, straight)));
    const ending = endSessions();

    const lifecycles = new Map<string | null, number>();
    const met = new Map<string, number>();
    let runs = 0;
    const round = async () => {
      const all: Array<Known> = [];
      network.one_in = ONE_IN;
      const programs = Effect.forEach(
        Array.from({ length: PROGRAMS }),
        () =>
          Effect.whileLoop({
            while: () => all.length < RUNS_OF_A_ROUND,
            body: () => {
              const known: Known = {
                run_id: `run ${(runs += 1)}`,
                capture: random() < 0.5 ? "gated" : "inline",
                steps: 1 + Math.floor(random() * STEPS_MAX),
                acted: new Set(),
                acknowledged: new Set(),
                exit: null,
              };
              all.push(known);
              return record(known);
            },
            step: () => {},
          }),
        { concurrency: "unbounded", discard: true },
      );
      await Effect.runPromise(
        Effect.provide(programs, layerOn(network.port)).pipe(Effect.retry({ times: 100 })),
      );
      network.one_in = 0;
      return all;
    };

    const settle = async (all: ReadonlyArray<Known>) => {
      const isOpen = `select from aos_traces where status = 'running' limit 1`;
      // The sweepers end what is left, once the leases are over.
      for (let open = [{}] as ReadonlyArray<object>; open.length > 0;) {
        open = await queryDatabase(database.url, isOpen).catch(() => [{}]);
        if (open.length > 0) await sleep(50);
      }
      for (const known of all) {
        const exit = known.exit;
        if (exit !== null && Exit.isFailure(exit)) {
          const error = Exit.findErrorOption(exit);
          const tag = error._tag === "Some" ? error.value._tag : "a defect";
          met.set(tag, (met.get(tag) ?? 0) + 1);
          expect(MAY_MEET, JSON.stringify(exit)).toContain(tag);
        }
      }
      const compared = await Effect.runPromise(
        Effect.forEach(all, compare).pipe(Effect.retry({ times: 20 }), Effect.provide(straight)),
      );
      for (const lifecycle of compared)
        lifecycles.set(lifecycle, (lifecycles.get(lifecycle) ?? 0) + 1);
    };

    try {
      while (faults() < FAULTS) await settle(await round());
    } finally {
      over.abort();
      await Promise.allSettled([ending, ...sweeping]);
      network.close();
    }
    const { report } = await Effect.runPromise(
      AuditCoordinator.use((auditor) => auditor.audit()).pipe(
        Effect.provide(Layer.provide(AuditLayer.layer, Database.layer(config))),
      ),
    );
    console.log(
      `${runs} runs, ${faults()} faults: ${JSON.stringify(Object.fromEntries([...network.faults, ["sessions ended", ended], ["crashes", crashes]]))}; ${JSON.stringify(Object.fromEntries(lifecycles))}; met ${JSON.stringify(Object.fromEntries(met))}`,
    );
    expect(report.findings).toEqual([]);
    expect(report.verdict).toBe("CLEAN");
    // Chance had its way both ways, or nothing was tried.
    expect(lifecycles.get("COMPLETE")).toBeGreaterThan(0);
    expect(lifecycles.get("ABORTED")).toBeGreaterThan(0);
    await database.drop();
    await server.stop();
  },
);
