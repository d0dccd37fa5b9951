/** The tests of step 5 of a validation: the coordinators' own in a checkout, else the format's built-in vectors. */
import { parseJson } from "@runproof/proof/JsonText";
import type { TestSuite } from "@runproof/spine-coordinators/validation/ValidationCoordinator";
import * as Effect from "effect/Effect";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
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

/** Runs the tests in a process of their own; answers its exit code. */
const runVitest = (folder: string, report: string) =>
  Effect.callback<number | null>((resume) => {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !hidden.includes(name)),
    );
    const child = spawn(
      process.execPath,
      [VITEST, "run", COORDINATOR_TESTS, "--reporter=json", `--outputFile=${report}`],
      { cwd: folder, env, stdio: "ignore" },
    );
    child.on("error", () => resume(Effect.succeed(null)));
    child.on("close", (exit_code) => resume(Effect.succeed(exit_code)));
    return Effect.sync(() => child.kill());
  });

/** Null where vitest ended before it had written one. */
const readReport = (path: string): Promise<VitestReport | null> =>
  readFile(path, "utf8").then(
    (text) => parseJson(text) as unknown as VitestReport,
    () => null,
  );

const conclude = (exit_code: number | null, report: VitestReport | null) => {
  if (report === null) {
    return { passed: false, detail: `vitest ended with code ${exit_code} and no report` };
  }
  const { numTotalTests, numPassedTests, numFailedTests } = report;
  const others = numTotalTests - numPassedTests - numFailedTests;
  const skipped = others === 0 ? "" : `, ${others} skipped`;
  return {
    passed: exit_code === 0 && report.success && numPassedTests > 0,
    detail: `${numPassedTests} passed, ${numFailedTests} failed${skipped}`,
  };
};

const reportFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-validate-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
);

const coordinatorTests = (folder: string): TestSuite => ({
  name: "coordinator tests",
  run: Effect.gen(function* () {
    const report = join(yield* reportFolder, "report.json");
    const exit_code = yield* runVitest(folder, report);
    return conclude(exit_code, yield* Effect.promise(() => readReport(report)));
  }).pipe(Effect.scoped),
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
