/**
 * Goal: whatever becomes of programs, messages, sessions, clocks and the server itself, no acknowledged step is lost or there
 * twice, no run is COMPLETE whose program did not end or whose steps were not all acknowledged, every act that was begun and
 * not recorded is named, and every trace that began is sealed.
 * Method: processes that record runs through a network with faults, and are killed; a server whose sessions are ended, that
 * crashes, whose clock is set, and that is lost while its standby is promoted; two sweepers beside them. All at moments drawn
 * from a seed. Then every run is read, proven, and compared with what its program was told.
 *
 * A hundred thousand faults with RUNPROOF_LONG=1, or as many as RUNPROOF_FAULTS says; some without.
 */
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { createDatabase, queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import * as Schedule from "effect/Schedule";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { FaultyServer } from "./FaultyServer.ts";
import { sequenceOf, TENANT, type Told } from "./RecordingProcess.ts";

const PROGRAM = fileURLToPath(new URL("RecordingProcess.ts", import.meta.url));

const isLong = process.env["RUNPROOF_LONG"] === "1";
const FAULTS = Number(process.env["RUNPROOF_FAULTS"] ?? (isLong ? 100_000 : 120));
/** Runs are compared with what was told, and forgotten, after so many. */
const RUNS_OF_A_ROUND = isLong ? 2_000 : 80;
const PROCESSES = 2;
const PROGRAMS = isLong ? 16 : 6;
/** One message in so many meets a fault, and at the begin of one run in so many its process is killed. */
const ONE_IN = isLong ? 8 : 12;
const RUNS_PER_KILL = isLong ? 250 : 30;
const KILLED_WITHIN_MS = 200;
/** The server meets a fault that often, of a kind by these chances. */
const SERVER_FAULT_EVERY_MS = isLong ? 150 : 120;
const CRASH = 0.08;
const CLOCK = 0.15;
const FAILOVER = isLong ? 0.003 : 0.04;
const SEED = 20_261_127;

/** A run as its program told of it. */
interface Known {
  readonly run_id: string;
  readonly capture: "gated" | "inline";
  readonly steps: number;
  /** The acts that were done, and of those the ones whose step was acknowledged. */
  readonly acted: Set<number>;
  readonly acknowledged: Set<number>;
  /** How the run ended for its program; null where that was killed. */
  end: Extract<Told, { is: "succeeded" | "failed" }> | null;
}

/** Tries while the server starts anew, or a standby takes its place. */
const OVER_A_CRASH = { times: 300, schedule: Schedule.spaced("100 millis") };

/** Errors of a run whose recording met the network, the server or the sweeper. Any other is a fault of the product's. */
const MAY_MEET = ["DatabaseUnreachable", "LeaseLost", "TraceSealed", "TraceNotFound"];

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
    const where = `${run_id}, told ${JSON.stringify(known.end)}`;
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
    } else if (known.end?.is === "succeeded") {
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

/** Processes that record until so many runs began, some of them killed; the runs as they told of them. */
class Programs {
  readonly all = new Map<string, Known>();
  readonly running = new Set<ChildProcess>();
  readonly faults = new Map<"client killed" | "client's clock set back", number>();
  readonly errors: Array<string> = [];
  readonly #url: string;
  readonly #random: () => number;
  readonly #first: number;
  #started = 0;

  constructor(url: string, random: () => number, first: number) {
    this.#url = url;
    this.#random = random;
    this.#first = first;
  }

  async round(): Promise<void> {
    for (let at = 0; at < PROCESSES; at += 1) this.#start();
    while (this.running.size > 0)
      await Promise.all([...this.running].map((child) => once(child, "close")));
  }

  get started(): number {
    return this.#started;
  }

  #isOver(): boolean {
    return this.all.size >= RUNS_OF_A_ROUND;
  }

  #start(): void {
    const seed = this.#first + (this.#started += 1);
    const args = [PROGRAM, this.#url, String(seed), String(PROGRAMS)];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.running.add(child);
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.errors.push(text));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Told;
      this.#hear(told);
      if (told.is !== "begun") return;
      if (this.#isOver()) for (const each of this.running) each.stdin!.end();
      else if (this.#random() * RUNS_PER_KILL < 1) {
        // Anywhere in what it does next.
        void sleep(this.#random() * KILLED_WITHIN_MS).then(() => child.kill("SIGKILL"));
      }
    });
    child.once("close", (code, signal) => {
      this.running.delete(child);
      if (signal === "SIGKILL") this.#count("client killed");
      else if (code !== 0) this.errors.push(`ended with ${code} ${signal}`);
      if (!this.#isOver()) this.#start();
    });
  }

  #hear(told: Told): void {
    if (told.is === "clock set back") return this.#count("client's clock set back");
    if (told.is === "begun") {
      const { run_id, capture, steps } = told;
      const known = { run_id, capture, steps, acted: new Set<number>(), end: null };
      this.all.set(run_id, { ...known, acknowledged: new Set<number>() });
      return;
    }
    const known = this.all.get(told.run_id)!;
    if (told.is === "succeeded" || told.is === "failed") known.end = told;
    else known[told.is].add(told.act);
  }

  #count(fault: "client killed" | "client's clock set back"): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }
}

const count = (into: Map<string, number>, what: string, by = 1): void =>
  void into.set(what, (into.get(what) ?? 0) + by);

it(
  "loses no acknowledged step, doubles none, and leaves no run open or wrongly complete",
  { timeout: isLong ? 6 * 3_600_000 : 150_000 },
  async () => {
    const random = sequenceOf(SEED);
    const server = await FaultyServer.start(random);
    const { network } = server;
    const database = await createDatabase(server.url);
    const urlBy = (way: typeof network) => {
      const url = new URL(server.urlBy(way));
      url.pathname = `/${database.name}`;
      return url.href;
    };
    const config = { kind: "server", url: Redacted.make(urlBy(server.straight)) } as const;
    await Effect.runPromise(migrateDatabase(config));
    const straight = RunproofLayer.layer().pipe(
      Layer.provideMerge(Database.layer(config)),
      Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
    );
    const over = new AbortController();

    const endangerServer = async () => {
      while (!over.signal.aborted) {
        await sleep(SERVER_FAULT_EVERY_MS * (0.5 + random()));
        if (network.one_in === 0) continue;
        const dice = random();
        if (dice < FAILOVER) await server.failOver();
        else if (dice < FAILOVER + CRASH) await server.crash(database.name);
        else if (dice < FAILOVER + CRASH + CLOCK) server.setClock();
        else await server.endSession(database.name);
      }
    };
    const clients = new Map<string, number>();
    const faults = () => new Map<string, number>([...network.faults, ...server.faults, ...clients]);
    const total = () => [...faults().values()].reduce((sum, some) => sum + some, 0);

    /** Sweeps again and again, as a process of its own does, whatever it meets. */
    const sweeper = Effect.gen(function* () {
      const logs = yield* LogsBridge;
      while (!over.signal.aborted) {
        yield* Effect.ignore(logs.sweep());
        yield* Effect.sleep("100 millis");
      }
    });
    // Opening meets the server's faults, too.
    const sweep = Effect.retry(Effect.provide(sweeper, straight), OVER_A_CRASH);
    const background = Promise.all([
      endangerServer(),
      ...[1, 2].map(() => Effect.runPromise(sweep)),
    ]);
    // It is awaited at the end: what went wrong in it fails the test there.
    background.catch(() => over.abort());

    const lifecycles = new Map<string, number>();
    const met = new Map<string, number>();
    let [runs, processes] = [0, 0];
    const round = async () => {
      const programs = new Programs(urlBy(network), random, processes);
      network.one_in = ONE_IN;
      await programs.round();
      network.one_in = 0;
      processes += programs.started;
      runs += programs.all.size;
      for (const [fault, times] of programs.faults) count(clients, fault, times);
      expect(programs.errors).toEqual([]);
      return [...programs.all.values()];
    };

    const settle = async (all: ReadonlyArray<Known>) => {
      const isOpen = `select from aos_traces where status = 'running' limit 1`;
      // The sweepers end what is left, once the leases are over.
      for (let open = [{}] as ReadonlyArray<object>; open.length > 0;) {
        open = await queryDatabase(urlBy(server.straight), isOpen).catch(() => [{}]);
        if (open.length > 0) await sleep(50);
      }
      for (const { end } of all) {
        count(met, end === null ? "killed" : end.is === "failed" ? end.tag : end.is);
        if (end?.is === "failed") expect(MAY_MEET, end.why).toContain(end.tag);
      }
      const compared = await Effect.runPromise(
        Effect.forEach(all, compare).pipe(Effect.provide(straight), Effect.retry(OVER_A_CRASH)),
      );
      for (const lifecycle of compared) count(lifecycles, String(lifecycle));
    };

    try {
      while (total() < FAULTS) {
        await settle(await round());
        if (isLong) console.log(`${runs} runs, ${total()} faults so far`);
      }
    } finally {
      over.abort();
      await Promise.allSettled([background]);
    }
    await background;
    const { report } = await Effect.runPromise(
      AuditCoordinator.use((auditor) => auditor.audit()).pipe(
        Effect.provide(Layer.provide(AuditLayer.layer, Database.layer(config))),
      ),
    );
    const figures = { faults: faults(), lifecycles, met };
    console.log(
      `${runs} runs of ${processes} processes, ${total()} faults: ${JSON.stringify(figures, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value))}`,
    );
    for (const reason of server.missing) console.log(`not tried: ${reason}`);
    expect(report.findings).toEqual([]);
    expect(report.verdict).toBe("CLEAN");
    // Chance had its way both ways, or nothing was tried.
    expect(lifecycles.get("COMPLETE")).toBeGreaterThan(0);
    expect(lifecycles.get("ABORTED")).toBeGreaterThan(0);
    await server.stop();
  },
);
