import type { Migration } from "./Migration.ts";

/**
 * What an operator may do to evidence that is sealed: archive it, delete what was archived, erase payloads, hold it; and the
 * ledger of who did so. Each leaves its EVENT in the log, in the same transaction.
 */
export const migration: Migration = {
  id: 6,
  name: "controls",
  statements: [
    `do $$
begin
  if not exists (select from pg_roles where rolname = 'runproof_operator') then
    create role runproof_operator nologin;
  end if;
exception
  -- Roles belong to the whole cluster: another database's migration may have been faster.
  when duplicate_object or unique_violation then null;
end
$$`,
    // An operator reads and records as the application does. Granting may need more than the owner has: who made the role may.
    `do $$
begin
  if not pg_has_role('runproof_operator', 'runproof_app', 'usage') then
    grant runproof_app to runproof_operator;
  end if;
exception
  -- Another database's migration may be at the same: then one of them does it.
  when insufficient_privilege or unique_violation or internal_error then null;
end
$$`,
    `do $$
declare
  can_take_on boolean := case when current_setting('server_version_num')::int >= 160000
                              then pg_has_role(current_user, 'runproof_operator', 'set')
                              else pg_has_role(current_user, 'runproof_operator', 'member') end;
begin
  if not can_take_on then
    execute format('grant runproof_operator to %I', current_user);
  end if;
exception
  when insufficient_privilege or unique_violation or internal_error then null;
end
$$`,
    `do $$ begin execute format('grant usage on schema %I to runproof_operator', current_schema()); end $$`,
    `create table aos_audit_ledger (
  ledger_id   bigint      generated always as identity primary key,
  tenant_id   text        not null constraint aos_audit_ledger_tenant check (char_length(tenant_id) between 1 and 255),
  run_id      text        constraint aos_audit_ledger_run check (char_length(run_id) between 1 and 255),
  event       text        not null constraint aos_audit_ledger_event check (event ~ '^[a-z_]{1,63}$'),
  actor       text        not null constraint aos_audit_ledger_actor check (char_length(actor) between 1 and 255),
  reason      text        not null constraint aos_audit_ledger_reason check (char_length(reason) between 1 and 2000),
  detail      text        not null constraint aos_audit_ledger_detail check (octet_length(detail) <= 65536),
  recorded_at timestamptz not null default clock_timestamp()
)`,
    `create index aos_audit_ledger_by_run on aos_audit_ledger (tenant_id, run_id, ledger_id)`,
    // A hold of a tenant's run, or of all its runs where none is named. It ends once.
    `create table aos_holds (
  hold_id     bigint      generated always as identity primary key,
  tenant_id   text        not null constraint aos_holds_tenant check (char_length(tenant_id) between 1 and 255),
  run_id      text        constraint aos_holds_run check (char_length(run_id) between 1 and 255),
  actor       text        not null constraint aos_holds_actor check (char_length(actor) between 1 and 255),
  reason      text        not null constraint aos_holds_reason check (char_length(reason) between 1 and 2000),
  set_at      timestamptz not null default clock_timestamp(),
  lifted_at   timestamptz
)`,
    `create index aos_holds_in_force on aos_holds (tenant_id, run_id) where lifted_at is null`,
    // How long a tenant's evidence is kept. The newest row counts; no days: for ever.
    `create table aos_retentions (
  retention_id bigint      generated always as identity primary key,
  tenant_id    text        not null constraint aos_retentions_tenant check (char_length(tenant_id) between 1 and 255),
  keep_days    bigint      constraint aos_retentions_days check (keep_days between 1 and 36500),
  actor        text        not null constraint aos_retentions_actor check (char_length(actor) between 1 and 255),
  reason       text        not null constraint aos_retentions_reason check (char_length(reason) between 1 and 2000),
  set_at       timestamptz not null default clock_timestamp()
)`,
    `create function runproof_guard_hold_update() returns trigger
language plpgsql set search_path from current as $$
declare
  allowed aos_holds := old;
begin
  if old.lifted_at is null then
    allowed.lifted_at := new.lifted_at;
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: hold % is lifted once, and not changed', old.hold_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create trigger s6_change before update or delete on aos_audit_ledger for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_audit_ledger for each statement execute function runproof_refuse()`,
    `create trigger s6_update before update on aos_holds for each row execute function runproof_guard_hold_update()`,
    `create trigger s6_delete before delete on aos_holds for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_holds for each statement execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_retentions for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_retentions for each statement execute function runproof_refuse()`,
    `alter table aos_audit_ledger enable always trigger s6_change`,
    `alter table aos_audit_ledger enable always trigger s6_truncate`,
    `alter table aos_holds enable always trigger s6_update`,
    `alter table aos_holds enable always trigger s6_delete`,
    `alter table aos_holds enable always trigger s6_truncate`,
    `alter table aos_retentions enable always trigger s6_change`,
    `alter table aos_retentions enable always trigger s6_truncate`,
    `create function runproof_write_ledger(p_tenant_id text, p_run_id text, p_event text, p_actor text, p_reason text, p_detail json) returns bigint
language sql set search_path from current as $$
  insert into aos_audit_ledger (tenant_id, run_id, event, actor, reason, detail)
  values (p_tenant_id, p_run_id, p_event, p_actor, p_reason, p_detail::text)
  returning ledger_id
$$`,
    `create function runproof_is_held(p_tenant_id text, p_run_id text) returns boolean
language sql stable set search_path from current as $$
  select exists (
    select from aos_holds
    where tenant_id = p_tenant_id and (run_id is null or run_id = p_run_id) and lifted_at is null)
$$`,
    // An EVENT that the operation it goes with is told of: who, why, and of which trace.
    `create function runproof_require_told(p_record text, p_event text, p_trace_id text) returns void
language plpgsql set search_path from current as $$
begin
  if p_record::json ->> 'event' is distinct from p_event or p_record::json ->> 'trace_id' is distinct from p_trace_id then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the event is not the % of trace %', p_event, p_trace_id using errcode = 'S6001';
  end if;
  perform runproof_queue_event(p_record);
end
$$`,
    // Moves sealed traces with all their evidence to the archive, each beside its EVENT. What is open, held, younger or being
    // moved by another is left, and is no part of the answer.
    `create function runproof_archive_traces(p_trace_id text[], p_event_record text[], p_sealed_before timestamptz) returns table (archived_trace_id text)
language plpgsql security definer set search_path from current as $$
declare
  t aos_traces;
  moved bigint;
begin
  for place in 1 .. cardinality(p_trace_id) loop
    select * into t from aos_traces
      where trace_id = p_trace_id[place] and seal_record is not null and sealed_at < p_sealed_before
        and not runproof_is_held(tenant_id, run_id)
      for update skip locked;
    continue when not found;
    perform runproof_require_told(p_event_record[place], 'archival', t.trace_id);
    update aos_traces set archived_at = clock_timestamp() where trace_id = t.trace_id;
    insert into aos_traces_archive select * from aos_traces where trace_id = t.trace_id;
    insert into aos_trace_steps_archive select * from aos_trace_steps where trace_id = t.trace_id;
    delete from aos_trace_steps where trace_id = t.trace_id;
    get diagnostics moved = row_count;
    delete from aos_traces where trace_id = t.trace_id;
    if exists (select from aos_traces where trace_id = t.trace_id) or exists (select from aos_trace_steps where trace_id = t.trace_id) then
      perform runproof_refuse_lost('the move to the archive');
    end if;
    if moved is distinct from t.step_count then
      raise exception 'trace % is sealed over % steps and has %: it is not archived as if it were whole', t.trace_id, t.step_count, moved
        using errcode = 'S6006';
    end if;
    perform runproof_write_ledger(t.tenant_id, t.run_id, 'archived', p_event_record[place]::json ->> 'actor', p_event_record[place]::json ->> 'reason',
      json_build_object('trace_id', t.trace_id, 'root_hash', t.root_hash));
    archived_trace_id := t.trace_id;
    return next;
  end loop;
end
$$`,
    // Deletes archived traces, each beside its EVENT, which says its root. The run's row stays: its id and its root.
    `create function runproof_delete_archived(p_trace_id text[], p_event_record text[], p_sealed_before timestamptz) returns table (deleted_trace_id text)
language plpgsql security definer set search_path from current as $$
declare
  t aos_traces_archive;
begin
  for place in 1 .. cardinality(p_trace_id) loop
    select * into t from aos_traces_archive
      where trace_id = p_trace_id[place] and sealed_at < p_sealed_before and not runproof_is_held(tenant_id, run_id)
      for update skip locked;
    continue when not found;
    perform runproof_require_told(p_event_record[place], 'deletion', t.trace_id);
    update runs set root_hash = t.root_hash, deleted_at = clock_timestamp() where tenant_id = t.tenant_id and run_id = t.run_id and trace_id = t.trace_id;
    if not found then
      raise exception 'trace % has no run: it is not deleted as if it were whole', t.trace_id using errcode = 'S6006';
    end if;
    delete from aos_trace_steps_archive where trace_id = t.trace_id;
    delete from aos_traces_archive where trace_id = t.trace_id;
    if exists (select from aos_traces_archive where trace_id = t.trace_id) or exists (select from aos_trace_steps_archive where trace_id = t.trace_id) then
      perform runproof_refuse_lost('the deletion');
    end if;
    perform runproof_write_ledger(t.tenant_id, t.run_id, 'deleted', p_event_record[place]::json ->> 'actor', p_event_record[place]::json ->> 'reason',
      json_build_object('trace_id', t.trace_id, 'root_hash', t.root_hash));
    deleted_trace_id := t.trace_id;
    return next;
  end loop;
end
$$`,
    // How many of a trace's payloads are there, by the names that an erasure gives them.
    `create function runproof_payloads_there(p_trace_id text, p_payloads text[]) returns bigint
language sql stable set search_path from current as $$
  select count(distinct payload)
  from unnest(p_payloads) as payload,
  lateral (select substring(payload from '^step (0|[1-9][0-9]{0,15}):(?:params|outcome_data|attributes)$')::bigint as at_index, split_part(payload, ':', 2) as field) n
  where exists (
    select from (
      select plan, attributes, metadata from aos_traces where trace_id = p_trace_id
      union all
      select plan, attributes, metadata from aos_traces_archive where trace_id = p_trace_id
    ) t
    where case payload when 'trace:plan' then plan when 'trace:attributes' then attributes when 'seal:metadata' then metadata end is not null
  ) or exists (
    select from (
      select params, outcome_data, attributes from aos_trace_steps where trace_id = p_trace_id and step_index = n.at_index
      union all
      select params, outcome_data, attributes from aos_trace_steps_archive where trace_id = p_trace_id and step_index = n.at_index
    ) s
    where case n.field when 'params' then params when 'outcome_data' then outcome_data else attributes end is not null
  )
$$`,
    // Erases the payloads that the EVENT names, with their salts, wherever the trace lies: all of them, or none.
    `create function runproof_erase_payloads(p_tenant_id text, p_run_id text, p_event_record text) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  id text := p_event_record::json ->> 'trace_id';
  payloads text[] := string_to_array(p_event_record::json #>> '{detail,payloads}', ',');
  is_sealed boolean;
  place text;
begin
  select seal_record is not null into is_sealed from (
    select seal_record from aos_traces where trace_id = id and tenant_id = p_tenant_id and run_id = p_run_id
    union all
    select seal_record from aos_traces_archive where trace_id = id and tenant_id = p_tenant_id and run_id = p_run_id
  ) as known;
  if not found then
    raise exception 'no run % of tenant % has trace %', p_run_id, p_tenant_id, id using errcode = 'S6004';
  end if;
  if not is_sealed then
    raise exception 'run % is still open: its payloads are erased once it is sealed', p_run_id using errcode = 'S6006';
  end if;
  if runproof_is_held(p_tenant_id, p_run_id) then
    raise exception 'run % is held', p_run_id using errcode = 'S6007';
  end if;
  perform runproof_require_told(p_event_record, 'erasure', id);
  -- One that is not there, or is named twice, can't be said to have been erased.
  if cardinality(payloads) is distinct from runproof_payloads_there(id, payloads) then
    raise exception 'run % has not all of these payloads, each once: %', p_run_id, array_to_string(payloads, ', ') using errcode = 'S6006';
  end if;
  if payloads && array['trace:plan', 'trace:attributes', 'seal:metadata'] then
    foreach place in array array['aos_traces', 'aos_traces_archive'] loop
      execute format('update %I set
        plan = case when $2 then null else plan end, plan_salt = case when $2 then null else plan_salt end,
        attributes = case when $3 then null else attributes end, attributes_salt = case when $3 then null else attributes_salt end,
        metadata = case when $4 then null else metadata end, metadata_salt = case when $4 then null else metadata_salt end
        where trace_id = $1', place)
        using id, 'trace:plan' = any(payloads), 'trace:attributes' = any(payloads), 'seal:metadata' = any(payloads);
    end loop;
  end if;
  foreach place in array array['aos_trace_steps', 'aos_trace_steps_archive'] loop
    execute format('update %I s set
      params = case when e.params then null else s.params end, params_salt = case when e.params then null else s.params_salt end,
      outcome_data = case when e.outcome_data then null else s.outcome_data end, outcome_data_salt = case when e.outcome_data then null else s.outcome_data_salt end,
      attributes = case when e.attributes then null else s.attributes end, attributes_salt = case when e.attributes then null else s.attributes_salt end
      from (select substring(payload from ''^step ([0-9]+):'')::bigint as at_index, bool_or(payload like ''%%:params'') as params,
                   bool_or(payload like ''%%:outcome_data'') as outcome_data, bool_or(payload like ''%%:attributes'') as attributes
            from unnest($2) as payload where payload like ''step %%'' group by 1) e
      where s.trace_id = $1 and s.step_index = e.at_index', place) using id, payloads;
  end loop;
  if runproof_payloads_there(id, payloads) > 0 then
    perform runproof_refuse_lost('the erasure');
  end if;
  -- The hash of a request would show what it said to whoever guesses right.
  delete from aos_idempotency_keys where trace_id = id;
  perform runproof_write_ledger(p_tenant_id, p_run_id, 'erased', p_event_record::json ->> 'actor', p_event_record::json ->> 'reason',
    json_build_object('trace_id', id, 'payloads', payloads));
  return cardinality(payloads);
end
$$`,
    `create function runproof_set_hold(p_tenant_id text, p_run_id text, p_actor text, p_reason text) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  id bigint;
begin
  insert into aos_holds (tenant_id, run_id, actor, reason) values (p_tenant_id, p_run_id, p_actor, p_reason) returning hold_id into id;
  perform runproof_write_ledger(p_tenant_id, p_run_id, 'hold_set', p_actor, p_reason, json_build_object('hold_id', id));
  return id;
end
$$`,
    // Whether there was such a hold in force.
    `create function runproof_lift_hold(p_tenant_id text, p_hold_id bigint, p_actor text, p_reason text) returns boolean
language plpgsql security definer set search_path from current as $$
declare
  of_run text;
begin
  update aos_holds set lifted_at = clock_timestamp()
    where hold_id = p_hold_id and tenant_id = p_tenant_id and lifted_at is null
    returning run_id into of_run;
  if not found then
    return false;
  end if;
  perform runproof_write_ledger(p_tenant_id, of_run, 'hold_lifted', p_actor, p_reason, json_build_object('hold_id', p_hold_id));
  return true;
end
$$`,
    `create function runproof_set_retention(p_tenant_id text, p_keep_days bigint, p_actor text, p_reason text) returns void
language plpgsql security definer set search_path from current as $$
begin
  insert into aos_retentions (tenant_id, keep_days, actor, reason) values (p_tenant_id, p_keep_days, p_actor, p_reason);
  perform runproof_write_ledger(p_tenant_id, null, 'retention_set', p_actor, p_reason, json_build_object('keep_days', p_keep_days));
end
$$`,
    // What people say of a run that needs attention. Not what was done to evidence: the functions above say that themselves.
    `create function runproof_record_signal(p_tenant_id text, p_run_id text, p_event text, p_actor text, p_reason text, p_detail text) returns bigint
language plpgsql security definer set search_path from current as $$
begin
  if p_event is null or p_event not in ('signal_acknowledged', 'signal_suppressed', 'signal_escalated') then
    raise exception '% is no signal', p_event using errcode = 'S6006';
  end if;
  if not exists (select from runs where tenant_id = p_tenant_id and run_id = p_run_id) then
    raise exception 'no run %', p_run_id using errcode = 'S6004';
  end if;
  return runproof_write_ledger(p_tenant_id, p_run_id, p_event, p_actor, p_reason, p_detail::json);
end
$$`,
    `select runproof_close_rights('^(aos_(audit_ledger|holds|retentions)|runproof_(guard_hold_update|write_ledger|is_held|require_told|archive_traces|delete_archived|payloads_there|erase_payloads|set_hold|lift_hold|set_retention|record_signal)$)')`,
    `grant select on aos_audit_ledger, aos_holds, aos_retentions to runproof_app`,
    `grant execute on function runproof_record_signal(text, text, text, text, text, text) to runproof_app`,
    `grant execute on function runproof_archive_traces(text[], text[], timestamptz) to runproof_operator`,
    `grant execute on function runproof_delete_archived(text[], text[], timestamptz) to runproof_operator`,
    `grant execute on function runproof_erase_payloads(text, text, text) to runproof_operator`,
    `grant execute on function runproof_set_hold(text, text, text, text) to runproof_operator`,
    `grant execute on function runproof_lift_hold(text, bigint, text, text) to runproof_operator`,
    `grant execute on function runproof_set_retention(text, bigint, text, text) to runproof_operator`,
  ],
};
