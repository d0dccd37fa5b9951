/** What a run's record masks, whichever way it came in. */
import { layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { ImportCoordinator } from "@runproof/spine-coordinators/import/ImportCoordinator";
import { IngestCoordinator } from "@runproof/spine-coordinators/ingest/IngestCoordinator";
import { RecordingCoordinator } from "@runproof/spine-coordinators/logs/RecordingCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";
import { assert, describe, it } from "vitest";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { DEFAULT_REDACTOR } from "@runproof/spine-coordinators/logs/WriteRules";

import { databases, runproof } from "./TestDatabase.ts";

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

/** An act that holds a secret wherever it may. */
const ACT = {
  skill_id: "s",
  skill_name: "s",
  source: "external",
  status: "failure",
  outcome_category: "PERMANENT",
  outcome_code: null,
  params: { password: SECRET, note: `mail ${MAIL}` },
  outcome_data: { error: `postgres://ann:${SECRET}@db/x refused` },
  attributes: { api_key: SECRET },
  intent_index: null,
  parent_step_index: null,
  started_at: null,
  cost_cents: null,
  duration_ms: null,
  retry_count: 0,
  replay_behavior: "execute",
  idempotency_key: null,
} as const;

const START = {
  agent_id: null,
  origin_system_id: null,
  incident_id: null,
  replay_of: null,
  attributes: { goal: `write to ${MAIL}` },
  seed: null,
  frozen_timestamp: null,
  is_synthetic: false,
  synthetic_scenario_id: null,
  redaction: null,
} as const;

/** Each way in, given a tenant. */
const WAYS = {
  "a traced program": (tenant_id: string) =>
    TracedRun.run(
      { tenant_id, plan: { password: SECRET }, attributes: { goal: `write to ${MAIL}` } },
      TracedRun.step(
        { skill_id: "s", params: ACT.params, attributes: ACT.attributes },
        Effect.fail(`no mailbox ${MAIL}, password=${SECRET}`),
      ),
    ).pipe(Effect.exit),
  "an import": (tenant_id: string) =>
    ImportCoordinator.use((imports) =>
      imports.importText({
        tenant_id,
        format: "ndjson",
        name: "runs.ndjson",
        text: [
          {
            type: "run",
            run_id: "r",
            started_at: AT,
            attributes: START.attributes,
            plan: { password: SECRET },
          },
          {
            type: "step",
            skill_id: "s",
            status: "failure",
            params: ACT.params,
            outcome_data: ACT.outcome_data,
            attributes: ACT.attributes,
          },
          { type: "end", status: "failed", reason: `no mailbox ${MAIL}`, metadata: ACT.params },
        ]
          .map((line) => JSON.stringify(line))
          .join("\n"),
      }),
    ),
  "a run that is recorded call by call": (tenant_id: string) =>
    RecordingCoordinator.use((recording) =>
      Effect.gen(function* () {
        const run = { tenant_id, run_id: "r" };
        yield* recording.start({ ...START, ...run, capture: "inline", plan: ACT.params });
        yield* recording.record({ ...run, steps: [ACT] });
        const reason = `no mailbox ${MAIL}`;
        yield* recording.seal({ ...run, status: "failed", reason, metadata: ACT.params });
      }),
    ),
  "spans of OTLP": (tenant_id: string) =>
    IngestCoordinator.use((ingest) =>
      ingest.receive(tenant_id, [
        {
          trace_id: "a".repeat(32),
          span_id: "b".repeat(16),
          parent_span_id: null,
          draft: ACT,
          agent: null,
          service: null,
          conversation_id: null,
          scenario: null,
        },
      ]),
    ),
};

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `${name}, after`,
    (its) => {
      for (const [way, record] of Object.entries(WAYS))
        its.effect(`${way}, holds no secret of it, and names the rules`, () =>
          Effect.gen(function* () {
            const tenant_id = `tenant-${crypto.randomUUID()}`;
            yield* record(tenant_id) as Effect.Effect<
              unknown,
              unknown,
              Effect.Services<ReturnType<(typeof WAYS)[keyof typeof WAYS]>>
            >;
            const { sql } = yield* Database;
            const rows = yield* sql<{ row: string }>`
              select to_jsonb(t)::text as row from aos_traces t where tenant_id = ${tenant_id}
              union all
              select to_jsonb(s)::text from aos_trace_steps s where tenant_id = ${tenant_id}`;
            assert.isAtLeast(rows.length, 2);
            for (const { row } of rows) {
              assert.notInclude(row, SECRET);
              assert.notInclude(row, MAIL);
            }
            assert.include(rows[0]!.row, "default@v1");
            assert.include(rows.map(({ row }) => row).join(), "[redacted]");
          }),
        );
    },
  );
}
