/** Goal: a step whose answer never came is taken as the seal counts it, and no other difference is let through. */
import { assert, describe, it } from "@effect/vitest";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import type { SealedTrace } from "@runproof/drivers/logs/sealTrace";
import { nextLink, rootHash } from "@runproof/proof/Chain";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { sealRecordText } from "@runproof/proof/SealRecord";
import { Chain } from "../src/logs/Chain.ts";

const trace_id = "trace-1";
const at = "2026-02-10T12:43:41.549430Z";

const trace = prepareTrace({
  trace_id,
  run_id: "run-1",
  tenant_id: "t",
  correlation_id: "run-1",
  agent_id: null,
  origin_system_id: null,
  incident_id: null,
  replay_of: null,
  started_at: at,
  created_at: at,
  seed: null,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
  capture: "inline",
});

const stepNamed = (skill_id: string, step_index = 0) =>
  prepareStep({
    trace_id,
    capture: "inline",
    step_index,
    intent_index: null,
    parent_step_index: null,
    skill_id,
    skill_name: skill_id,
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: null,
    cost_cents: null,
    duration_ms: null,
    started_at: null,
    retry_count: 0,
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp: at,
    is_synthetic: false,
    synthetic_scenario_id: null,
  });

const [first, second] = [stepNamed("first"), stepNamed("second", 1)];

const seal = prepareSeal({
  trace_id,
  status: "aborted",
  reason: "the server went away",
  completed_at: at,
  sealed_at: at,
});

/** A chain over steps, and the seal that an honest store answers over them. */
const honest = (steps: ReadonlyArray<typeof first>) => {
  const chain = Chain.begin(trace_id, trace);
  const links = steps.map((step) => {
    chain.extend([step], nextLink(chain.head.link, step.leaf_hash));
    return chain.head.link;
  });
  const chain_head = chain.head.link;
  const step_count = steps.length;
  const merkle_root = merkleRoot([trace, ...steps].map((record) => record.leaf_hash));
  const seal_record = sealRecordText(seal, { chain_head, merkle_root, step_count });
  const root_hash = rootHash(chain_head, seal_record);
  const sealed: SealedTrace = {
    trace_id,
    seal_record,
    step_count,
    chain_head,
    merkle_root,
    root_hash,
  };
  return { sealed, links };
};

const chainOf = (...steps: ReadonlyArray<typeof first>) => {
  const chain = Chain.begin(trace_id, trace);
  for (const step of steps) chain.extend([step], nextLink(chain.head.link, step.leaf_hash));
  return chain;
};

describe("a chain whose last step was not answered", () => {
  it("takes a seal that counts the step, and one that does not", () => {
    const kept = honest([first, second]).sealed;
    assert.isUndefined(chainOf(first).compareSeal(seal, kept, [second]));
    const lost = honest([first]).sealed;
    assert.isUndefined(chainOf(first).compareSeal(seal, lost, [second]));
  });

  it("takes no seal over another step in its place", () => {
    const forged = honest([first, stepNamed("forged", 1)]).sealed;
    assert.strictEqual(chainOf(first).compareSeal(seal, forged, [second])?.what, "chain_head");
  });

  it("takes no seal over more or fewer steps", () => {
    const more = honest([first, second, second]).sealed;
    assert.strictEqual(chainOf(first).compareSeal(seal, more, [second])?.what, "step_count");
    const fewer = honest([]).sealed;
    assert.strictEqual(chainOf(first).compareSeal(seal, fewer, [second])?.what, "step_count");
  });
});

describe("a chain", () => {
  it("takes the links and the seal of an honest store", () => {
    const { sealed, links } = honest([first, second]);
    const chain = Chain.begin(trace_id, trace);
    assert.isUndefined(chain.extend([first], links[0]!));
    assert.isUndefined(chain.extend([second], links[1]!));
    assert.isUndefined(chain.compareSeal(seal, sealed, []));
  });

  for (const field of ["seal_record", "chain_head", "merkle_root", "root_hash"] as const) {
    it(`takes no seal with another ${field}`, () => {
      const { sealed } = honest([first]);
      const other = sealed[field].replace(/[0-9a-f]/u, (digit) => (digit === "0" ? "1" : "0"));
      const mismatch = chainOf(first).compareSeal(seal, { ...sealed, [field]: other }, []);
      assert.strictEqual(mismatch?._tag, "ChainMismatch");
    });
  }

  it("takes no other link, and no start with another index or link", () => {
    const extend = (answered: string) =>
      Chain.begin(trace_id, trace).extend([first], answered)?._tag;
    assert.isUndefined(extend(honest([first]).links[0]!));
    assert.strictEqual(extend(trace.link), "ChainMismatch");
    const start = { trace_id, next_index: 0, link: trace.link };
    const compare = (answered: typeof start) =>
      Chain.begin(trace_id, trace).compareHead(answered)?._tag;
    assert.isUndefined(compare(start));
    assert.strictEqual(compare({ ...start, next_index: 2 }), "ChainMismatch");
    assert.strictEqual(compare({ ...start, link: first.leaf_hash }), "ChainMismatch");
  });
});
