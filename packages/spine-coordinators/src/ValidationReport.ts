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
