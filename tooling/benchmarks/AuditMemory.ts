/**
 * Measures how fast `runproof audit` checks a large database and how much memory it takes.
 *
 *     node tooling/bootstrap.mjs exec node tooling/benchmarks/AuditMemory.ts [STEPS]
 *
 * Two fifths of the steps are of one trace, the others of traces of a thousand.
 */
import * as Effect from "effect/Effect";
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { LogStore } from "@runproof/drivers/LogStore";
import { withMeasuredDatabase, withStores } from "./MeasuredDatabase.ts";
import { recordTrace } from "./RecordedTrace.ts";

const STEPS_DEFAULT = 1_000_000;
const STEPS_AT_ONCE = 2_000;
const STEPS_OF_A_TRACE = 1_000;
const SHARE_OF_THE_LARGEST = 0.4;
const WRITERS = 4;

const build = (steps: number) =>
  Effect.gen(function* () {
    const largest = Math.round(steps * SHARE_OF_THE_LARGEST);
    const traces = Math.round((steps - largest) / STEPS_OF_A_TRACE);
    const lengths = [largest, ...Array.from({ length: traces }, () => STEPS_OF_A_TRACE)];
    yield* Effect.forEach(lengths, (length) => recordTrace(length, STEPS_AT_ONCE), {
      concurrency: WRITERS,
      discard: true,
    });
    yield* (yield* LogStore).sequence;
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

const [, , stepsText] = process.argv;
const steps = stepsText === undefined ? STEPS_DEFAULT : Number(stepsText);
await withMeasuredDatabase(async (url) => {
  const started_ms = Date.now();
  await withStores(url, build(steps));
  console.log(`built ${steps} steps in ${((Date.now() - started_ms) / 1000).toFixed(1)} s`);
  const { report, peak_mb, duration_s } = await measure(url);
  const rate = Math.round(report.checked.steps / duration_s);
  console.log(
    `audited ${report.checked.steps} steps in ${duration_s.toFixed(1)} s (${rate} steps/s): ${report.verdict}, peak RSS ${peak_mb.toFixed(0)} MB`,
  );
});
