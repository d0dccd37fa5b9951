/**
 * Ends a run of the tests with the true counts, the skipped tests by name, and what server they ran on; writes the counts to
 * the file that `RUNPROOF_COUNTS_FILE` names, for `.ci/run` to add up.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from "vitest/node";

export default class CountsReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(
    modules: ReadonlyArray<TestModule>,
    unhandledErrors: ReadonlyArray<SerializedError>,
    reason: TestRunEndReason,
  ): void {
    const counts = count(modules, unhandledErrors, reason);
    for (const name of counts.skipped) print(`skipped: ${name}`);
    for (const name of counts.failed) print(`failed: ${name}`);
    print(
      `${counts.passed} tests passed, ${counts.failed.length} failed, ${counts.skipped.length} skipped${this.#server()}`,
    );
    const file = process.env["RUNPROOF_COUNTS_FILE"];
    if (file)
      appendFileSync(file, `${counts.passed} ${counts.failed.length} ${counts.skipped.length}\n`);
  }

  /** Which server the tests used, where any project started one. */
  #server(): string {
    for (const project of this.#vitest?.projects ?? []) {
      const { postgresVersion, postgresSource } = project.getProvidedContext();
      if (postgresVersion !== undefined)
        return `, on PostgreSQL ${postgresVersion} (${postgresSource})`;
    }
    return "";
  }
}

interface Counts {
  readonly passed: number;
  readonly failed: ReadonlyArray<string>;
  readonly skipped: ReadonlyArray<string>;
}

/**
 * A test that neither passed nor was skipped counts as failed, and so does each file or run that failed beside its tests:
 * an import, a hook or an error that no test caught.
 */
function count(
  modules: ReadonlyArray<TestModule>,
  unhandledErrors: ReadonlyArray<SerializedError>,
  reason: TestRunEndReason,
): Counts {
  let passed = 0;
  const failed: Array<string> = [];
  const skipped: Array<string> = [];
  for (const module of modules) {
    let failedTests = 0;
    for (const test of module.children.allTests()) {
      const name = `${module.relativeModuleId} > ${test.fullName}`;
      const { state } = test.result();
      if (state === "passed") passed += 1;
      else if (state === "skipped") skipped.push(name);
      else failedTests = failed.push(name);
    }
    if (!module.ok() && failedTests === 0) failed.push(module.relativeModuleId);
  }
  for (const error of unhandledErrors) failed.push(error.message);
  if (reason === "interrupted" && failed.length === 0) failed.push("the run was interrupted");
  return { passed, failed, skipped };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
