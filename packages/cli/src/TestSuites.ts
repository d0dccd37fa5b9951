/** The tests of step 5 of a validation: the coordinators' own in a checkout, else the format's built-in vectors. */
import type { TestSuite } from "@runproof/spine-coordinators/ValidationCoordinator";
import * as Effect from "effect/Effect";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "./Runproof.ts";

const COORDINATOR_TESTS = "packages/spine-coordinators/test/RunProofCoordinator.test.ts";
const VITEST = "node_modules/vitest/vitest.mjs";

/** The checkout that this file is part of; null where the package is installed. */
const checkout = (): string | null => {
  const folder = fileURLToPath(new URL("../../..", import.meta.url));
  const parts = ["pnpm-workspace.yaml", VITEST, COORDINATOR_TESTS];
  return parts.every((part) => existsSync(join(folder, part))) ? folder : null;
};

/** The tests make and drop databases of their own: they must not see the one that is validated. */
const hidden = ["DATABASE_URL", "USE_POSTGRES_TRACES", "RUNPROOF_HOME"];

interface VitestReport {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
}

const runVitest = (folder: string) =>
  Effect.callback<{ readonly exit_code: number | null; readonly stdout: string }>((resume) => {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !hidden.includes(name)),
    );
    const child = spawn(process.execPath, [VITEST, "run", COORDINATOR_TESTS, "--reporter=json"], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.on("error", (error) =>
      resume(Effect.succeed({ exit_code: null, stdout: error.message })),
    );
    child.on("close", (exit_code) => resume(Effect.succeed({ exit_code, stdout })));
    return Effect.sync(() => child.kill());
  });

const conclude = (ended: { readonly exit_code: number | null; readonly stdout: string }) => {
  try {
    const report = JSON.parse(ended.stdout.slice(ended.stdout.indexOf("{"))) as VitestReport;
    const passed = ended.exit_code === 0 && report.success && report.numPassedTests > 0;
    const others = report.numTotalTests - report.numPassedTests - report.numFailedTests;
    const skipped = others === 0 ? "" : `, ${others} skipped`;
    return {
      passed,
      detail: `${report.numPassedTests} passed, ${report.numFailedTests} failed${skipped}`,
    };
  } catch {
    return { passed: false, detail: `vitest ended with code ${ended.exit_code} and no report` };
  }
};

const coordinatorTests = (folder: string): TestSuite => ({
  name: "coordinator tests",
  run: Effect.map(runVitest(folder), conclude),
});

const formatVectors: TestSuite = {
  name: "format vectors",
  run: Effect.map(
    load(() => import("@runproof/proof/BuiltInVectors")),
    ({ checkBuiltInVectors }) => {
      const { passed, failed, failures } = checkBuiltInVectors();
      const detail = [`${passed} passed, ${failed} failed`, ...failures].join("\n");
      return { passed: failed === 0 && passed > 0, detail };
    },
  ),
};

/** The suite that can run here. */
export const suite = (): TestSuite => {
  const folder = checkout();
  return folder === null ? formatVectors : coordinatorTests(folder);
};
