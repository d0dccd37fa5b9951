/** What a run's record masks, whichever way it came in. */
import { assert, describe, it } from "vitest";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { DEFAULT_REDACTOR } from "@runproof/spine-coordinators/logs/WriteRules";

const TELLING = { values: "told", redactor: DEFAULT_REDACTOR } as const;
const AT = "2026-02-10T12:43:41.549430Z";
const SECRET = "hunter2-and-more";
const MAIL = "ann.lee@example.com";

describe("a record that is made under rules", () => {
  it("holds no secret of plan, goal and attributes, and names the rules", () => {
    const trace = prepareTrace(
      {
        trace_id: "t",
        run_id: "r",
        tenant_id: "x",
        correlation_id: "r",
        agent_id: null,
        origin_system_id: null,
        incident_id: null,
        replay_of: null,
        started_at: AT,
        created_at: AT,
        plan: {
          steps: [{ params: new Map([["password", SECRET]]) }, { params: { password: SECRET } }],
        },
        attributes: { goal: `write to ${MAIL}`, [MAIL]: 1 },
        seed: null,
        frozen_timestamp: null,
        is_synthetic: false,
        synthetic_scenario_id: null,
        capture: "inline",
        redaction: null,
      },
      TELLING,
    );
    assert.include(trace.record, `"redaction":"default@v1"`);
    assert.notInclude(trace.payloads.plan!.text, `"password":"${SECRET}`);
    assert.notInclude(JSON.stringify(trace), MAIL);
    const { runproof } = JSON.parse(trace.payloads.attributes!.text);
    assert.strictEqual(runproof.redaction["email"], 2);
    assert.isAtLeast(runproof.redaction["field-password"], 1);
  });

  it("holds none of a step's params, error and code; the caller's value stays as it is", () => {
    const params = { body: JSON.stringify({ token: SECRET }), to: MAIL };
    const step = prepareStep(
      {
        trace_id: "t",
        capture: "inline",
        step_index: 0,
        parent_step_index: null,
        intent_index: null,
        skill_id: "s",
        skill_name: "s",
        source: "engine",
        status: "failure",
        outcome_category: "PERMANENT",
        outcome_code: `no mailbox ${MAIL}`,
        params,
        outcome_data: { error: `postgres://ann:${SECRET}@db/x refused` },
        cost_cents: null,
        duration_ms: 1,
        started_at: AT,
        retry_count: 0,
        replay_behavior: "execute",
        idempotency_key: null,
        timestamp: AT,
        is_synthetic: false,
        synthetic_scenario_id: null,
      },
      TELLING,
    );
    assert.notInclude(JSON.stringify(step), SECRET);
    assert.notInclude(JSON.stringify(step), MAIL);
    assert.deepStrictEqual(JSON.parse(step.payloads.attributes!.text), {
      runproof: { redaction: { email: 1, "field-token": 1, "url-password": 1 } },
    });
    assert.strictEqual(params.to, MAIL);
  });

  it("holds none of a seal's reason and metadata", () => {
    const seal = prepareSeal(
      {
        trace_id: "t",
        status: "failed",
        reason: `no mailbox ${MAIL}`,
        completed_at: AT,
        sealed_at: AT,
        metadata: { detail: `no mailbox ${MAIL}` },
      },
      TELLING,
    );
    assert.notInclude(JSON.stringify(seal), MAIL);
  });
});
