/**
 * Measures how fast `runproof audit` checks a large database and how much memory it takes.
 *
 *     node tooling/bootstrap.mjs exec node tooling/benchmarks/AuditMemory.ts DATABASE_URL [STEPS]
 *
 * `DATABASE_URL` is a superuser's, of a server on which a database may be made; it is dropped afterwards. Two fifths of the
 * steps are of one trace, the others of traces of a thousand.
 */
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Database, type DatabaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import { LogStore } from "@runproof/drivers/LogStore";
import * as PostgresLogStore from "@runproof/drivers/PostgresLogStore";
import * as PostgresTraceStore from "@runproof/drivers/PostgresTraceStore";
import { TraceStore } from "@runproof/drivers/TraceStore";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { createDatabase } from "@runproof/tooling/PostgresServer";

const STEPS_DEFAULT = 1_000_000;
const STEPS_AT_ONCE = 2_000;
const STEPS_OF_A_TRACE = 1_000;
const SHARE_OF_THE_LARGEST = 0.4;
const WRITERS = 4;
const TIME = "2026-02-10T12:43:41.549430Z";

const recordTrace = Effect.fnUntraced(function* (steps: number) {
  const store = yield* TraceStore;
  const trace_id = randomUUID();
  const trace = prepareTrace({
    trace_id,
    run_id: randomUUID(),
    tenant_id: "memory",
    correlation_id: trace_id,
    agent_id: "agent-7",
    origin_system_id: null,
    incident_id: null,
    replay_of: null,
    started_at: TIME,
    created_at: TIME,
    seed: null,
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    plan: { steps: [] },
  });
  const step = prepareStep({
    trace_id,
    parent_step_index: null,
    skill_id: "http_call",
    skill_name: "HTTP call",
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: "200",
    params: { method: "GET", url: "https://example.com/orders/1842" },
    outcome_data: { status: 200, body: { id: "1842", state: "delivered", total_cents: 4990 } },
    cost_cents: 0.5,
    duration_ms: 12.5,
    started_at: TIME,
    retry_count: 0,
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp: TIME,
    is_synthetic: false,
    synthetic_scenario_id: null,
  });
  const { holder } = yield* store.start({ trace, holder: "memory", lease_ms: 3_600_000 });
  for (let done = 0; done < steps; done += STEPS_AT_ONCE) {
    const length = Math.min(STEPS_AT_ONCE, steps - done);
    yield* store.recordSteps({ trace_id, holder, steps: Array.from({ length }, () => step) });
  }
  const seal = prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    completed_at: TIME,
    sealed_at: TIME,
  });
  yield* store.complete({ trace_id, holder, seal });
});

const build = (config: DatabaseConfig, steps: number) =>
  Effect.gen(function* () {
    yield* migrateDatabase(config);
    const largest = Math.round(steps * SHARE_OF_THE_LARGEST);
    const traces = Math.round((steps - largest) / STEPS_OF_A_TRACE);
    const lengths = [largest, ...Array.from({ length: traces }, () => STEPS_OF_A_TRACE)];
    yield* Effect.gen(function* () {
      yield* Effect.forEach(lengths, recordTrace, { concurrency: WRITERS, discard: true });
      yield* (yield* LogStore).sequence;
    }).pipe(
      Effect.provide(
        Layer.merge(PostgresTraceStore.layer, PostgresLogStore.layer).pipe(
          Layer.provide(Database.layer(config)),
        ),
      ),
    );
  });

/** Printed by the audit's own process as it ends. The kernel's figure for a process counts what its parent had, this one not. */
const SAY_PEAK = `data:text/javascript,${encodeURIComponent(`
import { readFileSync } from "node:fs";
process.on("exit", () => {
  const peak = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  process.stderr.write("peak " + peak[1] + "\\n");
});
`)}`;

interface Measured {
  readonly report: { readonly verdict: string; readonly checked: { readonly steps: number } };
  readonly peak_mb: number;
  readonly duration_s: number;
}

const measure = (url: string): Promise<Measured> =>
  new Promise((resolve, reject) => {
    const started_ms = Date.now();
    const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", SAY_PEAK, main, "audit", "--json"], {
      env: { ...process.env, DATABASE_URL: url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => {
      const peak = /^peak (\d+)$/mu.exec(stderr)?.[1];
      if (code !== 0 || peak === undefined) {
        reject(new Error(`the audit ended with ${code}: ${stderr}${stdout.slice(0, 2000)}`));
        return;
      }
      resolve({
        report: JSON.parse(stdout) as Measured["report"],
        peak_mb: Number(peak) / 1024,
        duration_s: (Date.now() - started_ms) / 1000,
      });
    });
  });

const [serverUrl, stepsText] = process.argv.slice(2);
if (serverUrl === undefined) throw new Error("give the URL of a superuser on a server");
const steps = stepsText === undefined ? STEPS_DEFAULT : Number(stepsText);
const database = await createDatabase(serverUrl);
try {
  const started_ms = Date.now();
  await Effect.runPromise(build({ kind: "server", url: Redacted.make(database.url) }, steps));
  console.log(`built ${steps} steps in ${((Date.now() - started_ms) / 1000).toFixed(1)} s`);
  const { report, peak_mb, duration_s } = await measure(database.url);
  const rate = Math.round(report.checked.steps / duration_s);
  console.log(
    `audited ${report.checked.steps} steps in ${duration_s.toFixed(1)} s (${rate} steps/s): ${report.verdict}, peak RSS ${peak_mb.toFixed(0)} MB`,
  );
} finally {
  await database.drop();
}
