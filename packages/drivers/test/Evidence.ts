/** Runs to record: every field that may be null has a value, unless a test takes it away. */
import type { StoreRun } from "@runproof/drivers/RunStore";
import { randomUUID } from "node:crypto";
import { prepareSeal, type SealInput } from "@runproof/proof/SealRecord";
import { prepareStep, type StepInput } from "@runproof/proof/StepRecord";
import { StoredRunVerifier } from "@runproof/proof/StoredRun";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import type { StoredRun } from "@runproof/drivers/TraceStore";
import { TraceStore } from "@runproof/drivers/TraceStore";
import * as Effect from "effect/Effect";

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
  plan: { steps: [{ skill: "http_call" }] },
  attributes: { service: "checkout" },
  ...overrides,
});

/** The row of a run as it is stored before its trace, of `traceInput`, starts. */
export const storedRun = ({ run_id, tenant_id }: Omit<Identity, "trace_id">): StoreRun => ({
  run_id,
  tenant_id,
  agent_id: "agent-7",
  origin_system_id: "shop",
  goal: null,
  plan: '{"steps":[{"skill":"http_call"}]}',
});

/** A step's fields. */
export const stepInput = (trace_id: string, overrides: Partial<StepInput> = {}): StepInput => ({
  trace_id,
  parent_step_index: null,
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
  Effect.flatMap(TraceStore, (store) =>
    store.start({
      trace: prepareTrace(traceInput(identity, overrides)),
      holder: HOLDER,
      lease_ms: LEASE_MS,
      ...lease,
    }),
  );

/** Records one step. */
export const record = (trace_id: string, overrides: Partial<StepInput> = {}) =>
  Effect.flatMap(TraceStore, (store) =>
    store.recordStep({
      trace_id,
      holder: HOLDER,
      step: prepareStep(stepInput(trace_id, overrides)),
    }),
  );

/** Seals a trace as `completed`, or as the overrides say. */
export const seal = (trace_id: string, overrides: Partial<SealInput> = {}) =>
  Effect.flatMap(TraceStore, (store) => {
    const prepared = {
      trace_id,
      holder: HOLDER,
      seal: prepareSeal(sealInput(trace_id, overrides)),
    };
    return overrides.status === "aborted" ? store.abort(prepared) : store.complete(prepared);
  });

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
  Effect.flatMap(TraceStore, (store) => store.get({ tenant_id, run_id }));

/** The verifier's answer on a run that was read. */
export const verdictOf = (run: StoredRun) => {
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
