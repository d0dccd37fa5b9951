import type { StoredStep } from "@runproof/proof/StoredRun";
import { bounded } from "./boundedText.ts";
import { timeText } from "./timeText.ts";

/** The columns of `aos_trace_steps` as a verifier needs them: times as text, for a Date would lose the microseconds. */
export const stepColumns = `
           trace_id, step_index, run_id, tenant_id, parent_step_index, intent_index, ${bounded("skill_id")}, ${bounded("skill_name")}, source, status, level,
           ${bounded("outcome_category")}, ${bounded("outcome_code")}, params_commitment, outcome_data_commitment, attributes_commitment,
           cost_cents, duration_ms,
           ${timeText("started_at")} as started_at,
           retry_count, replay_behavior, ${bounded("idempotency_key")},
           ${timeText('"timestamp"')} as "timestamp",
           is_synthetic, ${bounded("synthetic_scenario_id")},
           ${bounded("record")}, leaf_hash, link,
           ${bounded("params")}, params_salt, ${bounded("outcome_data")}, outcome_data_salt, ${bounded("attributes")}, attributes_salt,
           ${timeText("erased_at")} as erased_at,
           encode(subtrees, 'hex') as subtrees`;

/** A row of `aos_trace_steps`, read with `stepColumns`. */
export interface StepRow {
  readonly trace_id: string;
  readonly step_index: bigint;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly parent_step_index: bigint | null;
  readonly intent_index: bigint | null;
  readonly skill_id: string;
  readonly skill_name: string;
  readonly source: string;
  readonly status: string;
  readonly level: string;
  readonly outcome_category: string;
  readonly outcome_code: string | null;
  readonly params_commitment: string | null;
  readonly outcome_data_commitment: string | null;
  readonly attributes_commitment: string | null;
  readonly cost_cents: number | null;
  readonly duration_ms: number | null;
  readonly started_at: string | null;
  readonly retry_count: bigint;
  readonly replay_behavior: string;
  readonly idempotency_key: string | null;
  readonly timestamp: string;
  readonly is_synthetic: boolean;
  readonly synthetic_scenario_id: string | null;
  readonly record: string;
  readonly leaf_hash: string;
  readonly link: string;
  readonly params: string | null;
  readonly params_salt: string | null;
  readonly outcome_data: string | null;
  readonly outcome_data_salt: string | null;
  readonly attributes: string | null;
  readonly attributes_salt: string | null;
  readonly erased_at: string | null;
  readonly subtrees: string | null;
}

/** A column that was nulled must reach the verifier as what it is, though its definition says that it can't be. */
const integer = (value: bigint | null): number | null => (value === null ? null : Number(value));

/** One row as a verifier takes it. */
export const storedStep = (row: StepRow): StoredStep => ({
  record: row.record,
  leaf_hash: row.leaf_hash,
  link: row.link,
  columns: {
    trace_id: row.trace_id,
    step_index: integer(row.step_index),
    run_id: row.run_id,
    tenant_id: row.tenant_id,
    parent_step_index: integer(row.parent_step_index),
    intent_index: integer(row.intent_index),
    skill_id: row.skill_id,
    skill_name: row.skill_name,
    source: row.source,
    status: row.status,
    level: row.level,
    outcome_category: row.outcome_category,
    outcome_code: row.outcome_code,
    params: row.params_commitment,
    outcome_data: row.outcome_data_commitment,
    attributes: row.attributes_commitment,
    cost_cents: row.cost_cents,
    duration_ms: row.duration_ms,
    started_at: row.started_at,
    retry_count: integer(row.retry_count),
    replay_behavior: row.replay_behavior,
    idempotency_key: row.idempotency_key,
    timestamp: row.timestamp,
    is_synthetic: row.is_synthetic,
    synthetic_scenario_id: row.synthetic_scenario_id,
  },
  payloads: {
    params: { salt: row.params_salt, text: row.params },
    outcome_data: { salt: row.outcome_data_salt, text: row.outcome_data },
    attributes: { salt: row.attributes_salt, text: row.attributes },
  },
  erased_at: row.erased_at,
  subtrees: row.subtrees,
});
