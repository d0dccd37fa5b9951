import { eventKeys, LEASE_MS_MAX } from "./0003_immutability.ts";
import type { Migration } from "./Migration.ts";

/**
 * An open trace puts its head in the log when this many steps came since the last, so that a cut tail shows:
 * few enough to lose little, many enough that the log stays small beside the steps.
 */
export const HEAD_EVERY_STEPS = 1000;

/** And when this long passed since the last, at its next step: a slow agent's run is covered within a minute. */
export const HEAD_EVERY_MS = 60_000;

/** Most log entries numbered in one transaction: some hundred milliseconds of holding the log's lock. */
export const SEQUENCE_BATCH = 5000;

/** Hashes in a full tile, by C2SP tlog-tiles. */
const TILE_WIDTH = 256;

const tables = [
  "runs",
  "aos_traces",
  "aos_trace_steps",
  "aos_trace_leases",
  "aos_log_queue",
  "aos_log_entries",
  "aos_log_tiles",
  "aos_checkpoints",
];

const granted = [
  "runproof_store_run(text, text, text, text, text, text)",
  "runproof_start_trace(text, text, text, text, text, text, bigint)",
  "runproof_append_steps(text, text[], text[], text[], text[], text[], text[], text[], text[], bigint, text, text)",
  "runproof_seal_trace(text, text[], text, text, bigint, text, text)",
  "runproof_renew_lease(text, text, bigint)",
  "runproof_sequence_log()",
  "runproof_store_checkpoint(text, bigint, text, text)",
  "runproof_log_event(text)",
];

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
    `create function runproof_lease_length(p_lease_ms bigint) returns interval
language plpgsql immutable as $$
begin
  if p_lease_ms is null or p_lease_ms not between 0 and ${LEASE_MS_MAX} then
    raise exception 'a lease lasts from 0 to ${LEASE_MS_MAX} ms, not %', p_lease_ms using errcode = 'invalid_parameter_value';
  end if;
  return p_lease_ms * interval '1 millisecond';
end
$$`,
    // Whoever can call these functions could otherwise add to the runs of others, or end them.
    `create function runproof_require_holder(lease aos_trace_leases, p_holder text) returns void
language plpgsql set search_path from current as $$
begin
  if p_holder is distinct from lease.holder then
    raise exception 'the lease of trace % is held by another', lease.trace_id using errcode = 'S6005';
  end if;
end
$$`,
    `create function runproof_store_run(
  p_tenant_id text, p_run_id text, p_agent_id text, p_origin_system_id text, p_goal text, p_plan text
) returns void
language sql security definer set search_path from current as $$
  insert into runs (tenant_id, run_id, agent_id, origin_system_id, goal, plan)
  values (p_tenant_id, p_run_id, p_agent_id, p_origin_system_id, p_goal, p_plan)
$$`,
    `create function runproof_start_trace(
  p_record text, p_plan text, p_plan_salt text, p_attributes text, p_attributes_salt text, p_holder text, p_lease_ms bigint
) returns table (trace_id text, link text)
language plpgsql security definer set search_path from current as $$
begin
  insert into aos_trace_leases (trace_id, holder, expires_at)
  values (p_record::json ->> 'trace_id', p_holder, clock_timestamp() + runproof_lease_length(p_lease_ms));
  insert into aos_traces as t (record, plan, plan_salt, attributes, attributes_salt)
    values (p_record, p_plan, p_plan_salt, p_attributes, p_attributes_salt)
    returning t.trace_id, t.link into trace_id, link;
  if link is null then
    perform runproof_refuse_lost('the trace');
  end if;
  return next;
end
$$`,
    // The next index is put into each record here, inside the lock: writers on one trace neither fork nor retry.
    `create function runproof_append_steps(
  p_trace_id text, p_before text[], p_after text[],
  p_params text[], p_params_salt text[], p_outcome_data text[], p_outcome_data_salt text[],
  p_attributes text[], p_attributes_salt text[], p_expected_index bigint, p_expected_link text, p_holder text
) returns table (first_index bigint, previous_link text, link text)
language plpgsql security definer set search_path from current as $$
declare
  lease aos_trace_leases;
  stored bigint;
begin
  lease := runproof_lock_trace(p_trace_id);
  perform runproof_require_holder(lease, p_holder);
  select s.step_index + 1, s.link into first_index, previous_link
    from aos_trace_steps s where s.trace_id = p_trace_id order by s.step_index desc limit 1;
  if not found then
    select 0, t.link into first_index, previous_link from aos_traces t where t.trace_id = p_trace_id;
  end if;
  if p_expected_index <> first_index or p_expected_link <> previous_link then
    raise exception 'S6_IMMUTABILITY_VIOLATION: the next step of trace % is %, after link %', p_trace_id, first_index, previous_link
      using errcode = 'S6003';
  end if;
  insert into aos_trace_steps (record, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt)
  select before_index || (first_index + ordinal - 1) || after_index, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt
  from unnest(p_before, p_after, p_params, p_params_salt, p_outcome_data, p_outcome_data_salt, p_attributes, p_attributes_salt)
    with ordinality as step(before_index, after_index, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, ordinal)
  order by ordinal;
  get diagnostics stored = row_count;
  if stored <> cardinality(p_before) then
    perform runproof_refuse_lost(cardinality(p_before) - stored || ' steps');
  end if;
  select s.link into link from aos_trace_steps s where s.trace_id = p_trace_id order by s.step_index desc limit 1;
  if first_index + cardinality(p_before) - lease.head_index >= ${HEAD_EVERY_STEPS}
     or clock_timestamp() - lease.head_logged_at >= interval '${HEAD_EVERY_MS} milliseconds' then
    insert into aos_log_queue (kind, digest, trace_id) values (3, link, p_trace_id);
    update aos_trace_leases l set head_index = first_index + cardinality(p_before), head_logged_at = clock_timestamp()
      where l.trace_id = p_trace_id;
  end if;
  return next;
end
$$`,
    // Once the lease is over anybody may abort; until then the seal is its holder's.
    // Count, head and tree root are put into the seal here, inside the lock: a step is counted or refused.
    `create function runproof_seal_trace(
  p_trace_id text, p_parts text[], p_metadata text, p_metadata_salt text,
  p_expected_count bigint, p_expected_head text, p_holder text
) returns table (seal_record text, step_count bigint, chain_head text, merkle_root text, root_hash text)
language plpgsql security definer set search_path from current as $$
declare
  lease aos_trace_leases;
begin
  lease := runproof_lock_trace(p_trace_id);
  if lease.expires_at > clock_timestamp() then
    perform runproof_require_holder(lease, p_holder);
  end if;
  select s.step_index + 1, s.link into step_count, chain_head
    from aos_trace_steps s where s.trace_id = p_trace_id order by s.step_index desc limit 1;
  if not found then
    select 0, t.link into step_count, chain_head from aos_traces t where t.trace_id = p_trace_id;
  end if;
  if p_expected_count <> step_count or p_expected_head <> chain_head then
    raise exception 'S6_IMMUTABILITY_VIOLATION: trace % has % steps and head %', p_trace_id, step_count, chain_head
      using errcode = 'S6003';
  end if;
  merkle_root := runproof_trace_tree(p_trace_id);
  seal_record := p_parts[1] || chain_head || p_parts[2] || merkle_root || p_parts[3] || step_count || p_parts[4];
  update aos_traces t set seal_record = runproof_seal_trace.seal_record, metadata = p_metadata, metadata_salt = p_metadata_salt
    where t.trace_id = p_trace_id
    returning t.root_hash into root_hash;
  if root_hash is null then
    perform runproof_refuse_lost('the seal');
  end if;
  return next;
end
$$`,
    `create function runproof_renew_lease(p_trace_id text, p_holder text, p_lease_ms bigint) returns boolean
language plpgsql security definer set search_path from current as $$
begin
  -- One that is over stays over: its run may have been told lost already.
  update aos_trace_leases set expires_at = clock_timestamp() + runproof_lease_length(p_lease_ms)
    where trace_id = p_trace_id and holder = p_holder and expires_at > clock_timestamp();
  return found;
end
$$`,
    `create function runproof_queue_event(p_record text) returns void
language plpgsql set search_path from current as $$
begin
  perform runproof_require_record(p_record, '${eventKeys}', 'runproof/event@v1');
  insert into aos_log_queue (kind, digest, trace_id, event_record)
  values (4, runproof_hash('\\x00', p_record), p_record::json ->> 'trace_id', p_record);
end
$$`,
    // What the application does: a key's change. An erasure that it only claims would make a run look tampered with.
    // Nor may its record be one that a verifier can't read: the log keeps it for ever.
    `create function runproof_log_event(p_record text) returns void
language plpgsql security definer set search_path from current as $$
declare
  event json := p_record;
  texts_are_canonical boolean;
  detail text;
begin
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
    `create function runproof_sequence_log() returns bigint
language plpgsql security definer set search_path from current set enable_seqscan = off as $$
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
    from (select queue_id from aos_log_queue order by queue_id limit ${SEQUENCE_BATCH}) as oldest;
  insert into aos_log_entries (log_index, kind, digest, trace_id, event_record, queued_at)
  select size + row_number() over (order by queue_id) - 1, kind, digest, trace_id, event_record, queued_at
  from aos_log_queue where queue_id = any(taken);
  get diagnostics numbered = row_count;
  delete from aos_log_queue where queue_id = any(taken);
  available := size + numbered;
  for tile_level in 0..7 loop
    select coalesce(max(t.tile_index) + 1, 0) into next_tile from aos_log_tiles t where t.level = tile_level;
    exit when (next_tile + 1) * ${TILE_WIDTH} > available;
    while (next_tile + 1) * ${TILE_WIDTH} <= available loop
      if tile_level = 0 then
        select array_agg(sha256('\\x00'::bytea || set_byte('\\x00', 0, kind) || decode(digest, 'hex')) order by log_index) into hashes
          from aos_log_entries where log_index >= next_tile * ${TILE_WIDTH} and log_index < (next_tile + 1) * ${TILE_WIDTH};
      else
        select array_agg(t.root order by t.tile_index) into hashes from aos_log_tiles t
          where t.level = tile_level - 1 and t.tile_index >= next_tile * ${TILE_WIDTH} and t.tile_index < (next_tile + 1) * ${TILE_WIDTH};
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
    // Retention and erasure are the owner's, each with its event in the same transaction.
    `create function runproof_archive_trace(p_trace_id text, p_event_record text) returns void
language plpgsql set search_path from current as $$
begin
  perform runproof_queue_event(p_event_record);
  update aos_traces set archived_at = clock_timestamp() where trace_id = p_trace_id;
  if not found then
    perform runproof_refuse_closed(p_trace_id);
  end if;
end
$$`,
    `do $$
declare
  f regprocedure;
begin
  for f in
    select p.oid::regprocedure from pg_proc p where p.pronamespace = quote_ident(current_schema())::regnamespace and p.proname like 'runproof\\_%'
  loop
    execute format('revoke all on function %s from public', f);
  end loop;
  execute format('grant usage on schema %I to runproof_app', current_schema());
  -- Before PostgreSQL 15 everyone may create in "public": a function there could pass for one that a writer calls.
  execute format('revoke create on schema %I from public', current_schema());
end
$$`,
    ...tables.map((table) => `revoke all on ${table} from public`),
    // Who reads a holder could pass for it.
    ...tables.map((table) =>
      table === "aos_trace_leases"
        ? `grant select (trace_id, expires_at, head_index, head_logged_at) on ${table} to runproof_app`
        : `grant select on ${table} to runproof_app`,
    ),
    ...granted.map((signature) => `grant execute on function ${signature} to runproof_app`),
  ],
};
