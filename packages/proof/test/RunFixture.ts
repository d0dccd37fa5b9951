/** Makes the database rows of a run, as an honest store would write them. */
import type { StepStatus } from "@runproof/schemas/StepRecord";
import { firstLink, leafHash, nextLink, rootHash } from "../src/Chain.ts";
import { merkleRoot } from "../src/MerkleTree.ts";
import type { Payload } from "../src/Payload.ts";
import { prepareSeal, type SealInput, sealRecordText } from "../src/SealRecord.ts";
import { prepareStep, type StepInput } from "../src/StepRecord.ts";
import type {
  ColumnValue,
  StoredPayload,
  StoredSeal,
  StoredStep,
  StoredTrace,
} from "../src/StoredRun.ts";
import { formatTimestamp } from "../src/Timestamp.ts";
import { prepareTrace, type TraceInput } from "../src/TraceRecord.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object | null ? Mutable<T[K]> : T[K] };

export interface StoredRun {
  trace: Mutable<StoredTrace>;
  steps: Array<Mutable<StoredStep>>;
  seal: Mutable<StoredSeal> | null;
}

const EPOCH_MICROS = 1_770_725_000_000_000n;
export const timeAt = (second: number): string =>
  formatTimestamp(EPOCH_MICROS + BigInt(second) * 1_000_001n);

export const traceInput = (over: Partial<TraceInput> = {}): TraceInput => ({
  trace_id: "trace-1",
  run_id: "run-1",
  tenant_id: "tenant-1",
  correlation_id: "correlation-1",
  agent_id: "agent-é",
  origin_system_id: "tests",
  incident_id: null,
  replay_of: null,
  started_at: timeAt(0),
  created_at: timeAt(1),
  plan: { steps: [{ skill: "http_call", params: {} }] },
  attributes: null,
  seed: 7,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
  capture: "inline",
  ...over,
});

const STATUSES: ReadonlyArray<StepStatus> = ["success", "failure", "retry", "skipped"];

export const stepInput = (index: number, over: Partial<StepInput> = {}): StepInput => ({
  trace_id: "trace-1",
  capture: "inline",
  step_index: index,
  intent_index: null,
  parent_step_index: index === 0 ? null : index - 1,
  skill_id: "http_call",
  skill_name: `call ${index}`,
  source: "engine",
  status: STATUSES[index % 4]!,
  outcome_category: "SUCCESS",
  outcome_code: "HTTP_200",
  params: { url: `http://127.0.0.1/${index}`, n: [index, 0.1] },
  outcome_data: index % 3 === 0 ? null : { body: `answer ${index}` },
  ...(index % 2 === 0 ? { attributes: { span: index } } : {}),
  cost_cents: index / 8,
  duration_ms: 227.6,
  started_at: timeAt(2 * index),
  retry_count: 0,
  replay_behavior: "execute",
  idempotency_key: null,
  timestamp: timeAt(2 * index + 1),
  is_synthetic: false,
  synthetic_scenario_id: null,
  ...over,
});

export const sealInput = (over: Partial<SealInput> = {}): SealInput => ({
  trace_id: "trace-1",
  status: "completed",
  reason: null,
  completed_at: timeAt(1000),
  sealed_at: timeAt(1001),
  metadata: { tokens: 12 },
  ...over,
});

const stored = (payload: Payload | null): StoredPayload =>
  payload === null ? { salt: null, text: null } : { salt: payload.salt, text: payload.text };

const columnsOf = (record: string, without: ReadonlyArray<string>): Record<string, ColumnValue> =>
  Object.fromEntries(
    Object.entries(JSON.parse(record) as Record<string, ColumnValue>).filter(
      ([key]) => !without.includes(key),
    ),
  );

export const storedTrace = (input: TraceInput): StoredTrace => {
  const { record, leaf_hash, link, payloads } = prepareTrace(input);
  return {
    record,
    leaf_hash,
    link,
    status: "running",
    columns: columnsOf(record, ["type"]),
    payloads: { plan: stored(payloads.plan), attributes: stored(payloads.attributes) },
    erased_at: null,
    archived_at: null,
  };
};

export const storedStep = (
  trace: StoredTrace,
  previous: string,
  index: number,
  input: StepInput,
): StoredStep => {
  const prepared = prepareStep({ ...input, step_index: index });
  const { record, leaf_hash } = prepared;
  return {
    record,
    leaf_hash,
    link: nextLink(previous, leaf_hash),
    columns: {
      ...columnsOf(record, ["type"]),
      run_id: trace.columns["run_id"]!,
      tenant_id: trace.columns["tenant_id"]!,
    },
    payloads: {
      params: stored(prepared.payloads.params),
      outcome_data: stored(prepared.payloads.outcome_data),
      attributes: stored(prepared.payloads.attributes),
    },
    erased_at: null,
  };
};

export const storedSeal = (
  trace: StoredTrace,
  steps: ReadonlyArray<StoredStep>,
  input: SealInput,
): StoredSeal => {
  const prepared = prepareSeal(input);
  const chain_head = steps.at(-1)?.link ?? trace.link;
  const merkle_root = merkleRoot([trace, ...steps].map((row) => row.leaf_hash));
  const record = sealRecordText(prepared, { chain_head, merkle_root, step_count: steps.length });
  return {
    record,
    root_hash: rootHash(chain_head, record),
    columns: columnsOf(record, ["type", "trace_id"]),
    payloads: { metadata: stored(prepared.payloads.metadata) },
  };
};

/** The rows of a sealed run of `stepCount` steps. */
export const storedRun = (
  stepCount: number,
  over: {
    trace?: Partial<TraceInput>;
    step?: Partial<StepInput>;
    seal?: Partial<SealInput>;
    isOpen?: boolean;
  } = {},
): StoredRun => {
  const trace_id = over.trace?.trace_id ?? "trace-1";
  const trace = storedTrace(traceInput(over.trace));
  const steps: Array<StoredStep> = [];
  for (let index = 0; index < stepCount; index++) {
    const previous = steps.at(-1)?.link ?? trace.link;
    steps.push(storedStep(trace, previous, index, stepInput(index, { trace_id, ...over.step })));
  }
  if (over.isOpen === true) return structuredClone({ trace, steps, seal: null }) as StoredRun;
  const seal = storedSeal(trace, steps, sealInput({ trace_id, ...over.seal }));
  const status = seal.columns["status"] as string;
  return structuredClone({ trace: { ...trace, status }, steps, seal }) as StoredRun;
};

/** Re-exported for attackers that recompute hashes. */
export { firstLink, leafHash, nextLink, rootHash };
