/** What a process does with a recorded and signed log, whether it is a test's own or a child of it. */
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import { logSignerConfig } from "@runproof/drivers/LogSigner";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { timestampNow } from "@runproof/proof/Timestamp";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";

export const TENANT = "tenant-of-the-log";

export const configOf = (url: string): DatabaseConfig => ({
  kind: "server",
  url: Redacted.make(url),
});

/** What is refused is said in the process's log too; tests look at the error. */
const quiet = Layer.succeed(References.MinimumLogLevel, "None");

/** What `open` gives. */
export type LogServices = RunproofLayer.Coordinators | Database;

/** All coordinators, as a process of its own would have them, on a database and with a key. */
export const open = (url: string, key: string | undefined) => {
  const config = configOf(url);
  return RunproofLayer.layer([], logSignerConfig({ RUNPROOF_LOG_KEY_FILE: key }, config)).pipe(
    Layer.provideMerge(Database.layer(config)),
    Layer.provideMerge(quiet),
  );
};

/** Runs as a process of its own would: opened for this, and closed after. */
export const inProcess = <A, E, R>(
  { url, key }: { readonly url: string; readonly key?: string | undefined },
  effect: Effect.Effect<A, E, R>,
) => Effect.provide(effect, open(url, key), { local: true });

/** Records a sealed run with steps through the bridge, as fast as it goes. */
export const recordRun = (steps = 1, run_id = `run-${crypto.randomUUID()}`) =>
  Effect.gen(function* () {
    const { sink } = yield* LogsBridge;
    const trace_id = `trace-${crypto.randomUUID()}`;
    const now = timestampNow();
    yield* sink.start({
      trace: prepareTrace({
        trace_id,
        run_id,
        tenant_id: TENANT,
        correlation_id: run_id,
        agent_id: null,
        origin_system_id: null,
        incident_id: null,
        replay_of: null,
        started_at: now,
        created_at: now,
        seed: null,
        frozen_timestamp: null,
        is_synthetic: false,
        synthetic_scenario_id: null,
        redaction: null,
        capture: "inline",
        plan: { steps: Array.from({ length: steps }, (_, at) => ({ secret: `of step ${at}` })) },
      }),
      holder: "test",
      lease_ms: 3_600_000,
    });
    if (steps > 0) {
      yield* sink.appendSteps({
        trace_id,
        holder: "test",
        first_index: 0,
        steps: Array.from({ length: steps }, (_, at) =>
          prepareStep({
            trace_id,
            capture: "inline",
            step_index: at,
            intent_index: null,
            parent_step_index: null,
            skill_id: "act",
            skill_name: "Act",
            source: "engine",
            status: "success",
            outcome_category: "SUCCESS",
            outcome_code: null,
            params: { secret: `of step ${at}` },
            cost_cents: null,
            duration_ms: 1,
            started_at: null,
            retry_count: 0,
            replay_behavior: "execute",
            idempotency_key: null,
            timestamp: timestampNow(),
            is_synthetic: false,
            synthetic_scenario_id: null,
          }),
        ),
      });
    }
    const end = timestampNow();
    const seal = prepareSeal({
      trace_id,
      status: "completed",
      reason: null,
      completed_at: end,
      sealed_at: end,
    });
    const { root_hash } = yield* sink.seal({ trace_id, holder: "test", seal });
    return { run_id, trace_id, tenant_id: TENANT, root_hash };
  });

/** Records runs, one step each. */
export const recordRuns = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }, () => 1),
    (steps) => recordRun(steps),
    { concurrency: 4 },
  );

/** Signs the log. */
export const checkpoint = Effect.flatMap(LogCoordinator, (log) => log.checkpoint());
