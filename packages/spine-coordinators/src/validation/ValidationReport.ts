/** The report of a validation. */

/** A check of the Run Proof Test Plan. */
export interface ValidationCheck {
  /** 1 to 5, as the plan numbers them. */
  readonly number: number;
  readonly name: string;
  readonly verdict: "PASS" | "FAIL" | "NOT RUN";
  /** What the check printed, or why it failed. */
  readonly output: string;
}

/** Which tests step 5 runs: the coordinators' own in a checkout, the format's built-in vectors where only the package is. */
export type TestSuiteName = "coordinator tests" | "format vectors";

/** What came of Run Proof Test Plan v1. A field is null where the validation stopped before it was known. */
export interface ValidationReport {
  /** With the password hidden. */
  readonly database: string;
  readonly tenant_id: string;
  readonly run_id: string | null;
  readonly started_at: string | null;
  readonly status: string | null;
  /** `COUNT(*)` in the database. */
  readonly step_count_database: number | null;
  readonly integrity_model: string | null;
  readonly verification_status: string | null;
  readonly failure_reason: string | null;
  readonly chain_length: number | null;
  readonly root_hash: string | null;
  readonly trace_count: number | null;
  readonly step_count: number | null;
  readonly test_suite: TestSuiteName;
  /** What the suite said; null where it did not run. */
  readonly test_result: string | null;
  readonly checks: ReadonlyArray<ValidationCheck>;
  /** The acceptance criteria, each with its verdict. */
  readonly criteria: ReadonlyArray<{
    readonly name: string;
    readonly verdict: "PASS" | "FAIL";
    readonly detail: string;
  }>;
  /** Every criterion is PASS. */
  readonly passed: boolean;
  /** The exact output at the first failure; null where all passed. */
  readonly stopped_with: string | null;
  readonly validated_at: string;
}

/** The report as Markdown, with every field that the test plan names. */
export const toMarkdown = (report: ValidationReport): string => {
  const fields: ReadonlyArray<readonly [string, string | number | null]> = [
    ["DB URL", report.database],
    ["Run ID", report.run_id],
    ["Tenant ID", report.tenant_id],
    ["Trace started_at", report.started_at],
    ["Trace status", report.status],
    ["Trace step_count (DB)", report.step_count_database],
    ["Coordinator integrity_model", report.integrity_model],
    ["Coordinator verification_status", report.verification_status],
    // A proof that was made and has no reason has none.
    [
      "Coordinator failure_reason",
      report.verification_status === null ? null : (report.failure_reason ?? "none"),
    ],
    ["Coordinator chain_length", report.chain_length],
    ["Coordinator root_hash", report.root_hash],
    ["Coordinator trace_count", report.trace_count],
    ["Coordinator step_count", report.step_count],
    ["Test suite", report.test_suite],
    ["Test result", report.test_result ?? "NOT RUN"],
  ];
  return [
    "# Run Proof Test Plan v1",
    `Validated at ${report.validated_at}: **${report.passed ? "PASS" : "FAIL"}**`,
    table(
      ["Field", "Value"],
      fields.map(([name, value]) => [name, value ?? "not known"]),
    ),
    "## Acceptance criteria",
    table(
      ["Criterion", "Verdict", "Found"],
      report.criteria.map(({ name, verdict, detail }) => [name, verdict, detail]),
    ),
    "## Checks",
    ...report.checks.map(
      ({ number, name, verdict, output }) =>
        `${number}. ${name}: **${verdict}**\n\n${fenced(output)}`,
    ),
    ...(report.stopped_with === null
      ? []
      : ["## Stopped at the first failure", fenced(report.stopped_with)]),
    "",
  ].join("\n\n");
};

const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>,
): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => inCell(String(cell))).join(" | ")} |`)
    .join("\n");

/** Ids come from outside: they must not end a cell, nor become markup. */
const inCell = (text: string): string =>
  text.replace(/[\\`*_{}[\]<>|#&~]/gu, "\\$&").replace(/\s+/gu, " ");

/** A code block whose fence is longer than any in the text. */
const fenced = (text: string): string => {
  const longest = Math.max(2, ...[...text.matchAll(/`+/gu)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
};
