import type { StoredSeal, StoredTrace } from "@runproof/proof/StoredRun";
import { bounded } from "./boundedText.ts";
import { timeText } from "./timeText.ts";

/** The columns of `aos_traces` as a verifier needs them: times as text, for a Date would lose the microseconds. */
export const traceColumns = `
           trace_id, run_id, tenant_id, ${["correlation_id", "agent_id", "origin_system_id", "incident_id", "replay_of"].map(bounded).join(", ")},
           ${timeText("started_at")} as started_at,
           ${timeText("created_at")} as created_at,
           plan_commitment, attributes_commitment, seed,
           ${timeText("frozen_timestamp")} as frozen_timestamp,
           is_synthetic, ${["synthetic_scenario_id", "redaction"].map(bounded).join(", ")}, capture,
           ${bounded("record")}, leaf_hash, link, ${bounded("plan")}, plan_salt, ${bounded("attributes")}, attributes_salt,
           status, ${bounded("reason")},
           ${timeText("completed_at")} as completed_at,
           ${timeText("sealed_at")} as sealed_at,
           step_count, chain_head, merkle_root, metadata_commitment, ${bounded("seal_record")}, root_hash, ${bounded("metadata")}, metadata_salt,
           ${timeText("archived_at")} as archived_at,
           ${timeText("erased_at")} as erased_at`;

/** A row of `aos_traces`, read with `traceColumns`. */
export interface TraceRow {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly correlation_id: string;
  readonly agent_id: string | null;
  readonly origin_system_id: string | null;
  readonly incident_id: string | null;
  readonly replay_of: string | null;
  readonly started_at: string;
  readonly created_at: string;
  readonly plan_commitment: string | null;
  readonly attributes_commitment: string | null;
  readonly seed: bigint | null;
  readonly frozen_timestamp: string | null;
  readonly is_synthetic: boolean;
  readonly synthetic_scenario_id: string | null;
  readonly redaction: string | null;
  readonly capture: string;
  readonly record: string;
  readonly leaf_hash: string;
  readonly link: string;
  readonly plan: string | null;
  readonly plan_salt: string | null;
  readonly attributes: string | null;
  readonly attributes_salt: string | null;
  readonly status: string;
  readonly reason: string | null;
  readonly completed_at: string | null;
  readonly sealed_at: string | null;
  readonly step_count: bigint | null;
  readonly chain_head: string | null;
  readonly merkle_root: string | null;
  readonly metadata_commitment: string | null;
  readonly seal_record: string | null;
  readonly root_hash: string | null;
  readonly metadata: string | null;
  readonly metadata_salt: string | null;
  readonly archived_at: string | null;
  readonly erased_at: string | null;
}

/** One trace row as a verifier takes it. */
export interface TraceAndSeal {
  readonly trace: StoredTrace;
  readonly seal: StoredSeal | null;
}

const integer = (value: bigint | null): number | null => (value === null ? null : Number(value));

const storedTrace = (row: TraceRow): StoredTrace => ({
  record: row.record,
  leaf_hash: row.leaf_hash,
  link: row.link,
  status: row.status,
  columns: {
    trace_id: row.trace_id,
    run_id: row.run_id,
    tenant_id: row.tenant_id,
    correlation_id: row.correlation_id,
    agent_id: row.agent_id,
    origin_system_id: row.origin_system_id,
    incident_id: row.incident_id,
    replay_of: row.replay_of,
    started_at: row.started_at,
    created_at: row.created_at,
    plan: row.plan_commitment,
    attributes: row.attributes_commitment,
    seed: integer(row.seed),
    frozen_timestamp: row.frozen_timestamp,
    is_synthetic: row.is_synthetic,
    synthetic_scenario_id: row.synthetic_scenario_id,
    redaction: row.redaction,
    capture: row.capture,
  },
  payloads: {
    plan: { salt: row.plan_salt, text: row.plan },
    attributes: { salt: row.attributes_salt, text: row.attributes },
  },
  erased_at: row.erased_at,
  archived_at: row.archived_at,
});

const sealColumns = (row: TraceRow) => ({
  status: row.status,
  reason: row.reason,
  completed_at: row.completed_at,
  sealed_at: row.sealed_at,
  step_count: integer(row.step_count),
  chain_head: row.chain_head,
  merkle_root: row.merkle_root,
  metadata: row.metadata_commitment,
});

/** A seal is there when any of it is: half of one is for the verifier to name, never an open trace. */
const storedSeal = (row: TraceRow): StoredSeal | null => {
  const { status: _, ...rest } = sealColumns(row);
  const parts = [
    row.seal_record,
    row.root_hash,
    row.metadata,
    row.metadata_salt,
    ...Object.values(rest),
  ];
  if (parts.every((part) => part === null)) return null;
  return {
    record: row.seal_record ?? "",
    root_hash: row.root_hash ?? "",
    columns: sealColumns(row),
    payloads: { metadata: { salt: row.metadata_salt, text: row.metadata } },
  };
};

/** One row as a verifier takes it. */
export const traceAndSeal = (row: TraceRow): TraceAndSeal => ({
  trace: storedTrace(row),
  seal: storedSeal(row),
});
