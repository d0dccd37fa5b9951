/** Goal: Run Proof Test Plan v1, as it is written: in its order, stopping at the first failure with the exact output. */
import { assert, layer } from "@effect/vitest";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import {
  type Validate,
  ValidationCoordinator,
} from "@runproof/spine-coordinators/validation/ValidationCoordinator";
import {
  toMarkdown,
  type ValidationCheck,
} from "@runproof/spine-coordinators/validation/ValidationReport";
import * as Effect from "effect/Effect";
import { rows, tamper } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

const tenantId = () => `tenant-${crypto.randomUUID()}`;

const suite = (passed: boolean) => {
  const runs = { count: 0 };
  const run = Effect.sync(() => {
    runs.count += 1;
    return { passed, detail: passed ? "26 passed, 0 failed" : "25 passed, 1 failed" };
  });
  return { runs, suite: { name: "coordinator tests" as const, run } };
};

const validate = (input: Omit<Validate, "suite"> & Partial<Pick<Validate, "suite">>) =>
  Effect.flatMap(ValidationCoordinator, (validation) =>
    validation.validate({ suite: suite(true).suite, ...input }),
  );

const record = (tenant_id: string, run_id: string, steps: number) =>
  TracedRun.run(
    { tenant_id, capture: "inline", run_id },
    Effect.forEach(Array.from({ length: steps }), () =>
      TracedRun.step({ skill_id: "look_up" }, Effect.void),
    ),
  );

const verdicts = (checks: ReadonlyArray<ValidationCheck>) => checks.map(({ verdict }) => verdict);

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `a validation on ${name}`,
    (it) => {
      it.effect("passes on the newest trace, with what the database says of it", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "older", 1);
          yield* record(tenant_id, "newer", 2);
          const told: Array<ValidationCheck> = [];
          const report = yield* validate({
            tenant_id,
            onCheck: (check) => Effect.sync(() => told.push(check)),
          });
          assert.isTrue(report.passed);
          assert.strictEqual(report.stopped_with, null);
          assert.deepStrictEqual(verdicts(report.checks), ["PASS", "PASS", "PASS", "PASS", "PASS"]);
          assert.deepStrictEqual(told, [...report.checks]);
          assert.isTrue(report.criteria.every(({ verdict }) => verdict === "PASS"));
          const [trace] = yield* rows<{ root_hash: string }>(
            `select root_hash from aos_traces where run_id = 'newer' and tenant_id = '${tenant_id}'`,
          );
          assert.deepInclude(report, {
            tenant_id,
            run_id: "newer",
            status: "completed",
            step_count_database: 2,
            integrity_model: "HASH_CHAIN",
            verification_status: "VERIFIED",
            chain_length: 2,
            root_hash: trace!.root_hash,
            trace_count: 1,
            step_count: 2,
            test_suite: "coordinator tests",
            test_result: "coordinator tests: PASS, 26 passed, 0 failed",
          });
        }),
      );

      it.effect("looks at the run that is named, and not at another tenant's", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "older", 1);
          yield* record(tenant_id, "newer", 1);
          assert.strictEqual((yield* validate({ tenant_id, run_id: "older" })).run_id, "older");
          const other = yield* validate({ tenant_id: tenantId(), run_id: "older" });
          assert.strictEqual(other.stopped_with, "No trace data available in aos_traces.");
        }),
      );

      it.effect("stops where there is no trace", () =>
        Effect.gen(function* () {
          const { runs, suite: tests } = suite(true);
          const report = yield* validate({ tenant_id: tenantId(), suite: tests });
          assert.strictEqual(report.stopped_with, "No trace data available in aos_traces.");
          assert.strictEqual(report.checks[0]?.output, "No trace data available in aos_traces.");
          assert.deepStrictEqual(verdicts(report.checks), [
            "FAIL",
            "NOT RUN",
            "NOT RUN",
            "NOT RUN",
            "NOT RUN",
          ]);
          assert.isFalse(report.passed);
          assert.isTrue(report.criteria.every(({ verdict }) => verdict === "FAIL"));
          assert.strictEqual(runs.count, 0);
        }),
      );

      it.effect("stops where the trace has no steps", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "empty", 0);
          const report = yield* validate({ tenant_id });
          assert.strictEqual(report.stopped_with, "Trace exists but has no steps.");
          assert.deepStrictEqual(verdicts(report.checks), [
            "PASS",
            "FAIL",
            "NOT RUN",
            "NOT RUN",
            "NOT RUN",
          ]);
        }),
      );

      it.effect("stops where the evidence contradicts, and says why", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "changed", 2);
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set skill_name = 'forged' where tenant_id = '${tenant_id}' and step_index = 1`,
          );
          const { runs, suite: tests } = suite(true);
          const report = yield* validate({ tenant_id, suite: tests });
          assert.deepStrictEqual(verdicts(report.checks), [
            "PASS",
            "PASS",
            "PASS",
            "FAIL",
            "NOT RUN",
          ]);
          assert.strictEqual(report.verification_status, "FAILED");
          assert.include(report.stopped_with, "FAIL verification_status is VERIFIED: FAILED");
          assert.include(report.stopped_with, "step 1");
          assert.strictEqual(runs.count, 0);
        }),
      );

      it.effect("stops where the steps by run id are not those of the chain", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "grown", 1);
          yield* record(tenant_id, "donor", 1);
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set run_id = 'grown' where tenant_id = '${tenant_id}' and run_id = 'donor'`,
          );
          const report = yield* validate({ tenant_id, run_id: "grown" });
          assert.strictEqual(report.verification_status, "VERIFIED");
          assert.include(report.stopped_with, "FAIL chain_length equals the step count: 1 and 2");
          assert.isFalse(report.passed);
        }),
      );

      it.effect("fails where the tests fail", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* record(tenant_id, "good", 1);
          const report = yield* validate({ tenant_id, suite: suite(false).suite });
          assert.strictEqual(report.stopped_with, "coordinator tests: FAIL, 25 passed, 1 failed");
          assert.isFalse(report.passed);
          assert.strictEqual(report.checks[4]?.verdict, "FAIL");
        }),
      );

      it.effect("writes a report with every field, and markup in ids stays text", () =>
        Effect.gen(function* () {
          const tenant_id = `a|b*c*<script>\\|-${tenantId()}`;
          yield* record(tenant_id, "run`1`", 1);
          const report = yield* validate({ tenant_id });
          const markdown = toMarkdown(report);
          for (const field of [
            "DB URL",
            "Run ID",
            "Tenant ID",
            "Trace started_at",
            "Trace status",
            "Trace step_count (DB)",
            "Coordinator integrity_model",
            "Coordinator verification_status",
            "Coordinator chain_length",
            "Coordinator root_hash",
            "Coordinator trace_count",
            "Coordinator step_count",
            "Test result",
          ]) {
            const line = markdown
              .split("\n")
              .find((each) => each.includes(`| ${field} |`.replaceAll("_", "\\_")));
            assert.isDefined(line, field);
            // A cell more or less would shift every value after it.
            assert.lengthOf(line.split(/(?<=(?<!\\)(?:\\\\)*)\|/u), 4, field);
          }
          assert.include(markdown, `| Coordinator root\\_hash | ${report.root_hash} |`);
          assert.include(markdown, "| Coordinator failure\\_reason | none |");
          assert.notInclude(markdown, "not known");
          assert.notInclude(markdown, "| a|b");
          assert.include(markdown, "a\\|b\\*c\\*\\<script\\>");
          assert.include(markdown, "**PASS**");
          assert.match(markdown, /\| the tests pass \| PASS \|/u);
        }),
      );
    },
  );
}
