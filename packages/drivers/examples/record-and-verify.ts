import { randomUUID } from "node:crypto";
import { Database, databaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import { appendSteps } from "@runproof/drivers/logs/appendSteps";
import { readRun } from "@runproof/drivers/logs/readRun";
import { sealTrace } from "@runproof/drivers/logs/sealTrace";
import { startTrace } from "@runproof/drivers/logs/startTrace";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { StoredRunVerifier } from "@runproof/proof/StoredRun";
import { timestampNow } from "@runproof/proof/Timestamp";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";

const identity = { trace_id: randomUUID(), run_id: "run-1", tenant_id: "acme" };
const lease = { holder: randomUUID(), lease_ms: 30_000 };

/** Records a run of one step, reads it back, and verifies what the database has. */
const program = Effect.gen(function* () {
  const database = yield* Database;
  const { trace_id } = identity;
  const { holder } = lease;
  const trace = prepareTrace({
    ...identity,
    correlation_id: "run-1",
    agent_id: "support-agent",
    origin_system_id: null,
    incident_id: null,
    replay_of: null,
    started_at: timestampNow(),
    created_at: timestampNow(),
    seed: null,
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    capture: "inline",
  });
  yield* startTrace(database)({ trace, ...lease });

  const step = prepareStep({
    trace_id,
    capture: "inline",
    step_index: 0,
    parent_step_index: null,
    intent_index: null,
    skill_id: "refund",
    skill_name: "Refund an order",
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: null,
    params: { order: "A-17", amount_cents: 1250 },
    outcome_data: { refunded: true },
    cost_cents: null,
    duration_ms: 41.5,
    started_at: timestampNow(),
    retry_count: 0,
    replay_behavior: "skip",
    idempotency_key: "refund-A-17",
    timestamp: timestampNow(),
    is_synthetic: false,
    synthetic_scenario_id: null,
  });
  // When this answers, the step is on the disk; only now may the next action begin.
  yield* appendSteps(database)({ trace_id, holder, first_index: 0, steps: [step] });

  const end = { status: "completed", reason: null, completed_at: timestampNow() } as const;
  const seal = prepareSeal({ trace_id, ...end, sealed_at: timestampNow() });
  const { root_hash } = yield* sealTrace(database)({ trace_id, holder, seal });

  const verdict = yield* readRun(database)(
    identity,
    Effect.fnUntraced(function* (run) {
      const verifier = new StoredRunVerifier(run.trace);
      yield* run.forEachStepPage((steps) =>
        Effect.sync(() => steps.forEach((stored) => verifier.addStep(stored))),
      );
      return verifier.finish(run.seal);
    }),
  );
  return `${verdict.verification_status} ${root_hash === verdict.root_hash}`;
});

// DATABASE_URL names a server; without it the database is embedded, in RUNPROOF_HOME or ./.runproof.
const config = databaseConfig(process.env);
if (config instanceof ConfigurationInvalid) throw config;

await Effect.runPromise(migrateDatabase(config));
console.log(await Effect.runPromise(Effect.provide(program, Database.layer(config))));
