/** Runs Run Proof Test Plan v1 against a database. */
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { TestSuiteName, ValidationCheck, ValidationReport } from "./ValidationReport.ts";

/** The tests of step 5, given by the caller: who runs in a checkout runs the coordinators' own. */
export interface TestSuite {
  readonly name: TestSuiteName;
  /** Succeeds either way; `detail` is what the report shows, such as `41 passed, 0 failed`. */
  readonly run: Effect.Effect<{ readonly passed: boolean; readonly detail: string }>;
}

/** What to validate. */
export interface Validate {
  readonly tenant_id: string;
  /** The tenant's newest trace where it is left out. */
  readonly run_id?: string | undefined;
  readonly suite: TestSuite;
  /** Told of each check once it is done. */
  readonly onCheck?: ((check: ValidationCheck) => Effect.Effect<void>) | undefined;
}

/** Run Proof Test Plan v1. */
export class ValidationCoordinator extends Context.Service<
  ValidationCoordinator,
  {
    /** Stops at the first failure; a failed check is a report, not an error. */
    readonly validate: (input: Validate) => Effect.Effect<ValidationReport, DatabaseError>;
  }
>()("@runproof/spine-coordinators/ValidationCoordinator") {}
