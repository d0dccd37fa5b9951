import * as Effect from "effect/Effect";
import { randomUUID } from "node:crypto";
import { TraceStore } from "@runproof/drivers/TraceStore";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";

const TIME = "2026-02-10T12:43:41.549430Z";
const HOLDER = "benchmark";

/** Records a sealed run of so many like steps, `steps_at_once` of them in a round trip. */
export const recordTrace = Effect.fnUntraced(function* (step_count: number, steps_at_once: number) {
  const store = yield* TraceStore;
  const trace_id = randomUUID();
  const trace = prepareTrace({
    trace_id,
    run_id: randomUUID(),
    tenant_id: "benchmark",
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
  const stepAt = (step_index: number) =>
    prepareStep({
      trace_id,
      capture: "inline",
      step_index,
      intent_index: null,
      parent_step_index: null,
      skill_id: "http_call",
      skill_name: "HTTP call",
      source: "engine",
      status: "success",
      outcome_category: "SUCCESS",
      outcome_code: "200",
      params: { method: "GET", url: "https://example.com/orders/1842" },
      outcome_data: { status: 200, body: { id: "1842", state: "delivered", total_cents: 4990 } },
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
  const holder = HOLDER;
  yield* store.start({ trace, holder, lease_ms: 3_600_000 });
  for (let done = 0; done < step_count; done += steps_at_once) {
    const length = Math.min(steps_at_once, step_count - done);
    const steps = Array.from({ length }, (_, at) => stepAt(done + at));
    yield* store.appendSteps({ trace_id, holder, first_index: done, steps });
  }
  const seal = prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    completed_at: TIME,
    sealed_at: TIME,
  });
  yield* store.seal({ trace_id, holder, seal });
});
