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
 * A test that neither passed nor was skipped counts as failed, and so does all that failed beside tests: an import, a hook
 * (whose tests are then skipped), an error that no test caught, a run without tests.
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
    const file = module.relativeModuleId;
    const failedBefore = failed.length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") passed += 1;
      else (state === "skipped" ? skipped : failed).push(`${file} > ${test.fullName}`);
    }
    for (const suite of module.children.allSuites())
      if (suite.errors().length > 0) failed.push(`${file} > ${suite.fullName}`);
    const unnamed = !module.ok() && failed.length === failedBefore;
    if (unnamed || module.errors().length > 0) failed.push(file);
  }
  for (const error of unhandledErrors) failed.push(error.message);
  if (reason === "interrupted" && failed.length === 0) failed.push("the run was interrupted");
  if (passed + failed.length + skipped.length === 0) failed.push("no test ran");
  return { passed, failed, skipped };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
