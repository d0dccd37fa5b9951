import type { Migration } from "./Migration.ts";

/** Tenants, and the keys by which a service knows them. Of a key's secret only the hash is kept, and only a function gives it. */
export const migration: Migration = {
  id: 9,
  name: "identities",
  statements: [
    `create table aos_tenants (
  tenant_id  text        primary key constraint aos_tenants_id check (char_length(tenant_id) between 1 and 255),
  created_at timestamptz not null default clock_timestamp()
)`,
    `create table aos_api_keys (
  key_id       text        primary key constraint aos_api_keys_id check (key_id ~ '^[0-9a-z]{12}$'),
  tenant_id    text        not null references aos_tenants,
  name         text        not null constraint aos_api_keys_name check (char_length(name) between 1 and 255),
  secret_hash  text        not null constraint aos_api_keys_hash check (secret_hash ~ '^[0-9a-f]{64}$'),
  scopes       text[]      not null constraint aos_api_keys_scopes check (cardinality(scopes) > 0 and scopes <@ array['write', 'read', 'admin']),
  created_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
)`,
    `create index aos_api_keys_by_tenant on aos_api_keys (tenant_id, created_at)`,
    // Answers whether the tenant is new.
    `create function runproof_create_tenant(p_tenant_id text) returns boolean
language sql security definer set search_path from current as $$
  with made as (
    insert into aos_tenants (tenant_id) values (p_tenant_id) on conflict do nothing returning true
  )
  select exists (select from made)
$$`,
    // Answers whether there is such a tenant.
    `create function runproof_create_api_key(p_key_id text, p_tenant_id text, p_name text, p_scopes text[], p_secret_hash text, p_expires_at timestamptz) returns boolean
language sql security definer set search_path from current as $$
  with made as (
    insert into aos_api_keys (key_id, tenant_id, name, scopes, secret_hash, expires_at)
    select p_key_id, t.tenant_id, p_name, p_scopes, p_secret_hash, p_expires_at from aos_tenants t where t.tenant_id = p_tenant_id
    returning true
  )
  select exists (select from made)
$$`,
    // Answers whether there is such a key. The time of the first revocation stays.
    `create function runproof_revoke_api_key(p_key_id text) returns boolean
language sql security definer set search_path from current as $$
  with revoked as (
    update aos_api_keys set revoked_at = coalesce(revoked_at, clock_timestamp()) where key_id = p_key_id returning true
  )
  select exists (select from revoked)
$$`,
    `create function runproof_find_api_key(p_key_id text) returns table (tenant_id text, secret_hash text, scopes text[], is_live boolean)
language sql stable security definer set search_path from current as $$
  select k.tenant_id, k.secret_hash, k.scopes, k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
  from aos_api_keys k where k.key_id = p_key_id
$$`,
    // To the minute: a key that is used all the time is not written to all the time.
    `create function runproof_touch_api_key(p_key_id text) returns void
language sql security definer set search_path from current as $$
  update aos_api_keys set last_used_at = clock_timestamp()
  where key_id = p_key_id and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
$$`,
    `select runproof_close_rights('^(aos_(tenants|api_keys)|runproof_(create_tenant|create_api_key|revoke_api_key|find_api_key|touch_api_key)$)')`,
    `grant select on aos_tenants to runproof_app`,
    `grant select (key_id, tenant_id, name, scopes, created_at, expires_at, revoked_at, last_used_at) on aos_api_keys to runproof_app`,
    `grant execute on function runproof_find_api_key(text) to runproof_app`,
    `grant execute on function runproof_touch_api_key(text) to runproof_app`,
    `grant execute on function runproof_create_tenant(text) to runproof_operator`,
    `grant execute on function runproof_create_api_key(text, text, text, text[], text, timestamptz) to runproof_operator`,
    `grant execute on function runproof_revoke_api_key(text) to runproof_operator`,
  ],
};
