/** Runs to record: every field that may be null has a value, unless a test takes it away. */
import { randomUUID } from "node:crypto";
import { Database } from "@runproof/drivers/Database";
import { prepareSeal, type SealInput } from "@runproof/proof/SealRecord";
import { prepareStep, type StepInput } from "@runproof/proof/StepRecord";
import { StoredRunVerifier } from "@runproof/proof/StoredRun";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import type { AppendStep } from "@runproof/drivers/logs/appendStep";
import type { TraceHead } from "@runproof/drivers/logs/readHead";
import * as Effect from "effect/Effect";
import { traces } from "./Stores.ts";

/** Long enough that no lease ends while a test runs. */
export const LEASE_MS = 600_000;

/** Who holds the leases. */
export const HOLDER = "test";

/** Which run, and whose. */
export interface Identity {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
}

/** An identity that no other test has. */
export const freshIdentity = (tenant_id = `tenant-${randomUUID()}`): Identity => ({
  trace_id: `trace-${randomUUID()}`,
  run_id: `run-${randomUUID()}`,
  tenant_id,
});

/** A trace's fields. */
export const traceInput = (
  identity: Identity,
  overrides: Partial<TraceInput> = {},
): TraceInput => ({
  ...identity,
  correlation_id: `correlation of ${identity.run_id}`,
  agent_id: "agent-7",
  origin_system_id: "shop",
  incident_id: "incident-3",
  replay_of: "run-before",
  started_at: "2026-02-10T12:43:41.549430Z",
  created_at: "2026-02-10T12:43:41.550001Z",
  seed: 42,
  frozen_timestamp: "2026-02-10T12:00:00.000001Z",
  is_synthetic: true,
  synthetic_scenario_id: "scenario-1",
  redaction: "rules-1",
  capture: "inline",
  plan: { steps: [{ skill: "http_call" }] },
  attributes: { service: "checkout" },
  ...overrides,
});

/** A step's fields. */
export const stepInput = (trace_id: string, overrides: Partial<StepInput> = {}): StepInput => ({
  trace_id,
  capture: "inline",
  step_index: 0,
  parent_step_index: null,
  intent_index: null,
  skill_id: "http_call",
  skill_name: "HTTP call",
  source: "engine",
  status: "success",
  outcome_category: "SUCCESS",
  outcome_code: "200",
  params: { url: "https://example.com/" },
  outcome_data: { status: 200 },
  attributes: { span: "b7ad6b7169203331" },
  cost_cents: 0.25,
  duration_ms: 12.5,
  started_at: "2026-02-10T12:43:42.000001Z",
  retry_count: 1,
  replay_behavior: "execute",
  idempotency_key: "key-1",
  timestamp: "2026-02-10T12:43:42.100002Z",
  is_synthetic: true,
  synthetic_scenario_id: "scenario-1",
  ...overrides,
});

/** A seal's fields. */
export const sealInput = (trace_id: string, overrides: Partial<SealInput> = {}): SealInput => ({
  trace_id,
  status: "completed",
  reason: "all steps succeeded",
  completed_at: "2026-02-10T12:43:45.000003Z",
  sealed_at: "2026-02-10T12:43:45.000004Z",
  metadata: { cost: 1 },
  ...overrides,
});

/** Starts a trace; no lease of it ends while a test runs, unless it says so. */
export const start = (
  identity: Identity,
  overrides: Partial<TraceInput> = {},
  lease: { readonly holder?: string; readonly lease_ms?: number } = {},
) =>
  Effect.flatMap(traces, (store) =>
    store.start({
      trace: prepareTrace(traceInput(identity, overrides)),
      holder: HOLDER,
      lease_ms: LEASE_MS,
      ...lease,
    }),
  );

/** Records one step, or some, at the trace's next index; answers where the chain stands after it. */
export const record = (trace_id: string, ...steps: ReadonlyArray<Partial<StepInput>>) =>
  Effect.flatMap(traces, (store) =>
    Effect.flatMap(store.head(trace_id), (head) => recordAt(head, ...steps)),
  );

/** Records one step, or some, after a head that the caller believes in. */
export const recordAt = (head: TraceHead, ...some: ReadonlyArray<Partial<StepInput>>) =>
  Effect.gen(function* () {
    const { trace_id, next_index } = head;
    const store = yield* traces;
    const steps = (some.length === 0 ? [{}] : some).map((overrides, at) =>
      prepareStep(stepInput(trace_id, { step_index: next_index + at, ...overrides })),
    );
    const [step] = steps;
    const link =
      steps.length === 1
        ? yield* appendOne({ trace_id, holder: HOLDER, step_index: next_index, step: step! })
        : yield* store.appendSteps({ trace_id, holder: HOLDER, first_index: next_index, steps });
    return { trace_id, next_index: next_index + steps.length, link };
  });

/** Appends one step, alone in its batch. */
export const appendOne = (item: AppendStep) =>
  Effect.flatMap(traces, (store) =>
    Effect.flatMap(store.append([item]), ([answer]) => Effect.fromResult(answer!)),
  );

/** Seals a trace as `completed`, or as the overrides say. */
export const seal = (trace_id: string, overrides: Partial<SealInput> = {}) =>
  Effect.flatMap(traces, (store) =>
    store.seal({ trace_id, holder: HOLDER, seal: prepareSeal(sealInput(trace_id, overrides)) }),
  );

/** A step whose place shows in what it holds; the second and later ones have a parent. */
export const numberedStep = (index: number): Partial<StepInput> => ({
  parent_step_index: index === 0 ? null : index - 1,
  skill_name: `step number ${index}`,
  params: { index },
});

/** Records a run with steps, and leaves it open. */
export const openRun = (steps: number, identity = freshIdentity()) =>
  Effect.gen(function* () {
    yield* start(identity);
    for (let index = 0; index < steps; index += 1)
      yield* record(identity.trace_id, numberedStep(index));
    return identity;
  });

/** Records a run with steps, and seals it. */
export const sealedRun = (steps: number, identity = freshIdentity()) =>
  Effect.gen(function* () {
    yield* openRun(steps, identity);
    return { ...identity, sealed: yield* seal(identity.trace_id) };
  });

/** Reads a run. */
export const read = ({ tenant_id, run_id }: Identity) =>
  Effect.flatMap(traces, (store) => store.get({ tenant_id, run_id }));

/** The verifier's answer on a run that was read. */
export const verdictOf = (run: Effect.Success<ReturnType<typeof read>>) => {
  const verifier = new StoredRunVerifier(run.trace, {
    erasure_recorded: (step_index, name) => {
      const owner =
        step_index !== null ? `step ${step_index}` : name === "metadata" ? "seal" : "trace";
      return run.erasures_recorded.has(`${owner}:${name}`);
    },
    archival_recorded: () => run.archival_recorded,
  });
  for (const step of run.steps) verifier.addStep(step);
  return verifier.finish(run.seal);
};

/** Reads a run and verifies it. */
export const verify = (identity: Identity) => Effect.map(read(identity), verdictOf);

/** Where a run stands, by its own row; null where it has none. */
export const runStatus = ({ tenant_id, run_id }: Identity) =>
  Effect.flatMap(Database, ({ sql }) =>
    sql<{ status: string }>`
      select status from runs where tenant_id = ${tenant_id} and run_id = ${run_id}`.pipe(
      Effect.map(([row]) => row?.status ?? null),
    ),
  );
