import type { Migration } from "./Migration.ts";

/** What a tenant's runs may do, and what came of asking: policies, limits, and the records of what was prevented. */
export const migration: Migration = {
  id: 7,
  name: "enforcement",
  statements: [
    `create table aos_policies (
  tenant_id   text        not null constraint aos_policies_tenant check (char_length(tenant_id) between 1 and 255),
  version     bigint      not null,
  document    text        not null constraint aos_policies_document check (octet_length(document) <= 1048576),
  actor       text        not null constraint aos_policies_actor check (char_length(actor) between 1 and 255),
  reason      text        not null constraint aos_policies_reason check (char_length(reason) between 1 and 2000),
  set_at      timestamptz not null default clock_timestamp(),
  primary key (tenant_id, version)
)`,
    // The newest row of a kind counts; without a value there is no such limit.
    `create table aos_limits (
  limit_id    bigint      generated always as identity primary key,
  tenant_id   text        not null constraint aos_limits_tenant check (char_length(tenant_id) between 1 and 255),
  kind        text        not null constraint aos_limits_kind check (kind in (
                'steps_per_run', 'cost_cents_per_run', 'duration_ms_per_run', 'retries_per_run', 'runs_per_minute', 'concurrent_runs')),
  value       double precision constraint aos_limits_value check (value >= 0 and value <= 9007199254740991),
  actor       text        not null constraint aos_limits_actor check (char_length(actor) between 1 and 255),
  reason      text        not null constraint aos_limits_reason check (char_length(reason) between 1 and 2000),
  set_at      timestamptz not null default clock_timestamp()
)`,
    `create index aos_limits_by_tenant on aos_limits (tenant_id, kind, limit_id desc)`,
    `create table aos_incidents (
  incident_id bigint      generated always as identity primary key,
  tenant_id   text        not null,
  run_id      text        not null,
  trace_id    text,
  step_index  bigint,
  kind        text        not null constraint aos_incidents_kind check (kind in ('policy_violation', 'limit_breach')),
  summary     text        not null constraint aos_incidents_summary check (char_length(summary) between 1 and 4000),
  occurred_at timestamptz not null default clock_timestamp()
)`,
    `create index aos_incidents_by_run on aos_incidents (tenant_id, run_id)`,
    `create table aos_prevention_records (
  prevention_id  bigint      generated always as identity primary key,
  incident_id    bigint      not null,
  tenant_id      text        not null,
  run_id         text        not null,
  trace_id       text        not null,
  step_index     bigint      not null,
  policy_version bigint,
  rule           text        not null constraint aos_prevention_records_rule check (char_length(rule) between 1 and 255),
  reason         text        not null constraint aos_prevention_records_reason check (char_length(reason) between 1 and 4000),
  prevented_at   timestamptz not null default clock_timestamp()
)`,
    `create index aos_prevention_records_by_run on aos_prevention_records (tenant_id, run_id)`,
    `create table aos_limit_breaches (
  breach_id   bigint      generated always as identity primary key,
  incident_id bigint      not null,
  tenant_id   text        not null,
  run_id      text        not null,
  trace_id    text,
  step_index  bigint,
  kind        text        not null,
  value       double precision not null,
  observed    double precision not null,
  breached_at timestamptz not null default clock_timestamp()
)`,
    `create index aos_limit_breaches_by_run on aos_limit_breaches (tenant_id, run_id)`,
    `create trigger s6_change before update or delete on aos_policies for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_policies for each statement execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_limits for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_limits for each statement execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_incidents for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_incidents for each statement execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_prevention_records for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_prevention_records for each statement execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_limit_breaches for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_limit_breaches for each statement execute function runproof_refuse()`,
    `alter table aos_policies enable always trigger s6_change`,
    `alter table aos_policies enable always trigger s6_truncate`,
    `alter table aos_limits enable always trigger s6_change`,
    `alter table aos_limits enable always trigger s6_truncate`,
    `alter table aos_incidents enable always trigger s6_change`,
    `alter table aos_incidents enable always trigger s6_truncate`,
    `alter table aos_prevention_records enable always trigger s6_change`,
    `alter table aos_prevention_records enable always trigger s6_truncate`,
    `alter table aos_limit_breaches enable always trigger s6_change`,
    `alter table aos_limit_breaches enable always trigger s6_truncate`,
    `create function runproof_set_policy(p_tenant_id text, p_document text, p_actor text, p_reason text) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  next_version bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('runproof_policies', 'aos_policies'::regclass::oid::bigint));
  select coalesce(max(version), 0) + 1 into next_version from aos_policies where tenant_id = p_tenant_id;
  insert into aos_policies (tenant_id, version, document, actor, reason) values (p_tenant_id, next_version, p_document, p_actor, p_reason);
  perform runproof_write_ledger(p_tenant_id, null, 'policy_set', p_actor, p_reason, json_build_object('version', next_version));
  return next_version;
end
$$`,
    `create function runproof_set_limit(p_tenant_id text, p_kind text, p_value double precision, p_actor text, p_reason text) returns void
language plpgsql security definer set search_path from current as $$
begin
  insert into aos_limits (tenant_id, kind, value, actor, reason) values (p_tenant_id, p_kind, p_value, p_actor, p_reason);
  perform runproof_write_ledger(p_tenant_id, null, 'limit_set', p_actor, p_reason, json_build_object('kind', p_kind, 'value', p_value));
end
$$`,
    `create function runproof_limit(p_tenant_id text, p_kind text) returns double precision
language sql stable set search_path from current as $$
  select value from aos_limits where tenant_id = p_tenant_id and kind = p_kind order by limit_id desc limit 1
$$`,
    // Whether a tenant may begin another run now. Runs that begin at once wait for each other, or all of them might be the last.
    `create function runproof_require_room(p_tenant_id text) returns void
language plpgsql set search_path from current as $$
declare
  per_minute double precision;
  at_once double precision;
  observed bigint;
begin
  select max(value) filter (where kind = 'runs_per_minute'), max(value) filter (where kind = 'concurrent_runs')
    into per_minute, at_once
    from (
      select distinct on (kind) kind, value from aos_limits
      where tenant_id = p_tenant_id and kind in ('runs_per_minute', 'concurrent_runs')
      order by kind, limit_id desc
    ) as in_force;
  if per_minute is null and at_once is null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('runproof_runs ' || p_tenant_id, 'aos_limits'::regclass::oid::bigint));
  if at_once is not null then
    select count(*) into observed from aos_trace_leases where tenant_id = p_tenant_id and expires_at > clock_timestamp();
    if observed >= at_once then
      raise exception 'tenant % has % runs at once', p_tenant_id, observed using errcode = 'S6008',
        detail = json_build_object('kind', 'concurrent_runs', 'value', at_once, 'observed', observed)::text;
    end if;
  end if;
  if per_minute is not null then
    select count(*) into observed from aos_traces where tenant_id = p_tenant_id and started_at > clock_timestamp() - interval '1 minute';
    if observed >= per_minute then
      raise exception 'tenant % began % runs within a minute', p_tenant_id, observed using errcode = 'S6008',
        detail = json_build_object('kind', 'runs_per_minute', 'value', per_minute, 'observed', observed)::text;
    end if;
  end if;
end
$$`,
    // What was prevented: beside the step that was not taken, in its transaction.
    `create function runproof_record_prevention(
  p_trace_id text, p_step_index bigint, p_policy_version bigint, p_rule text, p_reason text, p_limit_kind text, p_limit_value double precision, p_observed double precision
) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  s record;
  id bigint;
begin
  select tenant_id, run_id into s from aos_trace_steps where trace_id = p_trace_id and step_index = p_step_index and status = 'skipped';
  if not found then
    raise exception 'trace % has no step % that was skipped', p_trace_id, p_step_index using errcode = 'S6004';
  end if;
  insert into aos_incidents (tenant_id, run_id, trace_id, step_index, kind, summary)
    values (s.tenant_id, s.run_id, p_trace_id, p_step_index, case when p_limit_kind is null then 'policy_violation' else 'limit_breach' end, p_reason)
    returning incident_id into id;
  insert into aos_prevention_records (incident_id, tenant_id, run_id, trace_id, step_index, policy_version, rule, reason)
    values (id, s.tenant_id, s.run_id, p_trace_id, p_step_index, p_policy_version, p_rule, p_reason);
  if p_limit_kind is not null then
    insert into aos_limit_breaches (incident_id, tenant_id, run_id, trace_id, step_index, kind, value, observed)
      values (id, s.tenant_id, s.run_id, p_trace_id, p_step_index, p_limit_kind, p_limit_value, p_observed);
  end if;
  return id;
end
$$`,
    // A run that was not begun, for its tenant has too many.
    `create function runproof_record_refusal(p_tenant_id text, p_run_id text, p_kind text, p_value double precision, p_observed double precision) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  id bigint;
begin
  if p_kind is null or p_kind not in ('runs_per_minute', 'concurrent_runs') or char_length(p_tenant_id) not between 1 and 255
     or char_length(p_run_id) not between 1 and 255 or runproof_limit(p_tenant_id, p_kind) is distinct from p_value then
    raise exception 'this limit refuses no run of tenant %', p_tenant_id using errcode = 'S6006';
  end if;
  insert into aos_incidents (tenant_id, run_id, kind, summary)
    values (p_tenant_id, p_run_id, 'limit_breach', format('the run was not begun: %s is %s, and there are %s', p_kind, p_value, p_observed))
    returning incident_id into id;
  insert into aos_limit_breaches (incident_id, tenant_id, run_id, kind, value, observed) values (id, p_tenant_id, p_run_id, p_kind, p_value, p_observed);
  return id;
end
$$`,
    `select runproof_close_rights('^(aos_(policies|limits|incidents|prevention_records|limit_breaches)|runproof_(set_policy|set_limit|limit|require_room|record_prevention|record_refusal)$)')`,
    `grant select on aos_policies, aos_limits, aos_incidents, aos_prevention_records, aos_limit_breaches to runproof_app`,
    `grant execute on function runproof_record_prevention(text, bigint, bigint, text, text, text, double precision, double precision) to runproof_app`,
    `grant execute on function runproof_record_refusal(text, text, text, double precision, double precision) to runproof_app`,
    `grant execute on function runproof_set_policy(text, text, text, text) to runproof_operator`,
    `grant execute on function runproof_set_limit(text, text, double precision, text, text) to runproof_operator`,
  ],
};
