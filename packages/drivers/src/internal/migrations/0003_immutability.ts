import type { Migration } from "./Migration.ts";

/**
 * "S6": what may change, enforced by the database for every role whose triggers fire, its owner included.
 * SQLSTATEs of its own tell the driver what was refused: S6001 evidence would change, S6002 the trace is sealed,
 * S6003 not the next link, S6004 no such trace, S6005 lease lost, S6006 not a record.
 */
export const migration: Migration = {
  id: 3,
  name: "immutability",
  statements: [
    // These first ones name nothing but built-in functions: without a search path of their own they are inlined, and only
    // as STABLE, which convert_to is.
    `create function runproof_hash(prefix bytea, body text) returns text
language sql stable parallel safe
as $$ select encode(sha256(prefix || convert_to(body, 'UTF8')), 'hex') $$`,
    `create function runproof_link(previous text, leaf text) returns text
language sql immutable parallel safe
as $$ select encode(sha256('\\x02'::bytea || decode(previous, 'hex') || decode(leaf, 'hex')), 'hex') $$`,
    // What no reader takes is refused before work is put into it.
    `create function runproof_require_size(body text, bytes_max bigint) returns void
language plpgsql immutable parallel safe as $$
begin
  if octet_length(body) > bytes_max then
    raise exception 'a text of % bytes, where % are the most', octet_length(body), bytes_max using errcode = 'S6006';
  end if;
end
$$`,
    // RFC 6962 by its peaks: the roots of the full subtrees, the largest first. A new leaf merges those of its own size;
    // what they merge to are the subtrees that end with it, from that of two leaves up.
    `create function runproof_push_leaf(inout peaks bytea[], size bigint, leaf bytea, out subtrees bytea)
language plpgsql immutable parallel safe as $$
declare
  node bytea := leaf;
  count int := cardinality(peaks);
begin
  while size & 1 = 1 loop
    node := sha256('\\x01'::bytea || peaks[count] || node);
    subtrees := coalesce(subtrees, '') || node;
    count := count - 1;
    size := size >> 1;
  end loop;
  peaks := peaks[1:count] || node;
end
$$`,
    // The same for many leaves at once: pairs merge level by level, and what finds no sibling is that level's new peak.
    `create function runproof_push_leaves(inout peaks bytea[], size bigint, leaves bytea[], out subtrees bytea[])
language plpgsql immutable parallel safe as $$
declare
  nodes bytea[] := leaves;
  first bigint := size;
  length bigint := 1;
  count int := cardinality(peaks);
  fresh bytea[] := '{}';
  place bigint;
begin
  subtrees := array_fill(null::bytea, array[cardinality(leaves)]);
  while cardinality(nodes) > 0 loop
    if first & 1 = 1 then
      nodes := peaks[count] || nodes;
      count := count - 1;
    end if;
    if cardinality(nodes) & 1 = 1 then
      fresh := nodes[cardinality(nodes)] || fresh;
    end if;
    nodes := array(
      select sha256('\\x01'::bytea || nodes[2 * pair - 1] || nodes[2 * pair])
      from generate_series(1, cardinality(nodes) / 2) as pair order by pair);
    first := first >> 1;
    length := length * 2;
    for at in 1 .. cardinality(nodes) loop
      place := (first + at) * length - size;
      subtrees[place] := coalesce(subtrees[place], '') || nodes[at];
    end loop;
  end loop;
  peaks := peaks[1:count] || fresh;
end
$$`,
    `create function runproof_peaks_root(peaks bytea[]) returns text
language plpgsql immutable parallel safe as $$
declare
  root bytea := peaks[cardinality(peaks)];
begin
  for at in reverse cardinality(peaks) - 1 .. 1 loop
    root := sha256('\\x01'::bytea || peaks[at] || root);
  end loop;
  return encode(root, 'hex');
end
$$`,
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
    // How RFC 8785 spells a number from 0 to 2^53-1. The shortest digits are PostgreSQL's own; where it puts the exponent
    // is not.
    `create function runproof_small_number(number double precision) returns text
language plpgsql immutable parallel safe as $$
declare
  parts text[] := regexp_match(number::text, '^(\\d)(?:\\.(\\d+))?e([+-]\\d+)$');
  digits text := parts[1] || coalesce(parts[2], '');
  power int := parts[3]::int;
begin
  return case
    when power >= 0 then left(digits, power + 1) || '.' || substr(digits, power + 2)
    when power >= -6 then '0.' || repeat('0', -power - 1) || digits
    else parts[1] || coalesce('.' || parts[2], '') || 'e' || power end;
end
$$`,
    `create function runproof_number(number double precision) returns text
language sql immutable parallel safe
as $$
  select case when number is null then 'null'
              when number < 0 or number > 9007199254740991 then null
              when number = trunc(number) then number::bigint::text
              when number >= 0.0001 and number < 1e15 then number::text
              else runproof_small_number(number) end
$$`,
    `create function runproof_text(body text) returns text
language sql stable parallel safe
as $$ select coalesce(to_json(body)::text, 'null') $$`,
    `create function runproof_time(moment timestamptz) returns text
language sql stable parallel safe
as $$
  select case when moment is null then 'null'
              when moment >= '0001-01-01T00:00:00Z' and moment < '10000-01-01T00:00:00Z'
              then '"' || to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"' end
$$`,
    // A payload and its salt are there together with their commitment, or none of the three.
    `create function runproof_is_payload(name text, commitment text, salt text, payload text) returns boolean
language sql stable parallel safe
as $$
  select case when commitment is null then salt is null and payload is null
              else length(salt) = 22 and salt ~ '^[-0-9A-Z_a-z]*[AQgw]$' and octet_length(payload) <= 16777216
                   and commitment = 'sha256:' || encode(sha256(convert_to('["' || salt || '","' || name || '",' || payload || ']', 'UTF8')), 'hex') end
$$`,
    // Why a trace that holds no lease takes no write: it is sealed, or was never started.
    `create function runproof_refuse_closed(p_trace_id text) returns void
language plpgsql stable set search_path from current as $$
declare
  trace_status text;
begin
  select status into trace_status from (
    select status from aos_traces where trace_id = p_trace_id
    union all
    select status from aos_traces_archive where trace_id = p_trace_id
  ) as known;
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
    // Like that of a step, with no search path of its own: each call would plan it anew, for longer than all else takes.
    `create function runproof_trace_record(t aos_traces) returns text
language sql stable as $$
  select concat(
    '{"agent_id":', runproof_text(t.agent_id), ',"attributes":', runproof_text(t.attributes_commitment),
    ',"capture":', runproof_text(t.capture), ',"correlation_id":', runproof_text(t.correlation_id),
    ',"created_at":', runproof_time(t.created_at), ',"frozen_timestamp":', runproof_time(t.frozen_timestamp),
    ',"incident_id":', runproof_text(t.incident_id), ',"is_synthetic":', to_json(t.is_synthetic),
    ',"origin_system_id":', runproof_text(t.origin_system_id), ',"plan":', runproof_text(t.plan_commitment),
    ',"redaction":', runproof_text(t.redaction), ',"replay_of":', runproof_text(t.replay_of),
    ',"run_id":', runproof_text(t.run_id), ',"seed":', coalesce(t.seed::text, 'null'),
    ',"started_at":', runproof_time(t.started_at), ',"synthetic_scenario_id":', runproof_text(t.synthetic_scenario_id),
    ',"tenant_id":', runproof_text(t.tenant_id), ',"trace_id":', runproof_text(t.trace_id),
    ',"type":"runproof/trace@v1"}')
$$`,
    `create function runproof_guard_trace_insert() returns trigger
language plpgsql set search_path from current as $$
declare
  r record;
  logged_at timestamptz;
begin
  perform runproof_require_size(new.record, 16777216);
  select * into r from json_to_record(new.record::json) as x(
    agent_id text, attributes text, capture text, correlation_id text, created_at timestamptz, frozen_timestamp timestamptz,
    incident_id text, is_synthetic boolean, origin_system_id text, plan text, redaction text, replay_of text,
    run_id text, seed bigint, started_at timestamptz, synthetic_scenario_id text, tenant_id text, trace_id text);
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
  new.capture := r.capture;
  if new.record is distinct from runproof_trace_record(new) then
    raise exception 'not a canonical runproof/trace@v1 record' using errcode = 'S6006';
  end if;
  if (char_length(r.trace_id) between 1 and 255 and char_length(r.run_id) between 1 and 255
      and char_length(r.tenant_id) between 1 and 255 and char_length(r.correlation_id) between 1 and 255
      and r.capture in ('gated', 'inline', 'observed', 'imported')
      and (r.seed is null or r.seed between -9007199254740991 and 9007199254740991)
      and (not r.is_synthetic or r.synthetic_scenario_id is not null)) is not true then
    raise exception 'no runproof/trace@v1 record: a value breaks the format''s rules' using errcode = 'S6006';
  end if;
  if not runproof_is_payload('plan', r.plan, new.plan_salt, new.plan) then
    raise exception 'payload plan does not match its commitment' using errcode = 'S6006';
  end if;
  if not runproof_is_payload('attributes', r.attributes, new.attributes_salt, new.attributes) then
    raise exception 'payload attributes does not match its commitment' using errcode = 'S6006';
  end if;
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
  insert into aos_trace_leases (trace_id, tenant_id, run_id, capture, holder, expires_at, link, peaks)
    values (new.trace_id, new.tenant_id, new.run_id, new.capture, '', clock_timestamp(), new.link, array[decode(new.leaf_hash, 'hex')])
    on conflict (trace_id) do nothing;
  perform from aos_trace_leases l
    where l.trace_id = new.trace_id and l.tenant_id = new.tenant_id and l.run_id = new.run_id and l.capture = new.capture
      and l.next_index = 0 and l.link = new.link and l.peaks = array[decode(new.leaf_hash, 'hex')] and l.open_intents = '{}';
  if not found then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the lease of trace % is another trace''s', new.trace_id using errcode = 'S6001';
  end if;
  -- An audit compares the run's times with those of its entries.
  insert into aos_log_queue (kind, digest, trace_id) values (1, new.link, new.trace_id) returning queued_at into logged_at;
  insert into runs as known (tenant_id, run_id, trace_id, status, created_at, started_at)
    values (new.tenant_id, new.run_id, new.trace_id, 'running', logged_at, logged_at)
    on conflict (tenant_id, run_id) do update set status = 'running', trace_id = excluded.trace_id, started_at = excluded.started_at
      where known.status = 'queued';
  if not found or exists (select from aos_traces_archive a where a.trace_id = new.trace_id) then
    raise exception 'run % of tenant % was recorded before', new.run_id, new.tenant_id
      using errcode = 'unique_violation', constraint = 'aos_traces_tenant_id_run_id_key', table = 'aos_traces';
  end if;
  return new;
end
$$`,
    // What a step's columns say, in canonical form: a record that is not this text says something else, or not so.
    `create function runproof_step_record(s aos_trace_steps) returns text
language sql stable
as $$
  select '{"attributes":' || coalesce('"' || s.attributes_commitment || '"', 'null')
      || ',"cost_cents":' || runproof_number(s.cost_cents)
      || ',"duration_ms":' || runproof_number(s.duration_ms)
      || ',"idempotency_key":' || runproof_text(s.idempotency_key)
      || ',"intent_index":' || coalesce(s.intent_index::text, 'null')
      || ',"is_synthetic":' || case when s.is_synthetic then 'true' else 'false' end
      || ',"level":"' || case s.status when 'failure' then 'ERROR' when 'retry' then 'WARN' else 'INFO' end
      || '","outcome_category":' || runproof_text(s.outcome_category)
      || ',"outcome_code":' || runproof_text(s.outcome_code)
      || ',"outcome_data":' || coalesce('"' || s.outcome_data_commitment || '"', 'null')
      || ',"params":' || coalesce('"' || s.params_commitment || '"', 'null')
      || ',"parent_step_index":' || coalesce(s.parent_step_index::text, 'null')
      || ',"replay_behavior":"' || s.replay_behavior
      || '","retry_count":' || s.retry_count
      || ',"skill_id":' || runproof_text(s.skill_id)
      || ',"skill_name":' || runproof_text(s.skill_name)
      || ',"source":"' || s.source
      || '","started_at":' || runproof_time(s.started_at)
      || ',"status":"' || s.status
      || '","step_index":' || s.step_index
      || ',"synthetic_scenario_id":' || runproof_text(s.synthetic_scenario_id)
      || ',"timestamp":' || runproof_time(s."timestamp")
      || ',"trace_id":' || runproof_text(s.trace_id)
      || ',"type":"runproof/step@v1"}'
$$`,
    // Why a step is refused: asked only where one is.
    `create function runproof_refuse_step(s aos_trace_steps) returns void
language plpgsql set search_path from current as $$
declare
  l aos_trace_leases;
  previous text;
begin
  select * into l from aos_trace_leases where trace_id = s.trace_id;
  if not found then
    perform runproof_refuse_closed(s.trace_id);
  end if;
  if s.run_id is distinct from l.run_id or s.tenant_id is distinct from l.tenant_id then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % is of another run than trace %', s.step_index, s.trace_id
      using errcode = 'S6001';
  end if;
  if s.level is distinct from (case s.status when 'failure' then 'ERROR' when 'retry' then 'WARN' else 'INFO' end)
     or s.record is distinct from runproof_step_record(s) then
    raise exception 'step % of trace % is not a canonical runproof/step@v1 record of its columns', s.step_index, s.trace_id
      using errcode = 'S6006';
  end if;
  if s.parent_step_index < 0 or s.parent_step_index >= s.step_index then
    raise exception 'parent_step_index % is not below step %', s.parent_step_index, s.step_index using errcode = 'S6006';
  end if;
  if not runproof_is_payload('params', s.params_commitment, s.params_salt, s.params) then
    raise exception 'payload params of step % does not match its commitment', s.step_index using errcode = 'S6006';
  end if;
  if not runproof_is_payload('outcome_data', s.outcome_data_commitment, s.outcome_data_salt, s.outcome_data) then
    raise exception 'payload outcome_data of step % does not match its commitment', s.step_index using errcode = 'S6006';
  end if;
  if not runproof_is_payload('attributes', s.attributes_commitment, s.attributes_salt, s.attributes) then
    raise exception 'payload attributes of step % does not match its commitment', s.step_index using errcode = 'S6006';
  end if;
  if s.step_index = 0 then
    select link into previous from aos_traces where trace_id = s.trace_id;
  else
    select link into previous from aos_trace_steps where trace_id = s.trace_id and step_index = s.step_index - 1;
  end if;
  if previous is null or s.step_index >= l.next_index or s.leaf_hash is distinct from runproof_hash('\\x00', s.record)
     or s.link is distinct from runproof_link(previous, s.leaf_hash)
     or s.step_index = l.next_index - 1 and (s.link is distinct from l.link or s.subtrees is distinct from l.subtrees)
     or not exists (select from aos_trace_steps where trace_id = s.trace_id and step_index = l.next_index - 1) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % of trace % is not the next, or does not extend its previous link', s.step_index, s.trace_id
      using errcode = 'S6003';
  end if;
  if s.status = 'intended' or s.intent_index is not null or l.capture = 'gated' then
    raise exception 'step % of trace %, which is %, breaks the rules of intents and outcomes', s.step_index, s.trace_id, l.capture
      using errcode = 'S6006';
  end if;
  raise exception 'step % of trace % is no runproof/step@v1 record: a value breaks the format''s rules', s.step_index, s.trace_id
    using errcode = 'S6006';
end
$$`,
    // Judges all steps of one statement at once, whoever wrote them: every condition must be true.
    `create function runproof_judge_steps() returns trigger
language plpgsql set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  refused aos_trace_steps;
begin
  select s.* into refused
  from added s
  left join lateral (
    select run_id, tenant_id, capture, next_index, link, subtrees from aos_trace_leases where trace_id = s.trace_id limit 1
  ) l on true
  left join lateral (
    select link from aos_trace_steps where trace_id = s.trace_id and step_index = s.step_index - 1 and s.step_index > 0
    union all
    select link from aos_traces where trace_id = s.trace_id and s.step_index = 0
    limit 1
  ) p on true
  left join lateral (
    select true as is_there from aos_trace_steps
    where trace_id = s.trace_id and step_index = l.next_index - 1 and s.step_index < l.next_index - 1
    limit 1
  ) h on true
  where (
    s.run_id = l.run_id and s.tenant_id = l.tenant_id and octet_length(s.record) <= 16777216
    and s.leaf_hash = runproof_hash('\\x00', s.record) and s.link = runproof_link(p.link, s.leaf_hash)
    and (s.step_index = l.next_index - 1 and s.link = l.link and s.subtrees is not distinct from l.subtrees or h.is_there)
    and s.record = runproof_step_record(s)
    and s.level = case s.status when 'failure' then 'ERROR' when 'retry' then 'WARN' else 'INFO' end
    and s.source in ('engine', 'external', 'replay') and s.replay_behavior in ('execute', 'skip', 'check')
    and s.status in ('intended', 'success', 'failure', 'retry', 'skipped')
    and s.retry_count between 0 and 9007199254740991
    and (s.parent_step_index is null or s.parent_step_index >= 0 and s.parent_step_index < s.step_index)
    and runproof_is_payload('params', s.params_commitment, s.params_salt, s.params)
    and runproof_is_payload('outcome_data', s.outcome_data_commitment, s.outcome_data_salt, s.outcome_data)
    and runproof_is_payload('attributes', s.attributes_commitment, s.attributes_salt, s.attributes)
    and case
      when s.status = 'intended' then l.capture = 'gated' and s.outcome_category = 'PENDING'
        and num_nonnulls(s.intent_index, s.outcome_code, s.outcome_data_commitment, s.cost_cents, s.duration_ms) = 0
      when s.intent_index is null then l.capture <> 'gated' or s.status = 'skipped'
      else l.capture = 'gated' and s.status <> 'skipped' and s.intent_index < s.step_index and s.params_commitment is null
        and (select i.skill_id = s.skill_id and i.skill_name = s.skill_name from aos_trace_steps i
             where i.trace_id = s.trace_id and i.step_index = s.intent_index and i.status = 'intended') end
  ) is not true
  limit 1;
  if found then
    perform runproof_refuse_step(refused);
  end if;
  return null;
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
    // An erasure's event names each payload that goes, as "step 3:params", and no other.
    `create function runproof_require_erasure(p_trace_id text, p_payloads text[]) returns void
language plpgsql stable set search_path from current as $$
begin
  if not exists (
    select from aos_log_queue
    where trace_id = p_trace_id and kind = 4 and event_record::json ->> 'event' = 'erasure'
      and p_payloads <@ string_to_array(event_record::json #>> '{detail,payloads}', ',')
      and transaction_id = pg_current_xact_id()::text::bigint
  ) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: erasure of % of trace % without an event in the log that names it', array_to_string(p_payloads, ', '), p_trace_id
      using errcode = 'S6001';
  end if;
end
$$`,
    // What is left of a deleted trace is its entries in the log: its EVENT says which root and how many HEADs are its own,
    // or another trace's entries could pass for them.
    `create function runproof_require_deletion(deleted aos_traces_archive) returns void
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
  allowed record := old;
begin
  if num_nulls(new.params, new.outcome_data, new.attributes) > num_nulls(old.params, old.outcome_data, old.attributes) then
    if new.params is null then allowed.params := null; allowed.params_salt := null; end if;
    if new.outcome_data is null then allowed.outcome_data := null; allowed.outcome_data_salt := null; end if;
    if new.attributes is null then allowed.attributes := null; allowed.attributes_salt := null; end if;
    new.erased_at := coalesce(old.erased_at, clock_timestamp());
    allowed.erased_at := new.erased_at;
    perform runproof_require_erasure(old.trace_id, array_remove(array[
      case when new.params is null and old.params is not null then format('step %s:params', old.step_index) end,
      case when new.outcome_data is null and old.outcome_data is not null then format('step %s:outcome_data', old.step_index) end,
      case when new.attributes is null and old.attributes is not null then format('step %s:attributes', old.step_index) end], null));
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: step % of trace % is not changed', old.step_index, old.trace_id
      using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create function runproof_seal_record(t aos_traces) returns text
language sql stable as $$
  select concat(
    '{"chain_head":', runproof_text(t.chain_head), ',"completed_at":', runproof_time(t.completed_at),
    ',"merkle_root":', runproof_text(t.merkle_root), ',"metadata":', runproof_text(t.metadata_commitment),
    ',"reason":', runproof_text(t.reason), ',"sealed_at":', runproof_time(t.sealed_at),
    ',"status":', runproof_text(t.status), ',"step_count":', t.step_count,
    ',"trace_id":', runproof_text(t.trace_id), ',"type":"runproof/seal@v1"}')
$$`,
    `create function runproof_guard_completion(old aos_traces, new aos_traces) returns aos_traces
language plpgsql set search_path from current as $$
declare
  r record;
  lease aos_trace_leases;
  last_link text;
  logged_at timestamptz;
begin
  perform runproof_require_size(new.seal_record, 16777216);
  lease := runproof_lock_trace(old.trace_id);
  select * into r from json_to_record(new.seal_record::json) as x(
    chain_head text, completed_at timestamptz, merkle_root text, metadata text, reason text, sealed_at timestamptz,
    status text, step_count bigint, trace_id text);
  if r.status is null or r.status not in ('completed', 'failed', 'aborted') then
    raise exception 'a trace is not sealed as %', r.status using errcode = 'S6006';
  end if;
  new.status := r.status;
  new.reason := r.reason;
  new.completed_at := r.completed_at;
  new.sealed_at := r.sealed_at;
  new.step_count := r.step_count;
  new.chain_head := r.chain_head;
  new.merkle_root := r.merkle_root;
  new.metadata_commitment := r.metadata;
  if new.seal_record is distinct from runproof_seal_record(new) then
    raise exception 'not a canonical runproof/seal@v1 record' using errcode = 'S6006';
  end if;
  if r.status <> 'completed' and r.reason is null then
    raise exception 'a seal % says its reason', r.status using errcode = 'S6006';
  end if;
  if not runproof_is_payload('metadata', r.metadata, new.metadata_salt, new.metadata) then
    raise exception 'payload metadata does not match its commitment' using errcode = 'S6006';
  end if;
  -- A process whose lease is over may be dead, and what it left is not complete.
  if r.status <> 'aborted' and lease.expires_at <= clock_timestamp() then
    raise exception 'the lease of trace % is over: it can only be aborted', old.trace_id using errcode = 'S6005';
  end if;
  if r.status <> 'aborted' and cardinality(lease.open_intents) > 0 then
    raise exception 'trace % is not sealed as %: step % is an intent without an outcome', old.trace_id, r.status, lease.open_intents[1]
      using errcode = 'S6006';
  end if;
  if lease.next_index = 0 then
    last_link := old.link;
  else
    select link into last_link from aos_trace_steps where trace_id = old.trace_id and step_index = lease.next_index - 1;
  end if;
  if r.trace_id is distinct from old.trace_id or r.step_count is distinct from lease.next_index
     or r.chain_head is distinct from lease.link or lease.link is distinct from last_link
     or r.merkle_root is distinct from runproof_peaks_root(lease.peaks) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the seal of trace % does not match its steps', old.trace_id
      using errcode = 'S6003';
  end if;
  new.root_hash := runproof_link(lease.link, runproof_hash('\\x00', new.seal_record));
  delete from aos_trace_leases where trace_id = old.trace_id;
  insert into aos_log_queue (kind, digest, trace_id) values (2, new.root_hash, old.trace_id) returning queued_at into logged_at;
  update runs set status = case r.status when 'completed' then 'succeeded' else r.status end, completed_at = logged_at
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
    perform runproof_require_erasure(old.trace_id, array_remove(array[
      case when new.plan is null and old.plan is not null then 'trace:plan' end,
      case when new.attributes is null and old.attributes is not null then 'trace:attributes' end,
      case when new.metadata is null and old.metadata is not null then 'seal:metadata' end], null));
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is not changed', old.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // In the archive nothing is left to complete or to archive: payloads are erased, and no more.
    `create function runproof_guard_archive_update() returns trigger
language plpgsql set search_path from current as $$
declare
  allowed aos_traces_archive := old;
begin
  if num_nulls(new.plan, new.attributes, new.metadata) > num_nulls(old.plan, old.attributes, old.metadata) then
    new.erased_at := coalesce(old.erased_at, clock_timestamp());
    allowed.erased_at := new.erased_at;
    if new.plan is null then allowed.plan := null; allowed.plan_salt := null; end if;
    if new.attributes is null then allowed.attributes := null; allowed.attributes_salt := null; end if;
    if new.metadata is null then allowed.metadata := null; allowed.metadata_salt := null; end if;
    perform runproof_require_erasure(old.trace_id, array_remove(array[
      case when new.plan is null and old.plan is not null then 'trace:plan' end,
      case when new.attributes is null and old.attributes is not null then 'trace:attributes' end,
      case when new.metadata is null and old.metadata is not null then 'seal:metadata' end], null));
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is not changed', old.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // What comes into the archive is what lies in its table, archived beside its event.
    `create function runproof_guard_archive_insert() returns trigger
language plpgsql set search_path from current as $$
declare
  is_there boolean;
begin
  if tg_table_name = 'aos_traces_archive' then
    is_there := exists (select from aos_traces t where t.trace_id = new.trace_id and t.archived_at is not null and row(t.*) is not distinct from row(new.*));
  else
    is_there := exists (select from aos_trace_steps s where s.trace_id = new.trace_id and s.step_index = new.step_index and row(s.*) is not distinct from row(new.*));
  end if;
  if not is_there then
    raise exception 'S6_IMMUTABILITY_VIOLATION: a row of trace % comes into the archive that lies in no table', new.trace_id using errcode = 'S6001';
  end if;
  perform runproof_require_event(new.trace_id, 'archival');
  return new;
end
$$`,
    // Evidence leaves its table only for the archive.
    `create function runproof_guard_move() returns trigger
language plpgsql set search_path from current as $$
declare
  is_moved boolean;
begin
  if tg_table_name = 'aos_traces' then
    is_moved := exists (select from aos_traces_archive a where a.trace_id = old.trace_id and row(a.*) is not distinct from row(old.*));
  else
    is_moved := exists (select from aos_trace_steps_archive a where a.trace_id = old.trace_id and a.step_index = old.step_index and row(a.*) is not distinct from row(old.*));
  end if;
  if not is_moved then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % is not in the archive, and nothing of it is deleted', old.trace_id
      using errcode = 'S6001';
  end if;
  return old;
end
$$`,
    // It leaves the archive beside the event that says so.
    `create function runproof_guard_delete() returns trigger
language plpgsql set search_path from current as $$
begin
  if tg_table_name = 'aos_traces_archive' then
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
  if (old.status, new.status) in (('queued', 'running'), ('queued', 'aborted'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'aborted')) then
    allowed.status := new.status;
    allowed.trace_id := coalesce(old.trace_id, new.trace_id);
    allowed.started_at := coalesce(old.started_at, new.started_at);
    allowed.completed_at := coalesce(old.completed_at, new.completed_at);
  elsif old.deleted_at is null and new.deleted_at is not null then
    perform runproof_require_event(old.trace_id, 'deletion');
    allowed.deleted_at := new.deleted_at;
    allowed.root_hash := new.root_hash;
  end if;
  if new is distinct from allowed or new is not distinct from old then
    raise exception 'S6_IMMUTABILITY_VIOLATION: run % goes forward only', old.run_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // A run is queued, or begins with its trace, whose lease is there then.
    `create function runproof_guard_run_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  if new.status = 'queued' and num_nonnulls(new.trace_id, new.started_at, new.completed_at, new.root_hash, new.deleted_at) = 0 then
    return new;
  end if;
  if new.status = 'running' and num_nonnulls(new.completed_at, new.root_hash, new.deleted_at) = 0 and exists (
    select from aos_trace_leases l
    where l.trace_id = new.trace_id and l.tenant_id = new.tenant_id and l.run_id = new.run_id and l.next_index = 0
  ) then
    return new;
  end if;
  raise exception 'S6_IMMUTABILITY_VIOLATION: run % starts queued, or with its trace', new.run_id using errcode = 'S6001';
end
$$`,
    // A lease that lasts for years would keep a dead run open, a HEAD that is said to be there would keep the next one off,
    // and one beside a trace that is there already would open it again.
    `create function runproof_guard_lease_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  if new.expires_at > clock_timestamp() + interval '3660 seconds' or new.head_logged_at > clock_timestamp() + interval '60 seconds'
     or new.next_index <> 0 or new.head_index <> 0
     or exists (select from aos_traces where trace_id = new.trace_id)
     or exists (select from aos_traces_archive where trace_id = new.trace_id) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: no lease of trace % so begins', new.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    `create function runproof_guard_lease_update() returns trigger
language plpgsql set search_path from current as $$
begin
  if (new.trace_id, new.tenant_id, new.run_id, new.capture, new.holder) is distinct from (old.trace_id, old.tenant_id, old.run_id, old.capture, old.holder)
     or new.next_index < old.next_index
     or new.expires_at > clock_timestamp() + interval '3660 seconds'
     or new.head_logged_at > clock_timestamp() + interval '60 seconds'
     or new.head_index is distinct from old.head_index and new.head_index is distinct from new.next_index then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the lease of trace % is not so changed', new.trace_id using errcode = 'S6001';
  end if;
  return new;
end
$$`,
    // An EVENT is what its record says, and of this transaction: others let evidence go by it.
    `create function runproof_guard_queue_insert() returns trigger
language plpgsql set search_path from current as $$
begin
  perform runproof_require_size(new.event_record, 16777216);
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
language plpgsql set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
  if tg_op = 'DELETE' and exists (
    select from aos_log_entries
    where trace_id = old.trace_id and kind = old.kind and digest = old.digest and queued_at = old.queued_at
    union all
    select from aos_log_entries
    where old.trace_id is null and trace_id is null and kind = old.kind and digest = old.digest and queued_at = old.queued_at
  ) then
    return old;
  end if;
  raise exception 'S6_IMMUTABILITY_VIOLATION: % on %', tg_op, tg_table_name using errcode = 'S6001';
end
$$`,
    `create trigger s6_change before update or delete on aos_log_queue for each row execute function runproof_guard_queue()`,
    `create trigger s6_insert before insert on aos_log_queue for each row execute function runproof_guard_queue_insert()`,
    `create trigger s6_insert before insert on aos_log_entries for each row execute function runproof_guard_entry_insert()`,
    `create trigger s6_insert before insert on aos_trace_leases for each row execute function runproof_guard_lease_insert()`,
    // An append changes none of these: it need not pay for the guard.
    `create trigger s6_change before update on aos_trace_leases for each row
when (old.trace_id is distinct from new.trace_id or old.tenant_id is distinct from new.tenant_id or old.run_id is distinct from new.run_id
      or old.capture is distinct from new.capture or old.holder is distinct from new.holder
      or old.expires_at is distinct from new.expires_at or old.head_index is distinct from new.head_index
      or old.head_logged_at is distinct from new.head_logged_at or new.next_index < old.next_index)
execute function runproof_guard_lease_update()`,
    `create trigger s6_insert before insert on runs for each row execute function runproof_guard_run_insert()`,
    `create trigger s6_insert before insert on aos_traces for each row execute function runproof_guard_trace_insert()`,
    `create trigger s6_update before update on aos_traces for each row execute function runproof_guard_trace_update()`,
    `create trigger s6_delete before delete on aos_traces for each row execute function runproof_guard_move()`,
    `create trigger s6_insert before insert on aos_traces_archive for each row execute function runproof_guard_archive_insert()`,
    `create trigger s6_update before update on aos_traces_archive for each row execute function runproof_guard_archive_update()`,
    `create trigger s6_delete before delete on aos_traces_archive for each row execute function runproof_guard_delete()`,
    `create trigger s6_insert after insert on aos_trace_steps referencing new table as added for each statement execute function runproof_judge_steps()`,
    `create trigger s6_update before update on aos_trace_steps for each row execute function runproof_guard_step_update()`,
    `create trigger s6_delete before delete on aos_trace_steps for each row execute function runproof_guard_move()`,
    `create trigger s6_insert before insert on aos_trace_steps_archive for each row execute function runproof_guard_archive_insert()`,
    `create trigger s6_update before update on aos_trace_steps_archive for each row execute function runproof_guard_step_update()`,
    `create trigger s6_delete before delete on aos_trace_steps_archive for each row execute function runproof_guard_delete()`,
    `create trigger s6_update before update on runs for each row execute function runproof_guard_run_update()`,
    `create trigger s6_delete before delete on runs for each row execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_log_entries for each row execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_log_tiles for each row execute function runproof_refuse()`,
    `create trigger s6_change before update or delete on aos_checkpoints for each row execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_traces for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_trace_steps for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_traces_archive for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_trace_steps_archive for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_trace_leases for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on runs for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_log_queue for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_log_entries for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_log_tiles for each statement execute function runproof_refuse()`,
    `create trigger s6_truncate before truncate on aos_checkpoints for each statement execute function runproof_refuse()`,
    `alter table aos_traces enable always trigger s6_insert`,
    `alter table aos_traces enable always trigger s6_update`,
    `alter table aos_traces enable always trigger s6_delete`,
    `alter table aos_traces enable always trigger s6_truncate`,
    `alter table aos_trace_steps enable always trigger s6_insert`,
    `alter table aos_trace_steps enable always trigger s6_update`,
    `alter table aos_trace_steps enable always trigger s6_delete`,
    `alter table aos_trace_steps enable always trigger s6_truncate`,
    `alter table aos_traces_archive enable always trigger s6_insert`,
    `alter table aos_traces_archive enable always trigger s6_update`,
    `alter table aos_traces_archive enable always trigger s6_delete`,
    `alter table aos_traces_archive enable always trigger s6_truncate`,
    `alter table aos_trace_steps_archive enable always trigger s6_insert`,
    `alter table aos_trace_steps_archive enable always trigger s6_update`,
    `alter table aos_trace_steps_archive enable always trigger s6_delete`,
    `alter table aos_trace_steps_archive enable always trigger s6_truncate`,
    `alter table runs enable always trigger s6_insert`,
    `alter table runs enable always trigger s6_update`,
    `alter table runs enable always trigger s6_delete`,
    `alter table runs enable always trigger s6_truncate`,
    `alter table aos_trace_leases enable always trigger s6_insert`,
    `alter table aos_trace_leases enable always trigger s6_change`,
    `alter table aos_trace_leases enable always trigger s6_truncate`,
    `alter table aos_log_queue enable always trigger s6_insert`,
    `alter table aos_log_queue enable always trigger s6_change`,
    `alter table aos_log_queue enable always trigger s6_truncate`,
    `alter table aos_log_entries enable always trigger s6_insert`,
    `alter table aos_log_entries enable always trigger s6_change`,
    `alter table aos_log_entries enable always trigger s6_truncate`,
    `alter table aos_log_tiles enable always trigger s6_change`,
    `alter table aos_log_tiles enable always trigger s6_truncate`,
    `alter table aos_checkpoints enable always trigger s6_change`,
    `alter table aos_checkpoints enable always trigger s6_truncate`,
  ],
};
