import type { Migration } from "./Migration.ts";

/** The keys of each record in canonical order; a test compares them with the schemas'. */
const traceKeys =
  "agent_id,attributes,correlation_id,created_at,frozen_timestamp,incident_id,is_synthetic,origin_system_id,plan,redaction,replay_of,run_id,seed,started_at,synthetic_scenario_id,tenant_id,trace_id,type";
const stepKeys =
  "attributes,cost_cents,duration_ms,idempotency_key,is_synthetic,level,outcome_category,outcome_code,outcome_data,params,parent_step_index,replay_behavior,retry_count,skill_id,skill_name,source,started_at,status,step_index,synthetic_scenario_id,timestamp,trace_id,type";
const sealKeys =
  "chain_head,completed_at,merkle_root,metadata,reason,sealed_at,status,step_count,trace_id,type";

const appendOnlyTables = ["aos_log_entries", "aos_log_tiles", "aos_checkpoints"];
const guardedTables = [
  "aos_traces",
  "aos_trace_steps",
  "aos_trace_leases",
  "runs",
  "aos_log_queue",
  ...appendOnlyTables,
];

/** The longest lease: an hour after its process died, a run must no longer look alive. */
export const LEASE_MS_MAX = 3_600_000;

/** Clocks are set back by some seconds now and then. */
const CLOCK_GRACE_MS = 60_000;

export const eventKeys = "actor,detail,event,occurred_at,reason,trace_id,type";

/**
 * "S6": what may change, enforced by the database for every role whose triggers fire, its owner included.
 * SQLSTATEs of its own tell the driver what was refused: S6001 evidence would change, S6002 the trace is sealed,
 * S6003 not the next link, S6004 no such trace, S6005 lease lost, S6006 not a record.
 */
export const migration: Migration = {
  id: 3,
  name: "immutability",
  statements: [
    // These first ones name nothing but built-in functions: without a search path of their own they are inlined.
    `create function runproof_hash(prefix bytea, body text) returns text
language sql immutable parallel safe
as $$ select encode(sha256(prefix || convert_to(body, 'UTF8')), 'hex') $$`,
    `create function runproof_link(previous text, leaf text) returns text
language sql immutable parallel safe
as $$ select encode(sha256('\\x02'::bytea || decode(previous, 'hex') || decode(leaf, 'hex')), 'hex') $$`,
    // RFC 6962 tree hash over leaf hashes, one level at a time: an unpaired last hash rises as it is.
    `create function runproof_tree_hash(leaves bytea[]) returns bytea
language plpgsql immutable parallel safe as $$
declare
  hashes bytea[] := leaves;
begin
  while cardinality(hashes) > 1 loop
    select array_agg(node order by pair) into hashes from (
      select (ordinal - 1) / 2 as pair,
             case count(*) when 2 then sha256('\\x01'::bytea || string_agg(hash, ''::bytea order by ordinal))
                           else (array_agg(hash))[1] end as node
      from unnest(hashes) with ordinality as each(hash, ordinal)
      group by (ordinal - 1) / 2
    ) as level;
  end loop;
  return hashes[1];
end
$$`,
    `create function runproof_trace_tree(p_trace_id text) returns text
language sql stable set search_path from current
as $$
  select encode(runproof_tree_hash(array_agg(decode(leaf_hash, 'hex') order by position)), 'hex')
  from (
    select -1::bigint as position, leaf_hash from aos_traces where trace_id = p_trace_id
    union all
    select step_index, leaf_hash from aos_trace_steps where trace_id = p_trace_id
  ) as leaves
$$`,
    // A record must be one flat object with exactly its keys, in canonical order, and no white space between tokens.
    `create function runproof_require_record(record text, keys text, type text) returns void
language plpgsql immutable as $$
declare
  found_keys text;
  rebuilt text;
  found_type text;
begin
  select string_agg(key, ','), '{' || string_agg('"' || key || '":' || value, ',') || '}', max(value::text) filter (where key = 'type')
    into found_keys, rebuilt, found_type
    from json_each(record::json);
  if found_keys is distinct from keys or rebuilt is distinct from record or found_type is distinct from to_json(type)::text then
    raise exception 'not a canonical % record: keys are %', type, found_keys using errcode = 'S6006';
  end if;
end
$$`,
    // A payload and its salt are there together with their commitment, or none of the three.
    `create function runproof_require_payload(name text, commitment text, salt text, payload text) returns void
language plpgsql immutable as $$
begin
  if commitment is null and salt is null and payload is null then
    return;
  end if;
  if commitment is null or salt is null or payload is null or salt !~ '^[A-Za-z0-9_-]{21}[AQgw]$'
     or commitment <> 'sha256:' || runproof_hash('', '["' || salt || '","' || name || '",' || payload || ']') then
    raise exception 'payload % does not match its commitment', name using errcode = 'S6006';
  end if;
end
$$`,
    // Why a trace that holds no lease takes no write: it is sealed, or was never started.
    `create function runproof_refuse_closed(p_trace_id text) returns void
language plpgsql stable set search_path from current as $$
declare
  trace_status text;
begin
  select status into trace_status from aos_traces where trace_id = p_trace_id;
  if not found then
    raise exception 'no trace %', p_trace_id using errcode = 'S6004';
  end if;
  raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is %, and takes no more records', p_trace_id, trace_status
    using errcode = 'S6002', detail = trace_status;
end
$$`,
    // Every writer of a trace, its sealer included, holds its lease's row: one at a time, and none after the seal.
    `create function runproof_lock_trace(p_trace_id text) returns aos_trace_leases
language plpgsql set search_path from current as $$
declare
  lease aos_trace_leases;
begin
  -- An older snapshot would miss what the writer before left: a seal would count too few steps.
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'evidence is written under READ COMMITTED, and this transaction is %', upper(current_setting('transaction_isolation'))
      using errcode = 'invalid_transaction_state';
  end if;
  select * into lease from aos_trace_leases where trace_id = p_trace_id for update;
  if not found then
    perform runproof_refuse_closed(p_trace_id);
  end if;
  return lease;
end
$$`,
    // Canonical JSON, or null. Attributes may hold U+0000, which no run's goal can and PostgreSQL's json does not read.
    `create function runproof_goal(attributes text) returns text
language plpgsql immutable as $$
begin
  return (attributes::json -> 'goal')::text;
exception
  when untranslatable_character then return '';
end
$$`,
    `create function runproof_guard_trace_insert() returns trigger
language plpgsql set search_path from current as $$
declare
  r record;
begin
  perform runproof_require_record(new.record, '${traceKeys}', 'runproof/trace@v1');
  select * into r from json_to_record(new.record::json) as x(
    agent_id text, attributes text, correlation_id text, created_at timestamptz, frozen_timestamp timestamptz,
    incident_id text, is_synthetic boolean, origin_system_id text, plan text, redaction text, replay_of text,
    run_id text, seed bigint, started_at timestamptz, synthetic_scenario_id text, tenant_id text, trace_id text);
  perform runproof_require_payload('plan', r.plan, new.plan_salt, new.plan);
  perform runproof_require_payload('attributes', r.attributes, new.attributes_salt, new.attributes);
  if num_nonnulls(new.seal_record, new.root_hash, new.metadata, new.metadata_salt, new.archived_at, new.erased_at) > 0 then
    raise exception 'S6_IMMUTABILITY_VIOLATION: a trace starts open' using errcode = 'S6001';
  end if;
  new.trace_id := r.trace_id;
  new.run_id := r.run_id;
  new.tenant_id := r.tenant_id;
  new.correlation_id := r.correlation_id;
  new.agent_id := r.agent_id;
  new.origin_system_id := r.origin_system_id;
  new.incident_id := r.incident_id;
  new.replay_of := r.replay_of;
  new.started_at := r.started_at;
  new.created_at := r.created_at;
  new.plan_commitment := r.plan;
  new.attributes_commitment := r.attributes;
  new.seed := r.seed;
  new.frozen_timestamp := r.frozen_timestamp;
  new.is_synthetic := r.is_synthetic;
  new.synthetic_scenario_id := r.synthetic_scenario_id;
  new.redaction := r.redaction;
  new.leaf_hash := runproof_hash('\\x00', new.record);
  new.link := runproof_link(repeat('0', 64), new.leaf_hash);
  new.status := 'running';
  new.reason := null;
  new.completed_at := null;
  new.sealed_at := null;
  new.step_count := null;
  new.chain_head := null;
  new.merkle_root := null;
  new.metadata_commitment := null;
  -- A trace without a lease could stay open for ever: one that brought none has one that is over.
  insert into aos_trace_leases (trace_id, holder, expires_at) values (new.trace_id, '', clock_timestamp())
    on conflict (trace_id) do nothing;
  insert into aos_log_queue (kind, digest, trace_id) values (1, new.link, new.trace_id);
  -- A run that was stored with other words is another: it stays queued, and claims nothing of this trace.
  update runs set status = 'running', trace_id = new.trace_id, started_at = clock_timestamp()
    where tenant_id = new.tenant_id and run_id = new.run_id and status = 'queued'
      and agent_id is not distinct from new.agent_id and origin_system_id is not distinct from new.origin_system_id
      and plan is not distinct from new.plan
      and to_json(goal)::text is not distinct from runproof_goal(new.attributes);
  return new;
end
$$`,
    `create function runproof_guard_step_insert() returns trigger
language plpgsql set search_path from current as $$
declare
  r record;
  t record;
  previous text;
  next_link text;
begin
  perform runproof_require_record(new.record, '${stepKeys}', 'runproof/step@v1');
  select * into r from json_to_record(new.record::json) as x(
    attributes text, cost_cents double precision, duration_ms double precision, idempotency_key text,
    is_synthetic boolean, level text, outcome_category text, outcome_code text, outcome_data text, params text,
    parent_step_index bigint, replay_behavior text, retry_count bigint, skill_id text, skill_name text, source text,
    started_at timestamptz, status text, step_index bigint, synthetic_scenario_id text, "timestamp" timestamptz,
    trace_id text);
  perform runproof_lock_trace(r.trace_id);
  select run_id, tenant_id, link, seal_record into t from aos_traces where trace_id = r.trace_id;
  -- A lease can be put beside a sealed trace.
  if t.seal_record is not null then
    perform runproof_refuse_closed(r.trace_id);
  end if;
  if r.step_index = 0 then
    previous := t.link;
  else
    select link into previous from aos_trace_steps where trace_id = r.trace_id and step_index = r.step_index - 1;
  end if;
  if previous is null or exists (select from aos_trace_steps where trace_id = r.trace_id and step_index = r.step_index) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % of trace % is not the next', r.step_index, r.trace_id
      using errcode = 'S6003';
  end if;
  if r.parent_step_index < 0 or r.parent_step_index >= r.step_index then
    raise exception 'parent_step_index % is not below step %', r.parent_step_index, r.step_index using errcode = 'S6006';
  end if;
  perform runproof_require_payload('params', r.params, new.params_salt, new.params);
  perform runproof_require_payload('outcome_data', r.outcome_data, new.outcome_data_salt, new.outcome_data);
  perform runproof_require_payload('attributes', r.attributes, new.attributes_salt, new.attributes);
  new.leaf_hash := runproof_hash('\\x00', new.record);
  next_link := runproof_link(previous, new.leaf_hash);
  if new.link is not null and new.link <> next_link then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % of trace % does not extend its previous link', r.step_index, r.trace_id
      using errcode = 'S6003';
  end if;
  new.link := next_link;
  new.trace_id := r.trace_id;
  new.step_index := r.step_index;
  new.run_id := t.run_id;
  new.tenant_id := t.tenant_id;
  new.parent_step_index := r.parent_step_index;
  new.skill_id := r.skill_id;
  new.skill_name := r.skill_name;
  new.source := r.source;
  new.status := r.status;
  new.level := r.level;
  new.outcome_category := r.outcome_category;
  new.outcome_code := r.outcome_code;
  new.params_commitment := r.params;
  new.outcome_data_commitment := r.outcome_data;
  new.attributes_commitment := r.attributes;
  new.cost_cents := r.cost_cents;
  new.duration_ms := r.duration_ms;
  new.started_at := r.started_at;
  new.retry_count := r.retry_count;
  new.replay_behavior := r.replay_behavior;
  new.idempotency_key := r.idempotency_key;
  new."timestamp" := r."timestamp";
  new.is_synthetic := r.is_synthetic;
  new.synthetic_scenario_id := r.synthetic_scenario_id;
  new.erased_at := null;
  return new;
end
$$`,
    // An erasure, archival or deletion is allowed only beside its EVENT, queued by the same transaction.
    `create function runproof_require_event(p_trace_id text, p_event text) returns void
language plpgsql stable set search_path from current as $$
begin
  if not exists (
    select from aos_log_queue
    where trace_id = p_trace_id and kind = 4 and event_record::json ->> 'event' = p_event
      and transaction_id = pg_current_xact_id()::text::bigint
  ) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: % of trace % without its event in the log', p_event, p_trace_id
      using errcode = 'S6001';
  end if;
end
$$`,
    // What is left of a deleted trace is its entries in the log: its EVENT says which root and how many HEADs are its own,
    // or another trace's entries could pass for them.
    `create function runproof_require_deletion(deleted aos_traces) returns void
language plpgsql stable set search_path from current as $$
declare
  heads bigint;
begin
  select count(*) into heads from (
    select from aos_log_entries where trace_id = deleted.trace_id and kind = 3
    union all
    select from aos_log_queue where trace_id = deleted.trace_id and kind = 3
  ) as entries;
  if not exists (
    select from aos_log_queue
    where trace_id = deleted.trace_id and kind = 4 and event_record::json ->> 'event' = 'deletion'
      and event_record::json #>> '{detail,root_hash}' = deleted.root_hash
      and coalesce(event_record::json #>> '{detail,heads}', '0') = heads::text
      and transaction_id = pg_current_xact_id()::text::bigint
  ) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: deletion of trace % without an event that says its root and its % HEAD entries', deleted.trace_id, heads
      using errcode = 'S6001';
  end if;
end
$$`,
    `create function runproof_guard_step_update() returns trigger
language plpgsql set search_path from current as $$
declare
  allowed aos_trace_steps := old;
begin
  if num_nulls(new.params, new.outcome_data, new.attributes) > num_nulls(old.params, old.outcome_data, old.attributes) then
    if new.params is null then allowed.params := null; allowed.params_salt := null; end if;
    if new.outcome_data is null then allowed.outcome_data := null; allowed.outcome_data_salt := null; end if;
    if new.attributes is null then allowed.attributes := null; allowed.attributes_salt := null; end if;
    new.erased_at := coalesce(old.erased_at, clock_timestamp());
    allowed.erased_at := new.erased_at;
    perform runproof_require_event(old.trace_id, 'erasure');
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % of trace % is not changed', old.step_index, old.trace_id
      using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create function runproof_guard_completion(old aos_traces, new aos_traces) returns aos_traces
language plpgsql set search_path from current as $$
declare
  r record;
  head record;
  lease aos_trace_leases;
begin
  lease := runproof_lock_trace(old.trace_id);
  perform runproof_require_record(new.seal_record, '${sealKeys}', 'runproof/seal@v1');
  select * into r from json_to_record(new.seal_record::json) as x(
    chain_head text, completed_at timestamptz, merkle_root text, metadata text, reason text, sealed_at timestamptz,
    status text, step_count bigint, trace_id text);
  perform runproof_require_payload('metadata', r.metadata, new.metadata_salt, new.metadata);
  select count(*) as step_count,
         coalesce((select link from aos_trace_steps where trace_id = old.trace_id order by step_index desc limit 1), old.link) as link
    into head from aos_trace_steps where trace_id = old.trace_id;
  if r.status is null or r.status not in ('completed', 'failed', 'aborted') then
    raise exception 'a trace is not sealed as %', r.status using errcode = 'S6006';
  end if;
  -- A process whose lease is over may be dead, and what it left is not complete.
  if r.status <> 'aborted' and lease.expires_at <= clock_timestamp() then
    raise exception 'the lease of trace % is over: it can only be aborted', old.trace_id using errcode = 'S6005';
  end if;
  if r.trace_id is distinct from old.trace_id or r.step_count is distinct from head.step_count
     or r.chain_head is distinct from head.link or r.merkle_root is distinct from runproof_trace_tree(old.trace_id) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the seal of trace % does not match its steps', old.trace_id
      using errcode = 'S6003';
  end if;
  new.status := r.status;
  new.reason := r.reason;
  new.completed_at := r.completed_at;
  new.sealed_at := r.sealed_at;
  new.step_count := r.step_count;
  new.chain_head := r.chain_head;
  new.merkle_root := r.merkle_root;
  new.metadata_commitment := r.metadata;
  new.root_hash := runproof_link(head.link, runproof_hash('\\x00', new.seal_record));
  delete from aos_trace_leases where trace_id = old.trace_id;
  insert into aos_log_queue (kind, digest, trace_id) values (2, new.root_hash, old.trace_id);
  update runs set status = case r.status when 'completed' then 'succeeded' else r.status end, completed_at = clock_timestamp()
    where tenant_id = old.tenant_id and run_id = old.run_id and trace_id = old.trace_id;
  return new;
end
$$`,
    `create function runproof_guard_trace_update() returns trigger
language plpgsql set search_path from current as $$
declare
  allowed aos_traces := old;
begin
  if old.seal_record is null and new.seal_record is not null then
    new := runproof_guard_completion(old, new);
    allowed.status := new.status;
    allowed.reason := new.reason;
    allowed.completed_at := new.completed_at;
    allowed.sealed_at := new.sealed_at;
    allowed.step_count := new.step_count;
    allowed.chain_head := new.chain_head;
    allowed.merkle_root := new.merkle_root;
    allowed.metadata_commitment := new.metadata_commitment;
    allowed.seal_record := new.seal_record;
    allowed.root_hash := new.root_hash;
    allowed.metadata := new.metadata;
    allowed.metadata_salt := new.metadata_salt;
  elsif old.seal_record is not null and old.archived_at is null and new.archived_at is not null then
    allowed.archived_at := new.archived_at;
    perform runproof_require_event(old.trace_id, 'archival');
  elsif old.seal_record is not null
        and num_nulls(new.plan, new.attributes, new.metadata) > num_nulls(old.plan, old.attributes, old.metadata) then
    new.erased_at := coalesce(old.erased_at, clock_timestamp());
    allowed.erased_at := new.erased_at;
    if new.plan is null then allowed.plan := null; allowed.plan_salt := null; end if;
    if new.attributes is null then allowed.attributes := null; allowed.attributes_salt := null; end if;
    if new.metadata is null then allowed.metadata := null; allowed.metadata_salt := null; end if;
    perform runproof_require_event(old.trace_id, 'erasure');
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is not changed', old.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create function runproof_guard_delete() returns trigger
language plpgsql set search_path from current as $$
begin
  if exists (select from aos_traces where trace_id = old.trace_id and archived_at is null) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is not archived, and nothing of it is deleted', old.trace_id
      using errcode = 'S6001';
  end if;
  if tg_table_name = 'aos_traces' then
    perform runproof_require_deletion(old);
  else
    perform runproof_require_event(old.trace_id, 'deletion');
  end if;
  return old;
end
$$`,
    `create function runproof_guard_run_update() returns trigger
language plpgsql set search_path from current as $$
declare
  allowed runs := old;
begin
  if (old.status, new.status) in (('queued', 'running'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'aborted')) then
    allowed.status := new.status;
    allowed.trace_id := coalesce(old.trace_id, new.trace_id);
    allowed.started_at := coalesce(old.started_at, new.started_at);
    allowed.completed_at := coalesce(old.completed_at, new.completed_at);
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: run % goes forward only', old.run_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create function runproof_guard_run_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  if new.status <> 'queued' or num_nonnulls(new.trace_id, new.started_at, new.completed_at) > 0 then
    raise exception 'S6_IMMUTABILITY_VIOLATION: run % starts queued', new.run_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // A lease that lasts for years would keep a dead run open, and a HEAD that is said to be there would keep the next one off.
    `create function runproof_guard_lease() returns trigger
language plpgsql set search_path from current as $$
declare
  before_head bigint := 0;
begin
  if tg_op = 'UPDATE' then
    before_head := old.head_index;
  end if;
  if tg_op = 'UPDATE' and (new.trace_id is distinct from old.trace_id or new.holder is distinct from old.holder)
     or new.expires_at > clock_timestamp() + interval '${LEASE_MS_MAX + CLOCK_GRACE_MS} milliseconds'
     or new.head_logged_at > clock_timestamp() + interval '${CLOCK_GRACE_MS} milliseconds'
     or new.head_index is distinct from before_head
        and not exists (select from aos_trace_steps where trace_id = new.trace_id and step_index = new.head_index - 1) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the lease of trace % is not so changed', new.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // An EVENT is what its record says, and of this transaction: others let evidence go by it.
    `create function runproof_guard_queue_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  if (new.kind = 4) is distinct from (new.event_record is not null)
     or new.kind = 4 and new.digest is distinct from runproof_hash('\\x00', new.event_record) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: a log entry of kind % has not this record and digest', new.kind using errcode = 'S6001';
  end if;
  new.queued_at := clock_timestamp();
  new.transaction_id := pg_current_xact_id()::text::bigint;
  return new;
end
$$`,
    // An index far away would end the log: nothing comes after the largest.
    `create function runproof_guard_entry_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  if new.log_index is distinct from (select coalesce(max(log_index) + 1, 0) from aos_log_entries) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: log entry % is not the next', new.log_index using errcode = 'S6003';
  end if;
  return new;
end
$$`,
    `create function runproof_refuse() returns trigger
language plpgsql set search_path from current as $$
begin
  raise exception 'S6_IMMUTABILITY_VIOLATION: % on %', tg_op, tg_table_name using errcode = 'S6001';
end
$$`,
    // An entry leaves the queue only for its place in the log.
    `create function runproof_guard_queue() returns trigger
language plpgsql set search_path from current set enable_seqscan = off as $$
begin
  if tg_op = 'DELETE' and exists (
    select from aos_log_entries
    where (trace_id = old.trace_id or trace_id is null and old.trace_id is null)
      and kind = old.kind and digest = old.digest and queued_at = old.queued_at
  ) then
    return old;
  end if;
  raise exception 'S6_IMMUTABILITY_VIOLATION: % on %', tg_op, tg_table_name using errcode = 'S6001';
end
$$`,
    `create trigger s6_change before update or delete on aos_log_queue for each row execute function runproof_guard_queue()`,
    `create trigger s6_insert before insert on aos_log_queue for each row execute function runproof_guard_queue_insert()`,
    `create trigger s6_insert before insert on aos_log_entries for each row execute function runproof_guard_entry_insert()`,
    `create trigger s6_change before insert or update on aos_trace_leases for each row execute function runproof_guard_lease()`,
    `create trigger s6_insert before insert on runs for each row execute function runproof_guard_run_insert()`,
    `create trigger s6_insert before insert on aos_traces for each row execute function runproof_guard_trace_insert()`,
    `create trigger s6_update before update on aos_traces for each row execute function runproof_guard_trace_update()`,
    `create trigger s6_delete before delete on aos_traces for each row execute function runproof_guard_delete()`,
    `create trigger s6_insert before insert on aos_trace_steps for each row execute function runproof_guard_step_insert()`,
    `create trigger s6_update before update on aos_trace_steps for each row execute function runproof_guard_step_update()`,
    `create trigger s6_delete before delete on aos_trace_steps for each row execute function runproof_guard_delete()`,
    `create trigger s6_update before update on runs for each row execute function runproof_guard_run_update()`,
    `create trigger s6_delete before delete on runs for each row execute function runproof_refuse()`,
    ...appendOnlyTables.map(
      (table) =>
        `create trigger s6_change before update or delete on ${table} for each row execute function runproof_refuse()`,
    ),
    ...guardedTables.map(
      (table) =>
        `create trigger s6_truncate before truncate on ${table} for each statement execute function runproof_refuse()`,
    ),
    ...["s6_insert", "s6_update", "s6_delete"].flatMap((trigger) =>
      ["aos_traces", "aos_trace_steps"].map(
        (table) => `alter table ${table} enable always trigger ${trigger}`,
      ),
    ),
    ...["s6_insert", "s6_update", "s6_delete"].map(
      (trigger) => `alter table runs enable always trigger ${trigger}`,
    ),
    ...["aos_trace_leases", "aos_log_queue", ...appendOnlyTables].map(
      (table) => `alter table ${table} enable always trigger s6_change`,
    ),
    ...["aos_log_queue", "aos_log_entries"].map(
      (table) => `alter table ${table} enable always trigger s6_insert`,
    ),
    ...guardedTables.map((table) => `alter table ${table} enable always trigger s6_truncate`),
  ],
};
