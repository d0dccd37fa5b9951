import * as Effect from "effect/Effect";
import { randomUUID } from "node:crypto";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { type PreparedStep, prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { OUTCOME, PARAMS, SKILL_ID } from "./Act.ts";
import { TENANT_ID } from "./Product.ts";

const TIME = "2026-02-10T12:43:41.549430Z";
const HOLDER = "benchmark";
/** Longer than any part of the suite. */
const LEASE_MS = 3_600_000;
const STEPS_AT_ONCE = 2_000;
const TRACES_AT_ONCE = 4;

/** A like step of the trace, at its index. */
export const stepAt = (trace_id: string, step_index: number): PreparedStep =>
  prepareStep({
    trace_id,
    capture: "inline",
    step_index,
    intent_index: null,
    parent_step_index: null,
    skill_id: SKILL_ID,
    skill_name: SKILL_ID,
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: "201",
    params: PARAMS,
    outcome_data: OUTCOME,
    cost_cents: 0.5,
    duration_ms: 12.5,
    started_at: TIME,
    retry_count: 0,
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp: TIME,
    is_synthetic: false,
    synthetic_scenario_id: null,
  });

/** Starts a trace and records so many like steps, `STEPS_AT_ONCE` of them in a round trip. */
export const openTrace = Effect.fnUntraced(function* (step_count: number) {
  const { sink } = yield* LogsBridge;
  const trace_id = randomUUID();
  const trace = prepareTrace({
    trace_id,
    run_id: trace_id,
    tenant_id: TENANT_ID,
    correlation_id: trace_id,
    agent_id: "agent-7",
    origin_system_id: null,
    incident_id: null,
    replay_of: null,
    started_at: TIME,
    created_at: TIME,
    seed: null,
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    capture: "inline",
    plan: { steps: [] },
  });
  yield* sink.start({ trace, holder: HOLDER, lease_ms: LEASE_MS });
  for (let done = 0; done < step_count; done += STEPS_AT_ONCE) {
    const length = Math.min(STEPS_AT_ONCE, step_count - done);
    yield* appendSteps(trace_id, done, length);
  }
  return trace_id;
});

/** Appends like steps in one call. */
export const appendSteps = Effect.fnUntraced(function* (
  trace_id: string,
  first_index: number,
  length: number,
) {
  const { sink } = yield* LogsBridge;
  const steps = Array.from({ length }, (_, at) => stepAt(trace_id, first_index + at));
  yield* sink.appendSteps({ trace_id, holder: HOLDER, first_index, steps });
  return length;
});

/** Seals such a trace. */
export const sealTrace = Effect.fnUntraced(function* (trace_id: string) {
  const { sink } = yield* LogsBridge;
  const seal = prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    completed_at: TIME,
    sealed_at: TIME,
  });
  yield* sink.seal({ trace_id, holder: HOLDER, seal });
});

/** Records sealed traces of so many steps each, some at the same time. */
export const recordTraces = (lengths: ReadonlyArray<number>) =>
  Effect.forEach(lengths, (length) => Effect.flatMap(openTrace(length), sealTrace), {
    concurrency: TRACES_AT_ONCE,
    discard: true,
  });
