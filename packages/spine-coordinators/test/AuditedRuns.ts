/** Runs to audit: made as the bridge makes them, many steps in one call, with the log numbered and signed. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { generateSignerKey, type SignerKey } from "@runproof/proof/NoteKey";
import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { planRoot } from "@runproof/proof/ProofPlan";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { type StepInput, prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import { noKeyConfigured } from "@runproof/drivers/LogSigner";
import {
  AuditCoordinator,
  type AuditOptions,
} from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";

const TIME = "2026-02-10T12:43:41.549430Z";
const LEASE_MS = 600_000;
const HOLDER = "test";

/** The bridges and the audit over a database. */
export const audited = <E, R>(config: Effect.Effect<DatabaseConfig, E, R>) =>
  Layer.unwrap(
    Effect.map(config, (opened) =>
      Layer.mergeAll(
        LogsBridge.layer,
        LedgerBridge.layer(noKeyConfigured()),
        AuditLayer.layer,
      ).pipe(Layer.provideMerge(Database.layer(opened))),
    ),
  );

/** A run's identity. */
export interface Run {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
}

export const stepOf = (trace_id: string, step_index: number, over: Partial<StepInput> = {}) =>
  prepareStep({
    trace_id,
    capture: "inline",
    step_index,
    intent_index: null,
    parent_step_index: null,
    skill_id: "http_call",
    skill_name: "HTTP call",
    source: "engine",
    status: "success",
    outcome_category: "SUCCESS",
    outcome_code: "200",
    params: { amount_cents: 4990 },
    outcome_data: { state: "booked" },
    cost_cents: 0.5,
    duration_ms: 12.5,
    started_at: TIME,
    retry_count: 0,
    replay_behavior: "execute",
    idempotency_key: null,
    timestamp: TIME,
    is_synthetic: false,
    synthetic_scenario_id: null,
    ...over,
  });

const newRun = (run_id: string = crypto.randomUUID()): Run => ({
  trace_id: crypto.randomUUID(),
  run_id,
  tenant_id: "tenant-of-audits",
});

/** The start of a run, as the bridge takes it. */
export const startOf = (run: Run = newRun(), lease_ms = LEASE_MS, goal?: string) => ({
  holder: HOLDER,
  lease_ms,
  trace: prepareTrace({
    ...run,
    correlation_id: run.run_id,
    agent_id: "agent-7",
    origin_system_id: null,
    incident_id: null,
    replay_of: null,
    started_at: TIME,
    created_at: TIME,
    seed: null,
    frozen_timestamp: null,
    is_synthetic: false,
    synthetic_scenario_id: null,
    redaction: null,
    capture: "inline",
    plan: { steps: [] },
    ...(goal === undefined ? {} : { attributes: { goal } }),
  }),
});

/** Starts a run and records steps. */
export const openRun = (steps: number, lease_ms = LEASE_MS, goal?: string) =>
  Effect.gen(function* () {
    const { sink } = yield* LogsBridge;
    const run = newRun();
    yield* sink.start(startOf(run, lease_ms, goal));
    yield* append(run, steps);
    return run;
  });

/** Records more steps of a run. */
export const append = ({ trace_id }: Run, steps: number) =>
  steps === 0
    ? Effect.void
    : Effect.gen(function* () {
        const { sink } = yield* LogsBridge;
        const { next_index: first_index } = yield* sink.head(trace_id);
        yield* sink.appendSteps({
          trace_id,
          holder: HOLDER,
          first_index,
          steps: Array.from({ length: steps }, (_, at) => stepOf(trace_id, first_index + at)),
        });
      });

/** Seals a run. */
export const seal = ({ trace_id }: Run) =>
  Effect.flatMap(LogsBridge, ({ sink }) =>
    sink.seal({
      trace_id,
      holder: HOLDER,
      seal: prepareSeal({
        trace_id,
        status: "completed",
        reason: null,
        completed_at: TIME,
        sealed_at: TIME,
        metadata: { tokens: 12 },
      }),
    }),
  );

/** An event's record, as a statement takes it. */
export const eventLiteral = (
  event: string,
  trace_id: string | null,
  detail: Readonly<Record<string, string>> = {},
) => {
  const record = {
    type: "runproof/event@v1",
    event,
    trace_id,
    occurred_at: TIME,
    actor: "owner",
    reason: "retention",
    detail,
  };
  return `'${canonicalize(record).replaceAll("'", "''")}'`;
};

/** Deletes a sealed run as its owner may: archived, with the EVENT that says its root and how many HEAD entries it has. */
export const deleteAsRecorded = ({ trace_id }: Run, heads?: number) =>
  Effect.gen(function* () {
    const { sql } = yield* Database;
    const [row] = yield* sql<{ root_hash: string }>`
      select root_hash from aos_traces where trace_id = ${trace_id}`;
    const { root_hash } = row!;
    const detail = heads === undefined ? { root_hash } : { root_hash, heads: String(heads) };
    yield* asSuperuser(
      `select runproof_archive_traces(array['${trace_id}'], array[${eventLiteral("archival", trace_id)}], clock_timestamp())`,
      `select runproof_queue_event(${eventLiteral("deletion", trace_id, detail)})`,
      `update runs set root_hash = '${root_hash}', deleted_at = clock_timestamp() where trace_id = '${trace_id}'`,
      `delete from aos_trace_steps_archive where trace_id = '${trace_id}'`,
      `delete from aos_traces_archive where trace_id = '${trace_id}'`,
    );
  });

/** Records a run and seals it. */
export const sealedRun = (steps: number, goal?: string) =>
  Effect.tap(openRun(steps, LEASE_MS, goal), seal);

/** Records many runs of one step in one transaction, and seals them. */
export const sealedRuns = (count: number) =>
  Effect.flatMap(LogsBridge, ({ transactions }) =>
    transactions.atomically(Effect.forEach(Array.from({ length: count }), () => sealedRun(1))),
  );

/** Numbers what waits in the log's queue. */
export const number = Effect.flatMap(LedgerBridge, ({ log }) => log.sequence);

/** A key to sign the log with. */
export const logKey = (): SignerKey => generateSignerKey("example.com/log");

/** Numbers the log, signs it as it is, and keeps the checkpoint in the database; answers its note. */
export const sign = (key: SignerKey) =>
  Effect.gen(function* () {
    const { log, checkpoints } = yield* LedgerBridge;
    yield* log.sequence;
    const { size } = yield* log.size;
    const { nodes, build } = planRoot(size);
    const head = {
      origin: key.verifier.name,
      tree_size: size,
      root_hash: build(yield* log.nodes(nodes)),
    };
    const note = signCheckpoint(head, [key]);
    yield* checkpoints.store({ ...head, note });
    return note;
  });

/** Audits, and answers the report. */
export const audit = (options?: AuditOptions) =>
  Effect.flatMap(AuditCoordinator, (coordinator) => coordinator.audit(options));

/** What an audit found, each as its code, its trace and its step. */
export const found = (options?: AuditOptions) =>
  Effect.map(audit(options), ({ report }) =>
    report.findings.map(({ code, trace_id, step_index }) => ({ code, trace_id, step_index })),
  );

/** Runs statements in one transaction as a superuser, past all triggers, and leaves those as they were. */
export const pastTriggers = (...statements: ReadonlyArray<string>) =>
  asSuperuser(
    ...TABLES.map((table) => `alter table ${table} disable trigger user`),
    ...statements,
    `do $$
declare t record;
begin
  for t in select tgrelid::regclass as on_table, tgname from pg_trigger where tgname like 's6\\_%' loop
    execute format('alter table %s enable always trigger %I', t.on_table, t.tgname);
  end loop;
end $$`,
  );

const TABLES = [
  "runs",
  "aos_traces",
  "aos_trace_steps",
  "aos_trace_leases",
  "aos_log_queue",
  "aos_log_entries",
  "aos_log_tiles",
  "aos_checkpoints",
];

/** Runs statements in one transaction as a superuser. */
export const asSuperuser = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(Database, (database) =>
    asOwner(database)(
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        Effect.forEach(statements, (statement) => sql.unsafe(statement)),
      ),
    ),
  );

/** Puts a lease beside a trace, or none, past triggers; `trace_id` and `more` as SQL says them. */
export const leaseOf = (trace_id: string, more = "") =>
  `insert into aos_trace_leases (trace_id, tenant_id, run_id, capture, holder, expires_at, link, peaks)
   select ${trace_id}, 't', 'r', 'inline', 'x', clock_timestamp(), repeat('0', 64), array[sha256('')] ${more}`;
