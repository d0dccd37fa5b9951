import type { Migration } from "./Migration.ts";

/** The functions through which the application's role writes. It owns nothing and holds no right to change a table. */
export const migration: Migration = {
  id: 4,
  name: "writers",
  statements: [
    // A rule may take a row away in silence, and a trigger that is off leaves it unsealed: neither may be acknowledged.
    `create function runproof_refuse_lost(what text) returns void
language plpgsql as $$
begin
  raise exception '% did not reach the table: something in the database takes rows away', what using errcode = 'data_corrupted';
end
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
    `create function runproof_lease_length(p_lease_ms bigint) returns interval
language plpgsql immutable as $$
begin
  if p_lease_ms is null or p_lease_ms not between 0 and 3600000 then
    raise exception 'a lease lasts from 0 to 3600000 ms, not %', p_lease_ms using errcode = 'invalid_parameter_value';
  end if;
  return p_lease_ms * interval '1 millisecond';
end
$$`,
    // What is kept of a holder: whoever reads it can't pass for it.
    `create function runproof_holder(secret text) returns text
language sql stable parallel safe
as $$ select encode(sha256(convert_to(secret, 'UTF8')), 'hex') $$`,
    // Before it is said again that something is there which another transaction wrote: that may have been seen before a standby
    // has it, which must have it. This transaction's own record comes after, and is waited for.
    `create function runproof_answer_again() returns void
language plpgsql set search_path from current as $$
begin
  perform pg_logical_emit_message(true, 'runproof', 'answered again');
end
$$`,
    // Starts a trace with its lease. Sent again by the same holder, it answers the same: the first answer may have been lost.
    `create function runproof_start_trace(
  p_record text, p_plan text, p_plan_salt text, p_attributes text, p_attributes_salt text, p_holder text, p_lease_ms bigint
) returns table (trace_id text, link text)
language plpgsql security definer set search_path from current as $$
declare
  r record;
  leaf text := runproof_hash('\\x00', p_record);
begin
  select * into r from json_to_record(p_record::json) as x(trace_id text, run_id text, tenant_id text, capture text);
  select t.trace_id, t.link into trace_id, link
    from aos_traces t join aos_trace_leases l on l.trace_id = t.trace_id
    where t.trace_id = r.trace_id and t.leaf_hash = leaf and l.holder = runproof_holder(p_holder);
  if found then
    perform runproof_answer_again();
    return next;
    return;
  end if;
  -- What an import tells of was done elsewhere, and is no run of now.
  if r.capture <> 'imported' then
    perform runproof_require_room(r.tenant_id);
  end if;
  insert into aos_trace_leases (trace_id, tenant_id, run_id, capture, holder, expires_at, link, peaks)
  values (r.trace_id, r.tenant_id, r.run_id, r.capture, runproof_holder(p_holder), clock_timestamp() + runproof_lease_length(p_lease_ms),
          runproof_link(repeat('0', 64), leaf), array[decode(leaf, 'hex')]);
  insert into aos_traces as t (record, plan, plan_salt, attributes, attributes_salt)
    values (p_record, p_plan, p_plan_salt, p_attributes, p_attributes_salt)
    returning t.trace_id, t.link into trace_id, link;
  if link is null then
    perform runproof_refuse_lost('the trace');
  end if;
  return next;
end
$$`,
    // One step of each of many traces, in one statement: the head in each lease moves where holder, index and time allow it,
    // and what did not move is not stored and not answered. Why not, runproof_explain_append says.
    `create function runproof_append_step(
  p_trace_id text[], p_holder text[], p_step_index bigint[], p_record text[],
  p_params text[], p_params_salt text[], p_outcome_data text[], p_outcome_data_salt text[],
  p_attributes text[], p_attributes_salt text[], p_head_steps bigint, p_head_ms bigint
) returns table (ordinal bigint, link text)
language plpgsql security definer set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  head_age interval := least(p_head_ms, 60000) * interval '1 millisecond';
begin
  -- The size of an array is known without a look into it.
  if greatest(pg_column_size(p_record), pg_column_size(p_params), pg_column_size(p_outcome_data), pg_column_size(p_attributes)) > 268435456 then
    raise exception 'steps of more than 268435456 bytes in one call' using errcode = 'S6006';
  end if;
  return query
  with item as materialized (
    select u.*, runproof_hash('\\x00', u.record) as leaf, r.*
    from unnest(p_trace_id, p_holder, p_step_index, p_record, p_params, p_params_salt, p_outcome_data, p_outcome_data_salt, p_attributes, p_attributes_salt)
      with ordinality as u(of_trace, holder, at_index, record, params_text, params_salt, outcome_data_text, outcome_data_salt, attributes_text, attributes_salt, place),
    lateral json_to_record(u.record::json) as r(
    attributes text, cost_cents double precision, duration_ms double precision, idempotency_key text, intent_index bigint,
    is_synthetic boolean, level text, outcome_category text, outcome_code text, outcome_data text, params text,
    parent_step_index bigint, replay_behavior text, retry_count bigint, skill_id text, skill_name text, source text,
    started_at timestamptz, status text, step_index bigint, synthetic_scenario_id text, "timestamp" timestamptz,
    trace_id text)
    where r.trace_id = u.of_trace and r.step_index = u.at_index
  ), moved as (
    update aos_trace_leases l set
      next_index = l.next_index + 1,
      link = runproof_link(l.link, i.leaf),
      (peaks, subtrees) = (select p.peaks, p.subtrees from runproof_push_leaf(l.peaks, l.next_index + 1, decode(i.leaf, 'hex')) p),
      open_intents = case when i.status = 'intended' then l.open_intents || i.step_index
                          when i.intent_index is null then l.open_intents
                          else array_remove(l.open_intents, i.intent_index) end,
      head_index = case when l.next_index + 1 - l.head_index >= least(p_head_steps, 1000) or clock_timestamp() - l.head_logged_at >= head_age
                        then l.next_index + 1 else l.head_index end,
      head_logged_at = case when l.next_index + 1 - l.head_index >= least(p_head_steps, 1000) or clock_timestamp() - l.head_logged_at >= head_age
                            then clock_timestamp() else l.head_logged_at end
    from item i
    where l.trace_id = i.of_trace and l.holder = runproof_holder(i.holder) and l.next_index = i.at_index
      and l.expires_at > clock_timestamp() and (i.intent_index is null or i.intent_index = any(l.open_intents))
    returning i.*, l.tenant_id, l.run_id, l.link, l.subtrees, l.head_index = l.next_index as is_head
  ), stored as (
    insert into aos_trace_steps (trace_id, step_index, run_id, tenant_id, parent_step_index, intent_index, skill_id, skill_name, source, status, level,
      outcome_category, outcome_code, params_commitment, outcome_data_commitment, attributes_commitment, cost_cents, duration_ms,
      started_at, retry_count, replay_behavior, idempotency_key, "timestamp", is_synthetic, synthetic_scenario_id, record, leaf_hash, link,
      params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, subtrees)
    select trace_id, step_index, run_id, tenant_id, parent_step_index, intent_index, skill_id, skill_name, source, status, level,
      outcome_category, outcome_code, params, outcome_data, attributes, cost_cents, duration_ms,
      started_at, retry_count, replay_behavior, idempotency_key, "timestamp", is_synthetic, synthetic_scenario_id, record, leaf, m.link,
      params_text, params_salt, outcome_data_text, outcome_data_salt, attributes_text, attributes_salt, m.subtrees
    from moved m
    returning aos_trace_steps.trace_id
  ), headed as (
    insert into aos_log_queue (kind, digest, trace_id) select 3, m.link, m.trace_id from moved m where m.is_head
  )
  select m.place, m.link from moved m where m.trace_id in (select stored.trace_id from stored);
end
$$`,
    // The intents that are open after these records: each of them opens one, answers one, or does neither.
    `create function runproof_open_intents(open_intents bigint[], p_trace_id text, p_first_index bigint, p_record text[]) returns bigint[]
language plpgsql immutable as $$
declare
  step record;
begin
  for step in
    select r.status, r.intent_index, p_first_index + place - 1 as step_index
    from unnest(p_record) with ordinality as u(record, place), json_to_record(u.record::json) as r(status text, intent_index bigint)
    order by place
  loop
    if step.status = 'intended' then
      open_intents := open_intents || step.step_index;
    elsif step.intent_index is not null then
      if step.intent_index <> all(open_intents) then
        raise exception 'step % of trace % answers no open intent', step.step_index, p_trace_id using errcode = 'S6006';
      end if;
      open_intents := array_remove(open_intents, step.intent_index);
    end if;
  end loop;
  return open_intents;
end
$$`,
    // Many steps of one trace, in order, all or none; the link after the last, or no row where the trace does not take them.
    `create function runproof_append_steps(
  p_trace_id text, p_holder text, p_first_index bigint, p_record text[],
  p_params text[], p_params_salt text[], p_outcome_data text[], p_outcome_data_salt text[],
  p_attributes text[], p_attributes_salt text[], p_head_steps bigint, p_head_ms bigint
) returns table (link text)
language plpgsql security definer set search_path from current set work_mem = '64MB' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  lease aos_trace_leases;
  leaves bytea[];
  links bytea[];
  subtrees bytea[];
  link_so_far bytea;
  stored bigint;
  is_head boolean;
begin
  if greatest(pg_column_size(p_record), pg_column_size(p_params), pg_column_size(p_outcome_data), pg_column_size(p_attributes)) > 268435456 then
    raise exception 'steps of more than 268435456 bytes in one call' using errcode = 'S6006';
  end if;
  select * into lease from aos_trace_leases l
    where l.trace_id = p_trace_id and l.holder = runproof_holder(p_holder) and l.next_index = p_first_index
      and l.expires_at > clock_timestamp()
    for update;
  if not found then
    return;
  end if;
  if lease.capture = 'gated' then
    lease.open_intents := runproof_open_intents(lease.open_intents, p_trace_id, p_first_index, p_record);
  end if;
  select array_agg(sha256('\\x00'::bytea || convert_to(record, 'UTF8')) order by place) into leaves
    from unnest(p_record) with ordinality as u(record, place);
  link_so_far := decode(lease.link, 'hex');
  for at in 1 .. cardinality(leaves) loop
    link_so_far := sha256('\\x02'::bytea || link_so_far || leaves[at]);
    links[at] := link_so_far;
  end loop;
  lease.link := encode(link_so_far, 'hex');
  select p.peaks, p.subtrees into lease.peaks, subtrees
    from runproof_push_leaves(lease.peaks, lease.next_index + 1, leaves) p;
  lease.subtrees := subtrees[cardinality(leaves)];
  lease.next_index := lease.next_index + coalesce(cardinality(leaves), 0);
  is_head := lease.next_index - lease.head_index >= least(p_head_steps, 1000)
             or clock_timestamp() - lease.head_logged_at >= least(p_head_ms, 60000) * interval '1 millisecond';
  update aos_trace_leases l set next_index = lease.next_index, link = lease.link, peaks = lease.peaks, subtrees = lease.subtrees, open_intents = lease.open_intents,
      head_index = case when is_head then lease.next_index else l.head_index end,
      head_logged_at = case when is_head then clock_timestamp() else l.head_logged_at end
    where l.trace_id = p_trace_id;
  insert into aos_trace_steps (trace_id, step_index, run_id, tenant_id, parent_step_index, intent_index, skill_id, skill_name, source, status, level,
      outcome_category, outcome_code, params_commitment, outcome_data_commitment, attributes_commitment, cost_cents, duration_ms,
      started_at, retry_count, replay_behavior, idempotency_key, "timestamp", is_synthetic, synthetic_scenario_id, record, leaf_hash, link,
      params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, subtrees)
  select r.trace_id, r.step_index, lease.run_id, lease.tenant_id, r.parent_step_index, r.intent_index, r.skill_id, r.skill_name, r.source, r.status, r.level,
      r.outcome_category, r.outcome_code, r.params, r.outcome_data, r.attributes, r.cost_cents, r.duration_ms,
      r.started_at, r.retry_count, r.replay_behavior, r.idempotency_key, r."timestamp", r.is_synthetic, r.synthetic_scenario_id, i.record, encode(i.leaf, 'hex'), encode(i.link, 'hex'),
      i.params_text, i.params_salt, i.outcome_data_text, i.outcome_data_salt, i.attributes_text, i.attributes_salt, i.subtrees
  from unnest(p_record, leaves, links, subtrees, p_params, p_params_salt, p_outcome_data, p_outcome_data_salt, p_attributes, p_attributes_salt)
    with ordinality as i(record, leaf, link, subtrees, params_text, params_salt, outcome_data_text, outcome_data_salt, attributes_text, attributes_salt, place),
  lateral json_to_record(i.record::json) as r(
    attributes text, cost_cents double precision, duration_ms double precision, idempotency_key text, intent_index bigint,
    is_synthetic boolean, level text, outcome_category text, outcome_code text, outcome_data text, params text,
    parent_step_index bigint, replay_behavior text, retry_count bigint, skill_id text, skill_name text, source text,
    started_at timestamptz, status text, step_index bigint, synthetic_scenario_id text, "timestamp" timestamptz,
    trace_id text)
  where r.trace_id = p_trace_id and r.step_index = p_first_index + i.place - 1
  order by i.place;
  get diagnostics stored = row_count;
  if stored <> cardinality(p_record) then
    raise exception 'S6_IMMUTABILITY_VIOLATION: % of % records are not the next of trace %', cardinality(p_record) - stored, cardinality(p_record), p_trace_id
      using errcode = 'S6003';
  end if;
  if is_head then
    insert into aos_log_queue (kind, digest, trace_id) values (3, lease.link, p_trace_id);
  end if;
  link := lease.link;
  return next;
end
$$`,
    // Why an append was not answered: the link where its last step is there already, for an answer may have been lost.
    `create function runproof_explain_append(p_trace_id text, p_holder text, p_first_index bigint, p_step_index bigint, p_leaf_hash text) returns text
language plpgsql security definer set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  lease aos_trace_leases;
  recorded text;
begin
  select link into recorded from aos_trace_steps
    where trace_id = p_trace_id and step_index = p_step_index and leaf_hash = p_leaf_hash;
  if found then
    perform runproof_answer_again();
    return recorded;
  end if;
  select * into lease from aos_trace_leases where trace_id = p_trace_id;
  if not found then
    perform runproof_refuse_closed(p_trace_id);
  end if;
  if lease.holder <> runproof_holder(p_holder) then
    raise exception 'the lease of trace % is held by another', p_trace_id using errcode = 'S6005';
  end if;
  if lease.expires_at <= clock_timestamp() then
    raise exception 'the lease of trace % is over', p_trace_id using errcode = 'S6005';
  end if;
  if lease.next_index <> p_first_index then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the next step of trace % is %, after link %', p_trace_id, lease.next_index, lease.link
      using errcode = 'S6003';
  end if;
  raise exception 'step % of trace % says another trace or index, or answers no open intent', p_step_index, p_trace_id
    using errcode = 'S6006';
end
$$`,
    // Where an open trace stands, for a process that goes on with it.
    `create function runproof_read_head(p_trace_id text) returns table (next_index bigint, link text)
language sql stable security definer set search_path from current as $$
  select next_index, link from aos_trace_leases where trace_id = p_trace_id
$$`,
    // Once the lease is over anybody may abort; until then the seal is its holder's.
    // Count, head and tree root are put into the seal here, inside the lock: a step is counted or refused.
    // Sent again, the same seal is answered the same.
    `create function runproof_seal_trace(
  p_trace_id text, p_holder text, p_parts text[], p_metadata text, p_metadata_salt text, p_expected_count bigint, p_expected_head text
) returns table (seal_record text, step_count bigint, chain_head text, merkle_root text, root_hash text)
language plpgsql security definer set search_path from current as $$
declare
  lease aos_trace_leases;
begin
  select t.seal_record, t.step_count, t.chain_head, t.merkle_root, t.root_hash
    into seal_record, step_count, chain_head, merkle_root, root_hash
    from aos_traces t where t.trace_id = p_trace_id and t.seal_record is not null;
  if found and seal_record = p_parts[1] || chain_head || p_parts[2] || merkle_root || p_parts[3] || step_count || p_parts[4] then
    perform runproof_answer_again();
    return next;
    return;
  end if;
  -- Whoever sweeps waits for nobody: a trace that another session is at is that session's, and comes later.
  if p_holder is null then
    perform set_config('lock_timeout', '1000', true);
    perform from aos_trace_leases l where l.trace_id = p_trace_id for update skip locked;
    if not found and exists (select from aos_trace_leases l where l.trace_id = p_trace_id) then
      raise exception 'another session is at trace %', p_trace_id using errcode = 'S6005';
    end if;
  end if;
  lease := runproof_lock_trace(p_trace_id);
  if lease.expires_at > clock_timestamp() and (p_holder is null or lease.holder <> runproof_holder(p_holder)) then
    raise exception 'the lease of trace % is held by another', p_trace_id using errcode = 'S6005';
  end if;
  if p_expected_count <> lease.next_index or p_expected_head <> lease.link then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % has % steps and head %', p_trace_id, lease.next_index, lease.link
      using errcode = 'S6003';
  end if;
  step_count := lease.next_index;
  chain_head := lease.link;
  merkle_root := runproof_peaks_root(lease.peaks);
  seal_record := p_parts[1] || chain_head || p_parts[2] || merkle_root || p_parts[3] || step_count || p_parts[4];
  root_hash := null;
  update aos_traces t set seal_record = runproof_seal_trace.seal_record, metadata = p_metadata, metadata_salt = p_metadata_salt
    where t.trace_id = p_trace_id
    returning t.root_hash into root_hash;
  if root_hash is null then
    perform runproof_refuse_lost('the seal');
  end if;
  return next;
end
$$`,
    // Gives leases that much time from now; answers those that it could not.
    `create function runproof_renew_leases(p_trace_id text[], p_holder text[], p_lease_ms bigint[]) returns table (lost_trace_id text)
language sql security definer set search_path from current as $$
  with asked as (
    select * from unnest(p_trace_id, p_holder, p_lease_ms) as u(trace_id, holder, lease_ms)
  ), renewed as (
    -- One that is over stays over: its run may have been told lost already.
    update aos_trace_leases l set expires_at = clock_timestamp() + runproof_lease_length(a.lease_ms)
      from asked a
      where l.trace_id = a.trace_id and l.holder = runproof_holder(a.holder) and l.expires_at > clock_timestamp()
      returning l.trace_id
  )
  select trace_id from asked where trace_id not in (select trace_id from renewed)
$$`,
    `create function runproof_queue_event(p_record text) returns void
language plpgsql set search_path from current as $$
begin
  perform runproof_require_record(p_record, 'actor,detail,event,occurred_at,reason,trace_id,type', 'runproof/event@v1');
  insert into aos_log_queue (kind, digest, trace_id, event_record)
  values (4, runproof_hash('\\x00', p_record), p_record::json ->> 'trace_id', p_record);
end
$$`,
    // What the signer does: a key's change. An erasure that it only claims would make a run look tampered with.
    // Nor may its record be one that a verifier can't read: the log keeps it for ever.
    `create function runproof_log_event(p_record text) returns void
language plpgsql security definer set search_path from current as $$
declare
  event json;
  texts_are_canonical boolean;
  detail text;
begin
  perform runproof_require_size(p_record, 65536);
  event := p_record;
  if event ->> 'event' is null or event ->> 'event' not in ('key_added', 'key_retired') then
    raise exception 'S6_IMMUTABILITY_VIOLATION: % is logged together with its operation only', event ->> 'event'
      using errcode = 'S6001';
  end if;
  select bool_and(value::text is not distinct from to_json(value #>> '{}')::text) into texts_are_canonical
    from json_each(event) where key in ('actor', 'occurred_at', 'reason');
  select '{' || string_agg(to_json(key)::text || ':' || to_json(value #>> '{}')::text, ',') || '}' into detail
    from json_each(event -> 'detail') where key in ('new_vkey', 'old_vkey');
  if texts_are_canonical is not true or detail is distinct from (event -> 'detail')::text
     or event #>> '{detail,new_vkey}' is null or event #>> '{detail,old_vkey}' is null or event ->> 'trace_id' is not null
     or to_char((event ->> 'occurred_at')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') is distinct from event ->> 'occurred_at' then
    raise exception 'not the record of a key''s change' using errcode = 'S6006';
  end if;
  perform runproof_queue_event(p_record);
end
$$`,
    // Numbers what is committed, one process at a time, and fills the tiles that became full. Answers how many it numbered.
    // Its plans are kept for a session, which may have begun when the tables were empty: never by reading all of them.
    `create function runproof_sequence_log(p_batch bigint) returns bigint
language plpgsql security definer set search_path from current set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  size bigint;
  taken bigint[];
  numbered bigint;
  available bigint;
  next_tile bigint;
  hashes bytea[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('runproof_log', 'aos_log_entries'::regclass::oid::bigint)) then
    return 0;
  end if;
  select coalesce(max(log_index) + 1, 0) into size from aos_log_entries;
  select array_agg(queue_id) into taken
    from (select queue_id from aos_log_queue order by queue_id limit least(p_batch, 5000)) as oldest;
  insert into aos_log_entries (log_index, kind, digest, trace_id, event_record, queued_at)
  select size + row_number() over (order by queue_id) - 1, kind, digest, trace_id, event_record, queued_at
  from aos_log_queue where queue_id = any(taken);
  get diagnostics numbered = row_count;
  delete from aos_log_queue where queue_id = any(taken);
  available := size + numbered;
  for tile_level in 0..7 loop
    select coalesce(max(t.tile_index) + 1, 0) into next_tile from aos_log_tiles t where t.level = tile_level;
    exit when (next_tile + 1) * 256 > available;
    while (next_tile + 1) * 256 <= available loop
      if tile_level = 0 then
        select array_agg(sha256('\\x00'::bytea || set_byte('\\x00', 0, kind) || decode(digest, 'hex')) order by log_index) into hashes
          from aos_log_entries where log_index >= next_tile * 256 and log_index < (next_tile + 1) * 256;
      else
        select array_agg(t.root order by t.tile_index) into hashes from aos_log_tiles t
          where t.level = tile_level - 1 and t.tile_index >= next_tile * 256 and t.tile_index < (next_tile + 1) * 256;
      end if;
      insert into aos_log_tiles (level, tile_index, hashes, root)
      values (tile_level, next_tile, (select string_agg(hash, ''::bytea order by ordinal) from unnest(hashes) with ordinality as each(hash, ordinal)),
              runproof_tree_hash(hashes));
      next_tile := next_tile + 1;
    end loop;
    available := next_tile;
  end loop;
  return numbered;
end
$$`,
    // Checkpoints stay for ever: one of more than the log has, or that its note does not say, would be found wrong by every audit.
    `create function runproof_store_checkpoint(p_origin text, p_tree_size bigint, p_root_hash text, p_note text) returns void
language plpgsql security definer set search_path from current as $$
declare
  size bigint;
begin
  perform runproof_require_size(p_note, 65536);
  select coalesce(max(log_index) + 1, 0) into size from aos_log_entries;
  if p_tree_size is null or p_tree_size not between 0 and size then
    raise exception 'a checkpoint of % entries, where the log has %', p_tree_size, size using errcode = 'S6006';
  end if;
  if (p_origin <> '' and strpos(p_origin, chr(10)) = 0 and p_root_hash ~ '^[0-9a-f]{64}$') is not true
     or starts_with(p_note, concat_ws(chr(10), p_origin, p_tree_size, encode(decode(p_root_hash, 'hex'), 'base64'), '')) is not true then
    raise exception 'the note does not say this origin, tree size and root' using errcode = 'S6006';
  end if;
  insert into aos_checkpoints (origin, tree_size, root_hash, note) values (p_origin, p_tree_size, p_root_hash, p_note);
end
$$`,
    // What a database gives by default to roles of its own goes from what a migration makes, by its name: the rights are those
    // that the migration gives, and no others. An event trigger of the database's may have switched row security on: with no
    // policy it hides every row.
    `create function runproof_close_rights(p_names text) returns void
language plpgsql set search_path from current as $$
declare
  here oid := quote_ident(current_schema())::regnamespace;
  each record;
begin
  for each in
    select distinct c.oid::regclass as object, c.relkind = 'S' as is_sequence, a.grantee
    from pg_class c, aclexplode(c.relacl) a
    where c.relnamespace = here and c.relname ~ p_names and c.relkind not in ('i', 't') and a.grantee <> c.relowner
  loop
    execute format('revoke all on %s %s from %s', case when each.is_sequence then 'sequence' else 'table' end, each.object,
                   case each.grantee when 0 then 'public' else each.grantee::regrole::text end);
  end loop;
  for each in
    select distinct p.oid::regprocedure as object, a.grantee
    from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace = here and p.proname ~ p_names and a.grantee <> p.proowner
  loop
    execute format('revoke all on function %s from %s', each.object,
                   case each.grantee when 0 then 'public' else each.grantee::regrole::text end);
  end loop;
  for each in
    select c.oid::regclass as object from pg_class c
    where c.relnamespace = here and c.relname ~ p_names and (c.relrowsecurity or c.relforcerowsecurity)
  loop
    execute format('alter table %s disable row level security, no force row level security', each.object);
  end loop;
end
$$`,
    // A claim that the log's key changed stays in the log for ever: it is made by who signs, and not by whatever records.
    `do $$
begin
  if not exists (select from pg_roles where rolname = 'runproof_signer') then
    create role runproof_signer nologin;
  end if;
exception
  -- Roles belong to the whole cluster: another database's migration may have been faster.
  when duplicate_object or unique_violation then null;
end
$$`,
    // Granting may need more than the owner has: who made the role may.
    `do $$
begin
  if not pg_has_role('runproof_signer', 'runproof_app', 'usage') then
    grant runproof_app to runproof_signer;
  end if;
exception
  -- Another database's migration may be at the same: then one of them does it.
  when insufficient_privilege or unique_violation or internal_error then null;
end
$$`,
    `do $$
declare
  can_take_on boolean := case when current_setting('server_version_num')::int >= 160000
                              then pg_has_role(current_user, 'runproof_signer', 'set')
                              else pg_has_role(current_user, 'runproof_signer', 'member') end;
begin
  if not can_take_on then
    execute format('grant runproof_signer to %I', current_user);
  end if;
exception
  when insufficient_privilege or unique_violation or internal_error then null;
end
$$`,
    `select runproof_close_rights('^(aos_|runs$|runproof_)')`,
    `do $$ begin execute format('grant usage on schema %I to runproof_signer', current_schema()); end $$`,
    `do $$
begin
  execute format('grant usage on schema %I to runproof_app', current_schema());
  -- Before PostgreSQL 15 everyone may create in "public": a function there could pass for one that a writer calls.
  execute format('revoke create on schema %I from public', current_schema());
end
$$`,
    `grant select on runs to runproof_app`,
    `grant select on aos_traces to runproof_app`,
    `grant select on aos_trace_steps to runproof_app`,
    `grant select on aos_traces_archive to runproof_app`,
    `grant select on aos_trace_steps_archive to runproof_app`,
    // Not the holder: nobody needs to compare it but the functions.
    `grant select (trace_id, tenant_id, run_id, capture, expires_at, next_index, link, peaks, open_intents, head_index, head_logged_at) on aos_trace_leases to runproof_app`,
    `grant select on aos_log_queue to runproof_app`,
    `grant select on aos_log_entries to runproof_app`,
    `grant select on aos_log_tiles to runproof_app`,
    `grant select on aos_checkpoints to runproof_app`,
    `grant execute on function runproof_start_trace(text, text, text, text, text, text, bigint) to runproof_app`,
    `grant execute on function runproof_append_step(text[], text[], bigint[], text[], text[], text[], text[], text[], text[], text[], bigint, bigint) to runproof_app`,
    `grant execute on function runproof_append_steps(text, text, bigint, text[], text[], text[], text[], text[], text[], text[], bigint, bigint) to runproof_app`,
    `grant execute on function runproof_explain_append(text, text, bigint, bigint, text) to runproof_app`,
    `grant execute on function runproof_answer_again() to runproof_app`,
    `grant execute on function runproof_read_head(text) to runproof_app`,
    `grant execute on function runproof_seal_trace(text, text, text[], text, text, bigint, text) to runproof_app`,
    `grant execute on function runproof_renew_leases(text[], text[], bigint[]) to runproof_app`,
    `grant execute on function runproof_sequence_log(bigint) to runproof_app`,
    `grant execute on function runproof_store_checkpoint(text, bigint, text, text) to runproof_signer`,
    `grant execute on function runproof_log_event(text) to runproof_signer`,
  ],
};
