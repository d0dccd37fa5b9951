/** Runs Run Proof Test Plan v1 against a database. */
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { now } from "../internal/now.ts";
import { LogsBridge, type TraceProbe } from "../logs/LogsBridge.ts";
import { RunProofCoordinator } from "../proof/RunProofCoordinator.ts";
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

/** What step 1 prints where there is nothing to validate. */
export const NO_TRACE_DATA = "No trace data available in aos_traces.";

/** What step 2 prints for a trace without steps. */
export const NO_STEPS = "Trace exists but has no steps.";

/** Run Proof Test Plan v1. */
export class ValidationCoordinator extends Context.Service<
  ValidationCoordinator,
  {
    /** Stops at the first failure; a failed check is a report, not an error. */
    readonly validate: (input: Validate) => Effect.Effect<ValidationReport, DatabaseError>;
  }
>()("@runproof/spine-coordinators/validation/ValidationCoordinator") {
  static readonly layer: Layer.Layer<
    ValidationCoordinator,
    never,
    LogsBridge | RunProofCoordinator
  > = Layer.effect(
    ValidationCoordinator,
    Effect.gen(function* () {
      const context = yield* Effect.context<LogsBridge | RunProofCoordinator>();
      return ValidationCoordinator.of({
        validate: (input) => Effect.provideContext(validate(input), context),
      });
    }),
  );
}

/** What a check found: lines that were printed, and why it fails where it does. */
interface Finding {
  readonly output: string;
  readonly failure: string | null;
}

/** What the checks so far brought to light. */
interface Facts {
  probe: TraceProbe | null;
  proof: RunProofResult | null;
  test_result: string | null;
  tests_passed: boolean;
}

const NAMES = [
  "Trace in the database",
  "Steps in the database",
  "Proof from the coordinator",
  "Proof matches the database",
  "Tests",
] as const;

const validate = Effect.fn("ValidationCoordinator.validate")(function* (input: Validate) {
  const { database } = yield* LogsBridge;
  const facts: Facts = { probe: null, proof: null, test_result: null, tests_passed: false };
  const steps = [findTrace, countSteps, proveRun, compareProof, runTests];
  const checks: Array<ValidationCheck> = [];
  let stopped_with: string | null = null;
  for (const [index, step] of steps.entries()) {
    const { output, failure }: Finding =
      stopped_with === null ? yield* step(input, facts) : { output: "", failure: null };
    const verdict = stopped_with !== null ? "NOT RUN" : failure === null ? "PASS" : "FAIL";
    const check = { number: index + 1, name: NAMES[index] ?? "", verdict, output } as const;
    checks.push(check);
    stopped_with ??= failure;
    if (verdict !== "NOT RUN") yield* input.onCheck?.(check) ?? Effect.void;
  }
  return reportOf(input, facts, {
    database,
    checks,
    stopped_with,
    validated_at: yield* now,
  });
});

type Step = (
  input: Validate,
  facts: Facts,
) => Effect.Effect<Finding, DatabaseError, LogsBridge | RunProofCoordinator>;

const lines = (fields: Readonly<Record<string, string | number | null>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");

const found = (output: string): Finding => ({ output, failure: null });
const failed = (output: string, failure = output): Finding => ({ output, failure });

const findTrace: Step = Effect.fnUntraced(function* ({ tenant_id, run_id }, facts) {
  const { probe } = yield* LogsBridge;
  facts.probe = yield* probe({ tenant_id, run_id });
  if (facts.probe === null) return failed(NO_TRACE_DATA);
  const { started_at, status } = facts.probe;
  return found(lines({ run_id: facts.probe.run_id, tenant_id, started_at, status }));
});

const countSteps: Step = (_, { probe }) => {
  const step_count = probe?.step_count ?? 0;
  return Effect.succeed(step_count === 0 ? failed(NO_STEPS) : found(lines({ step_count })));
};

const proveRun: Step = Effect.fnUntraced(function* ({ tenant_id }, facts) {
  const { getRunProof } = yield* RunProofCoordinator;
  facts.proof = yield* getRunProof({ tenant_id, run_id: facts.probe?.run_id ?? "" });
  return found(lines(proofFields(facts.proof)));
});

const proofFields = ({ integrity, aos_traces, aos_trace_steps }: RunProofResult) => ({
  integrity_model: integrity.model,
  verification_status: integrity.verification_status,
  chain_length: integrity.chain_length,
  root_hash: integrity.root_hash,
  trace_count: aos_traces.length,
  step_count: aos_trace_steps.length,
});

const compareProof: Step = (_, facts) => {
  const output = criteriaOf(facts)
    .map(({ name, verdict, detail }) => `${verdict} ${name}: ${detail}`)
    .join("\n");
  const isMet = criteriaOf(facts).every(({ verdict }) => verdict === "PASS");
  const reason = facts.proof?.integrity.failure_reason ?? null;
  return Effect.succeed(
    isMet ? found(output) : failed(output, reason === null ? output : `${output}\n${reason}`),
  );
};

const runTests: Step = Effect.fnUntraced(function* ({ suite }, facts) {
  const { passed, detail } = yield* suite.run;
  facts.test_result = `${suite.name}: ${passed ? "PASS" : "FAIL"}, ${detail}`;
  facts.tests_passed = passed;
  return passed ? found(facts.test_result) : failed(facts.test_result);
});

type Criterion = ValidationReport["criteria"][number];

const criterion = (name: string, isMet: boolean, detail: string): Criterion => ({
  name,
  verdict: isMet ? "PASS" : "FAIL",
  detail,
});

/** The criteria that step 4 demands of the proof. What is not known fails. */
const criteriaOf = ({ probe, proof }: Facts): ReadonlyArray<Criterion> => {
  const { model, verification_status, chain_length } = proof?.integrity ?? {};
  const trace_count = proof?.aos_traces.length;
  const step_count = probe?.step_count;
  return [
    criterion("integrity_model is HASH_CHAIN", model === "HASH_CHAIN", model ?? "not known"),
    criterion(
      "verification_status is VERIFIED",
      verification_status === "VERIFIED",
      verification_status ?? "not known",
    ),
    criterion(
      "chain_length equals the step count",
      chain_length !== undefined && chain_length === step_count,
      `${chain_length ?? "not known"} and ${step_count ?? "not known"}`,
    ),
    criterion(
      "trace_count is at least 1",
      trace_count !== undefined && trace_count >= 1,
      String(trace_count ?? "not known"),
    ),
  ];
};

const reportOf = (
  { tenant_id, suite }: Validate,
  facts: Facts,
  rest: Pick<ValidationReport, "database" | "checks" | "stopped_with" | "validated_at">,
): ValidationReport => {
  const { probe, proof, test_result } = facts;
  const fields = proof === null ? null : proofFields(proof);
  const criteria = [
    criterion("a trace is in aos_traces", probe !== null, probe?.run_id ?? "none"),
    criterion(
      "the trace has steps",
      (probe?.step_count ?? 0) > 0,
      String(probe?.step_count ?? "not known"),
    ),
    ...criteriaOf(facts),
    criterion("the tests pass", facts.tests_passed, test_result ?? "not run"),
  ];
  return {
    ...rest,
    tenant_id,
    run_id: probe?.run_id ?? null,
    started_at: probe?.started_at ?? null,
    status: probe?.status ?? null,
    step_count_database: probe?.step_count ?? null,
    integrity_model: fields?.integrity_model ?? null,
    verification_status: fields?.verification_status ?? null,
    failure_reason: proof?.integrity.failure_reason ?? null,
    chain_length: fields?.chain_length ?? null,
    root_hash: fields?.root_hash ?? null,
    trace_count: fields?.trace_count ?? null,
    step_count: fields?.step_count ?? null,
    test_suite: suite.name,
    test_result,
    criteria,
    passed: criteria.every(({ verdict }) => verdict === "PASS"),
  };
};
