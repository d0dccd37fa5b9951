/** Makes the database that is attacked: runs as agents leave them, recorded through the product's own door. */
import { randomUUID } from "node:crypto";
import { canonicalize, type JsonObject } from "@runproof/proof/CanonicalJson";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { timestampNow } from "@runproof/proof/Timestamp";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import * as Effect from "effect/Effect";
import { AttackLab } from "../AttackLab.ts";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { HonestDatabase } from "./Attack.ts";
import { runsOf, type RunRows, text } from "./Forgery.ts";
import type { SeededRandom } from "./SeededRandom.ts";

/** Long enough that no lease ends while attacks are made. */
const LEASE_MS = 3_600_000;

/** The holder of every lease here. */
const HOLDER = "attack-test";

/** Steps of a run: enough to cut some and leave some. */
const STEPS_MIN = 3;
const STEPS_MAX = 6;

/** How many runs of each kind. */
export interface HonestCounts {
  readonly sealed: number;
  readonly open: number;
  readonly headed: number;
}

const skills = ["http_call", "search_orders", "send_message", "book_refund"] as const;
const statuses = ["success", "success", "success", "failure", "retry", "skipped"] as const;

const stepOf = (trace_id: string, step_index: number, timestamp: string, random: SeededRandom) =>
  prepareStep({
    trace_id,
    capture: "inline",
    step_index,
    intent_index: null,
    parent_step_index: null,
    skill_id: random.pick(skills),
    skill_name: `call ${random.below(100)}`,
    source: "engine",
    status: random.pick(statuses),
    outcome_category: "SUCCESS",
    outcome_code: `HTTP_${random.between(200, 299)}`,
    params: { amount_cents: random.below(100_000), to: `c-${random.below(1000)}` },
    outcome_data: { state: random.pick(["booked", "queued", "refused"]) },
    cost_cents: random.below(1000) / 8,
    duration_ms: random.below(10_000) / 10,
    started_at: timestamp,
    retry_count: random.below(3),
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp,
    is_synthetic: false,
    synthetic_scenario_id: null,
  });

/** Starts a run with some steps; answers its ids. */
export const openRun = Effect.fnUntraced(function* (
  random: SeededRandom,
  options: { readonly steps?: number; readonly lease_ms?: number } = {},
) {
  const { sink } = yield* LogsBridge;
  const created_at = timestampNow();
  const trace_id = randomUUID();
  const trace = prepareTrace({
    trace_id,
    run_id: randomUUID(),
    tenant_id: `tenant-${random.below(3)}`,
    correlation_id: trace_id,
    agent_id: `agent-${random.below(5)}`,
    origin_system_id: "shop",
    incident_id: null,
    replay_of: null,
    started_at: created_at,
    created_at,
    seed: random.below(1000),
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    capture: "inline",
    plan: { goal: `order ${random.below(10_000)}` },
  });
  yield* sink.start({ trace, holder: HOLDER, lease_ms: options.lease_ms ?? LEASE_MS });
  yield* appendSteps(trace_id, options.steps ?? random.between(STEPS_MIN, STEPS_MAX), random);
  return trace_id;
});

/** Adds steps to a run, at an index where the caller names one. */
export const appendSteps = Effect.fnUntraced(function* (
  trace_id: string,
  count: number,
  random: SeededRandom,
  at?: number,
) {
  const { sink } = yield* LogsBridge;
  if (count === 0) return;
  const timestamp = timestampNow();
  const first_index = at ?? (yield* sink.head(trace_id)).next_index;
  const steps = Array.from({ length: count }, (_, place) =>
    stepOf(trace_id, first_index + place, timestamp, random),
  );
  yield* sink.appendSteps({ trace_id, holder: HOLDER, first_index, steps });
});

/** Seals a run as completed. */
export const sealRun = Effect.fnUntraced(function* (trace_id: string) {
  const { sink } = yield* LogsBridge;
  const sealed_at = timestampNow();
  const seal = prepareSeal({
    trace_id,
    status: "completed",
    reason: null,
    completed_at: sealed_at,
    sealed_at,
    metadata: { tokens: 12 },
  });
  return yield* sink.seal({ trace_id, holder: HOLDER, seal });
});

/** An open run whose last step but one is in the log: as if a minute had gone by before it. */
const headedRun = Effect.fnUntraced(function* (random: SeededRandom) {
  const lab = yield* AttackLab;
  const trace_id = yield* openRun(random);
  yield* lab.change([
    {
      update: "aos_trace_leases",
      where: { trace_id },
      set: { head_logged_at: "2026-01-01T00:00:00Z" },
    },
  ]);
  yield* appendSteps(trace_id, 1, random);
  yield* appendSteps(trace_id, 1, random);
  return trace_id;
});

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const eventOf = (event: string, trace_id: string, detail: JsonObject) => {
  const occurred_at = timestampNow();
  return literal(
    canonicalize({
      type: "runproof/event@v1",
      event,
      trace_id,
      occurred_at,
      actor: "owner",
      reason: "retention",
      detail,
    }),
  );
};

/** What an owner may do to evidence, each with its event: erase, archive, delete. */
const ownersRuns = Effect.fnUntraced(function* (random: SeededRandom) {
  const lab = yield* AttackLab;
  const sealedRun = Effect.tap(openRun(random), sealRun);
  const erased = yield* sealedRun;
  const erasure = eventOf("erasure", erased, { payloads: "step 1:params" });
  yield* lab.execute([
    `select runproof_queue_event(${erasure})`,
    `update aos_trace_steps set params = null, params_salt = null where trace_id = ${literal(erased)} and step_index = 1`,
  ]);
  const archived = yield* sealedRun;
  const archival = eventOf("archival", archived, {});
  yield* lab.execute([
    `select runproof_archive_traces(array[${literal(archived)}], array[${archival}], clock_timestamp())`,
  ]);
  const deleted = yield* openRun(random);
  const { root_hash } = yield* sealRun(deleted);
  const [first, second] = [
    eventOf("archival", deleted, {}),
    eventOf("deletion", deleted, { root_hash }),
  ];
  yield* lab.execute([
    `select runproof_archive_traces(array[${literal(deleted)}], array[${first}], clock_timestamp())`,
    `select runproof_delete_archived(array[${literal(deleted)}], array[${second}], clock_timestamp())`,
  ]);
  return { erased };
});

const repeat = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => effect);

/** Records the runs, has the log signed, and keeps the state. Runs of the owner's come last in the log. */
export const makeHonestDatabase = Effect.fnUntraced(function* (
  counts: HonestCounts,
  random: SeededRandom,
) {
  const lab = yield* AttackLab;
  const log = yield* LogCoordinator;
  const { atomically } = (yield* LogsBridge).transactions;
  // One commit instead of hundreds: where each waits for the disk, that is most of the time.
  const { sealed, open } = yield* atomically(
    Effect.all({
      sealed: repeat(counts.sealed, Effect.tap(openRun(random), sealRun)),
      open: repeat(counts.open, openRun(random)),
    }),
  );
  yield* (yield* LedgerBridge).log.sequence;
  const headed = yield* repeat(counts.headed, headedRun(random));
  const { erased } = yield* ownersRuns(random);
  const checkpoint = yield* log.checkpoint();
  const { keys } = yield* (yield* LedgerBridge).signer.status;
  const rows = yield* lab.keep;
  const runs = runsOf(rows);
  const pick = (ids: ReadonlyArray<string>): ReadonlyArray<RunRows> =>
    ids.map((id) => runs.get(id)!);
  return {
    rows,
    runs,
    sealed: pick(sealed),
    open: pick(open),
    headed: pick(headed),
    erased: runs.get(erased)!.steps.filter((step) => text(step, "step_index") === "1"),
    checkpoint: checkpoint.note,
    vkey: keys[0]!.vkey,
  } satisfies HonestDatabase;
});
