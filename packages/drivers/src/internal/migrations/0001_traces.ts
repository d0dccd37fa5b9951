import type { Migration } from "./Migration.ts";

/**
 * Traces, steps, leases and runs. Content columns are filled by the insert triggers from `record`, in one parse,
 * so that no writer can make them differ from what was hashed.
 */
export const migration: Migration = {
  id: 1,
  name: "traces",
  statements: [
    `do $$
begin
  if not exists (select from pg_roles where rolname = 'runproof_app') then
    create role runproof_app nologin;
  end if;
exception
  -- Roles belong to the whole cluster: another database's migration may have been faster.
  when duplicate_object or unique_violation then null;
end
$$`,
    // One login for owner and application has to take the role on. An owner beside it need not, and may not be able to.
    `do $$
declare
  -- Since PostgreSQL 16 the creator of a role administers it, and still can't take it on.
  can_take_on boolean := case when current_setting('server_version_num')::int >= 160000
                              then pg_has_role(current_user, 'runproof_app', 'set')
                              else pg_has_role(current_user, 'runproof_app', 'member') end;
begin
  if not can_take_on then
    execute format('grant runproof_app to %I', current_user);
  end if;
exception
  when insufficient_privilege then null;
end
$$`,
    // Made in the transaction that starts its trace, and refers to that for what was asked: plan and goal stand there once.
    `create table runs (
  tenant_id        text        not null,
  run_id           text        not null,
  trace_id         text,
  status           text        not null default 'queued'
                   constraint runs_status_known check (status in ('queued', 'running', 'succeeded', 'failed', 'aborted')),
  created_at       timestamptz not null default clock_timestamp(),
  started_at       timestamptz,
  completed_at     timestamptz,
  -- What is left of a run whose evidence was deleted under a retention: its id stays taken, its root stays in the log.
  root_hash        text,
  deleted_at       timestamptz,
  primary key (tenant_id, run_id)
)`,
    `create table aos_traces (
  trace_id              text        primary key,
  run_id                text        not null,
  tenant_id             text        not null,
  correlation_id        text        not null,
  agent_id              text,
  origin_system_id      text,
  incident_id           text,
  replay_of             text,
  started_at            timestamptz not null,
  created_at            timestamptz not null,
  plan_commitment       text,
  attributes_commitment text,
  seed                  bigint,
  frozen_timestamp      timestamptz,
  is_synthetic          boolean     not null,
  synthetic_scenario_id text,
  redaction             text,
  capture               text        not null,
  record                text        not null,
  leaf_hash             text        not null,
  link                  text        not null,
  plan                  text,
  plan_salt             text,
  attributes            text,
  attributes_salt       text,
  status                text        not null
                        constraint aos_traces_status_known check (status in ('running', 'completed', 'failed', 'aborted')),
  reason                text,
  completed_at          timestamptz,
  sealed_at             timestamptz,
  step_count            bigint,
  chain_head            text,
  merkle_root           text,
  metadata_commitment   text,
  seal_record           text,
  root_hash             text,
  metadata              text,
  metadata_salt         text,
  archived_at           timestamptz,
  erased_at             timestamptz,
  unique (tenant_id, run_id)
)`,
    `create index aos_traces_by_start on aos_traces (started_at desc, trace_id desc)`,
    `create index aos_traces_by_tenant on aos_traces (tenant_id, started_at desc, trace_id desc)`,
    // A row of some kilobytes is not worth the time to compress it: each is written once, and few are read again.
    `create table aos_trace_steps (
  trace_id                text        not null,
  step_index              bigint      not null,
  run_id                  text        not null,
  tenant_id               text        not null,
  parent_step_index       bigint,
  intent_index            bigint,
  skill_id                text        not null,
  skill_name              text        not null,
  source                  text        not null,
  status                  text        not null,
  level                   text        not null,
  outcome_category        text        not null,
  outcome_code            text,
  params_commitment       text,
  outcome_data_commitment text,
  attributes_commitment   text,
  cost_cents              double precision,
  duration_ms             double precision,
  started_at              timestamptz,
  retry_count             bigint      not null,
  replay_behavior         text        not null,
  idempotency_key         text,
  timestamp               timestamptz not null,
  is_synthetic            boolean     not null,
  synthetic_scenario_id   text,
  record                  text        not null,
  leaf_hash               text        not null,
  link                    text        not null,
  params                  text,
  params_salt             text,
  outcome_data            text,
  outcome_data_salt       text,
  attributes              text,
  attributes_salt         text,
  erased_at               timestamptz,
  -- Hashes of the complete subtrees that end with this step's leaf, from that of two leaves up: what a path from any leaf
  -- to the sealed root is made of. No verdict rests on them: such a path is checked against that root.
  subtrees                bytea,
  primary key (trace_id, step_index)
) with (toast_tuple_target = 8160)`,
    `create index aos_trace_steps_by_run on aos_trace_steps (run_id)`,
    // An intent is answered at most once.
    `create unique index aos_trace_steps_by_intent on aos_trace_steps (trace_id, intent_index) where intent_index is not null`,
    // Where evidence goes once it is archived: the same columns, and no trigger fills one. Small and seldom written, so the
    // append path pays for none of it.
    `create table aos_traces_archive (like aos_traces including defaults including constraints, primary key (trace_id), unique (tenant_id, run_id))`,
    `create index aos_traces_archive_by_tenant on aos_traces_archive (tenant_id, started_at desc, trace_id desc)`,
    `create table aos_trace_steps_archive (like aos_trace_steps including defaults including constraints, primary key (trace_id, step_index))
with (toast_tuple_target = 8160)`,
    `create index aos_trace_steps_archive_by_run on aos_trace_steps_archive (run_id)`,
    // One row an open trace: where it stands, who may write to it, and how long its process may stay silent. Gone once
    // sealed. No index on expires_at: with one, no renewal could stay on its page.
    `create table aos_trace_leases (
  trace_id        text        primary key,
  tenant_id       text        not null,
  run_id          text        not null,
  capture         text        not null,
  holder          text        not null,
  expires_at      timestamptz not null,
  next_index      bigint      not null default 0,
  link            text        not null,
  peaks           bytea[]     not null,
  subtrees        bytea,
  open_intents    bigint[]    not null default '{}',
  head_index      bigint      not null default 0,
  head_logged_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50)`,
  ],
};
