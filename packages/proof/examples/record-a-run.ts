import { bundleText, makeBundle } from "@runproof/proof/Bundle";
import { nextLink } from "@runproof/proof/Chain";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { prepareSeal, sealRecordText } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { timestampNow } from "@runproof/proof/Timestamp";
import { prepareTrace } from "@runproof/proof/TraceRecord";

/** Records a run of one step in memory and gives its bundle. A store does the same, durably, row by row. */
export const recordRun = (answer: unknown): string => {
  const trace_id = crypto.randomUUID();
  const trace = prepareTrace({
    trace_id,
    run_id: "run-1",
    tenant_id: "acme",
    correlation_id: "run-1",
    agent_id: "support-agent",
    origin_system_id: null,
    incident_id: null,
    replay_of: null,
    started_at: timestampNow(),
    created_at: timestampNow(),
    plan: { steps: [{ skill: "http_call", params: { url: "http://127.0.0.1:8080/" } }] },
    seed: null,
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    capture: "inline",
  });
  const step = prepareStep({
    trace_id,
    capture: "inline",
    step_index: 0,
    parent_step_index: null,
    intent_index: null,
    skill_id: "http_call",
    skill_name: "http_call",
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: "HTTP_200",
    params: { url: "http://127.0.0.1:8080/" },
    outcome_data: answer,
    cost_cents: null,
    duration_ms: 12.5,
    started_at: timestampNow(),
    retry_count: 0,
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp: timestampNow(),
    is_synthetic: false,
    synthetic_scenario_id: null,
  });
  const leaves = [trace.leaf_hash, step.leaf_hash];

  const seal = prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    completed_at: timestampNow(),
    sealed_at: timestampNow(),
  });
  const sealRecord = sealRecordText(seal, {
    chain_head: nextLink(trace.link, step.leaf_hash),
    merkle_root: merkleRoot(leaves),
    step_count: 1,
  });

  const none = { salt: null, text: null };
  return bundleText(
    makeBundle({
      trace: {
        record: trace.record,
        payloads: { plan: trace.payloads.plan ?? none, attributes: none },
      },
      steps: [
        {
          record: step.record,
          payloads: {
            params: step.payloads.params ?? none,
            outcome_data: step.payloads.outcome_data ?? none,
            attributes: none,
          },
        },
      ],
      seal: { record: sealRecord, payloads: { metadata: none } },
    }),
  );
};
