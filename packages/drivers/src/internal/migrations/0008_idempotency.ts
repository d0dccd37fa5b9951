import type { Migration } from "./Migration.ts";

/** Which request began which run, so that one that is sent again begins no second. */
export const migration: Migration = {
  id: 8,
  name: "idempotency",
  statements: [
    `create table aos_idempotency_keys (
  tenant_id       text        not null constraint aos_idempotency_keys_tenant check (char_length(tenant_id) between 1 and 255),
  idempotency_key text        not null constraint aos_idempotency_keys_key check (char_length(idempotency_key) between 1 and 255),
  request_hash    text        not null constraint aos_idempotency_keys_hash check (request_hash ~ '^[0-9a-f]{64}$'),
  run_id          text        not null,
  trace_id        text        not null,
  claimed_at      timestamptz not null default clock_timestamp(),
  expires_at      timestamptz not null,
  primary key (tenant_id, idempotency_key)
)`,
    `create index aos_idempotency_keys_by_trace on aos_idempotency_keys (trace_id)`,
    `create index aos_idempotency_keys_by_expiry on aos_idempotency_keys (tenant_id, expires_at)`,
    // Claims a key for a run, in the transaction that begins it. Of several that ask at once one claims it, and the others wait
    // until its run is there or was taken back. A key that is over is as if it had never been.
    `create function runproof_claim_key(
  p_tenant_id text, p_key text, p_request_hash text, p_run_id text, p_trace_id text, p_ttl_ms bigint
) returns table (claim text, run_id text, trace_id text)
language plpgsql security definer set search_path from current as $$
declare
  k aos_idempotency_keys;
  state text;
  until timestamptz := clock_timestamp() + least(greatest(p_ttl_ms, 1000), 31622400000) * interval '1 millisecond';
begin
  run_id := p_run_id;
  trace_id := p_trace_id;
  claim := 'new';
  loop
    insert into aos_idempotency_keys as known (tenant_id, idempotency_key, request_hash, run_id, trace_id, expires_at)
      values (p_tenant_id, p_key, p_request_hash, p_run_id, p_trace_id, until)
      on conflict (tenant_id, idempotency_key) do update
        set request_hash = excluded.request_hash, run_id = excluded.run_id, trace_id = excluded.trace_id,
            claimed_at = excluded.claimed_at, expires_at = excluded.expires_at
        where known.expires_at <= clock_timestamp();
    if found then
      delete from aos_idempotency_keys where (tenant_id, idempotency_key) in (
        select o.tenant_id, o.idempotency_key from aos_idempotency_keys o
        where o.tenant_id = p_tenant_id and o.expires_at <= clock_timestamp() limit 10 for update skip locked);
      return next;
      return;
    end if;
    select * into k from aos_idempotency_keys where tenant_id = p_tenant_id and idempotency_key = p_key;
    exit when found;
  end loop;
  if k.trace_id <> p_trace_id then
    run_id := k.run_id;
    trace_id := k.trace_id;
    select status into state from aos_traces t where t.trace_id = k.trace_id;
    claim := case when k.request_hash <> p_request_hash then 'conflict' when state = 'running' then 'in_progress' else 'duplicate' end;
  end if;
  return next;
end
$$`,
    // Rows come and go with their time: no verdict stands on them.
    `create trigger s6_truncate before truncate on aos_idempotency_keys for each statement execute function runproof_refuse()`,
    `alter table aos_idempotency_keys enable always trigger s6_truncate`,
    `select runproof_close_rights('^(aos_idempotency_keys|runproof_(claim_key)$)')`,
    `grant select on aos_idempotency_keys to runproof_app`,
    `grant execute on function runproof_claim_key(text, text, text, text, text, bigint) to runproof_app`,
  ],
};
