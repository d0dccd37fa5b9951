/**
 * Goal: the schemas take just the records of the format. Method: a good record of each kind, then every key left out,
 * an unknown one added, and each kind of wrong value in turn.
 */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { describe, expect, it } from "vitest";
import { EventRecord } from "../src/EventRecord.ts";
import { SEAL_RECORD_KEYS, SealRecord } from "../src/SealRecord.ts";
import { STEP_RECORD_KEYS, StepRecord } from "../src/StepRecord.ts";
import { TRACE_RECORD_KEYS, TraceRecord } from "../src/TraceRecord.ts";

const time = "2026-02-10T12:43:41.549430Z";
const hash = "ab".repeat(32);

const trace = {
  type: "runproof/trace@v1",
  trace_id: "t",
  run_id: "r",
  tenant_id: "n",
  correlation_id: "c",
  agent_id: null,
  origin_system_id: "o",
  incident_id: null,
  replay_of: null,
  started_at: time,
  created_at: time,
  plan: `sha256:${hash}`,
  attributes: null,
  seed: -7,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
  capture: "gated",
};

const step = {
  type: "runproof/step@v1",
  trace_id: "t",
  step_index: 3,
  parent_step_index: 2,
  intent_index: null,
  skill_id: "",
  skill_name: "http_call",
  source: "engine",
  status: "success",
  level: "INFO",
  outcome_category: "SUCCESS",
  outcome_code: null,
  params: null,
  outcome_data: `sha256:${hash}`,
  attributes: null,
  cost_cents: 0.5,
  duration_ms: null,
  started_at: null,
  retry_count: 0,
  replay_behavior: "execute",
  idempotency_key: null,
  timestamp: time,
  is_synthetic: true,
  synthetic_scenario_id: null,
};

const seal = {
  type: "runproof/seal@v1",
  trace_id: "t",
  status: "completed",
  reason: null,
  completed_at: time,
  sealed_at: time,
  step_count: 4,
  chain_head: hash,
  merkle_root: hash,
  metadata: null,
};

const event = {
  type: "runproof/event@v1",
  event: "key_added",
  trace_id: null,
  occurred_at: time,
  actor: "operator",
  reason: "rotation",
  detail: { old_vkey: "a", new_vkey: "b" },
};

const kinds = [
  ["trace", TraceRecord, trace],
  ["step", StepRecord, step],
  ["seal", SealRecord, seal],
  ["event", EventRecord, event],
] as const;

const isTaken = (schema: Schema.Codec<any, any>, value: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)(value));

describe.each(kinds)("a %s record", (_, schema, good) => {
  it("is taken as it is", () => {
    expect(Schema.decodeUnknownSync(schema)(good)).toEqual(good);
    // Even where the caller asks for unknown keys to be dropped.
    const options = { onExcessProperty: "ignore" } as const;
    expect(() => Schema.decodeUnknownSync(schema)({ ...good, extra: 1 }, options)).toThrow(
      /extra/u,
    );
  });

  it("is refused with any key missing, and with any other", () => {
    for (const key of Object.keys(good)) {
      const { [key as never]: __, ...rest } = good;
      expect(isTaken(schema, rest), key).toBe(false);
      expect(isTaken(schema, { ...good, [key]: undefined }), key).toBe(false);
    }
    for (const key of ["extra", "", "Type", "__proto__"]) {
      const more = JSON.parse(
        JSON.stringify(good).replace("{", `{${JSON.stringify(key)}:null,`),
      ) as unknown;
      expect(isTaken(schema, more), key).toBe(false);
    }
  });

  it("is refused with a value of another kind in any key", () => {
    for (const key of Object.keys(good)) {
      for (const value of [[], () => 1, 10n, NaN, Infinity, "\ud800", "a\u0000", 1.5e300]) {
        expect(isTaken(schema, { ...good, [key]: value }), `${key}: ${String(value)}`).toBe(false);
      }
    }
    for (const value of [null, undefined, 1, "x", [], [good]])
      expect(isTaken(schema, value)).toBe(false);
  });
});

describe("keys", () => {
  it("are those of the format", () => {
    expect(TRACE_RECORD_KEYS).toEqual(Object.keys(trace));
    expect(STEP_RECORD_KEYS).toEqual(Object.keys(step));
    expect(SEAL_RECORD_KEYS).toEqual(Object.keys(seal));
  });
});

describe("rules", () => {
  const taken: ReadonlyArray<[Schema.Codec<any, any>, object, object]> = [
    [TraceRecord, trace, { is_synthetic: true, synthetic_scenario_id: "" }],
    [TraceRecord, trace, { run_id: "😀".repeat(255) }],
    [TraceRecord, trace, { seed: Number.MAX_SAFE_INTEGER }],
    [StepRecord, step, { status: "failure", level: "ERROR" }],
    [StepRecord, step, { status: "retry", level: "WARN" }],
    [StepRecord, step, { status: "skipped", level: "INFO" }],
    [StepRecord, step, { step_index: 0, parent_step_index: null }],
    [StepRecord, step, { cost_cents: 0, duration_ms: 5e-324 }],
    [SealRecord, seal, { reason: "also when completed" }],
    [SealRecord, seal, { status: "aborted", reason: "" }],
    [EventRecord, event, { detail: {} }],
  ];
  it.each(taken)("take %#", (schema, good, over) => {
    expect(isTaken(schema, { ...good, ...over })).toBe(true);
  });

  const refused: ReadonlyArray<[Schema.Codec<any, any>, object, object]> = [
    [TraceRecord, trace, { is_synthetic: true }],
    [TraceRecord, trace, { run_id: "" }],
    [TraceRecord, trace, { run_id: "x".repeat(256) }],
    [TraceRecord, trace, { seed: 2 ** 53 }],
    [TraceRecord, trace, { started_at: "2026-02-10T12:43:41.54943Z" }],
    [TraceRecord, trace, { started_at: "2026-02-10T12:43:41.549430+00:00" }],
    [TraceRecord, trace, { started_at: "2026-02-29T12:43:41.549430Z" }],
    [TraceRecord, trace, { started_at: `${time}\n` }],
    [TraceRecord, trace, { plan: hash }],
    [TraceRecord, trace, { plan: `sha256:${hash.toUpperCase()}` }],
    [TraceRecord, trace, { plan: `sha256:${hash}\n` }],
    [TraceRecord, trace, { type: "runproof/step@v1" }],
    [StepRecord, step, { status: "failure" }],
    [StepRecord, step, { level: "ERROR" }],
    [StepRecord, step, { parent_step_index: 3 }],
    [StepRecord, step, { parent_step_index: -1 }],
    [StepRecord, step, { step_index: 2.5 }],
    [StepRecord, step, { cost_cents: -0.1 }],
    [StepRecord, step, { cost_cents: 2 ** 53 }],
    [StepRecord, step, { retry_count: -1 }],
    [StepRecord, step, { source: "other" }],
    [SealRecord, seal, { status: "running" }],
    [SealRecord, seal, { status: "failed" }],
    [SealRecord, seal, { status: "aborted" }],
    [SealRecord, seal, { chain_head: hash.slice(2) }],
    [SealRecord, seal, { merkle_root: hash.toUpperCase() }],
    [EventRecord, event, { event: "other" }],
    [EventRecord, event, { detail: { root_hash: 1 } }],
    [EventRecord, event, { actor: null }],
  ];
  it.each(refused)("refuse %#", (schema, good, over) => {
    expect(isTaken(schema, { ...good, ...over })).toBe(false);
  });
});
