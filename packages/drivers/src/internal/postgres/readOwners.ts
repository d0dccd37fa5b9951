import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Who may do with the schema and the database what the tables' owner may. */
export interface CatalogOwners {
  /** Of a schema that belongs to the database's owner, that one; null where there is no schema. */
  readonly schema: string | null;
  /** Whether the schema's owner could do the same without owning it, or is a group that the tables' owner is of. */
  readonly is_schema_in_hand: boolean;
  readonly database: string;
  /** Who may create objects in the schema, beside its owner and the tables'; `public` among them. */
  readonly schema_creators: ReadonlyArray<string>;
  /** Who may create schemas in the database, beside its owner; `public` among them. */
  readonly database_creators: ReadonlyArray<string>;
}

/** Reads who owns the schema and the database, and who may create in them. */
export const readOwners = (
  sql: SqlClient,
  schema: string,
): Effect.Effect<CatalogOwners, SqlError> =>
  sql<CatalogOwners>`
    with recursive
      the_database as (
        select datdba, coalesce(datacl, acldefault('d', datdba)) as acl from pg_database where datname = current_database()),
      the_schema as (
        -- Who owns the database is the one member that pg_database_owner has.
        select n.oid, case when n.nspowner = 'pg_database_owner'::regrole then d.datdba else n.nspowner end as owner, n.nspowner,
               coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
        from pg_namespace n, the_database d where n.nspname = ${schema}),
      the_tables as (
        select c.relowner as owner from pg_class c join the_schema s on s.oid = c.relnamespace where c.relname = 'aos_traces'),
      -- Asked of a superuser, pg_has_role would say yes to every role.
      held(role) as (
        select owner from the_tables
        union select m.roleid from pg_auth_members m join held h on h.role = m.member)
    select (select format('%s', s.owner::regrole) from the_schema s) as schema,
           coalesce((
             select pg_has_role(s.owner, t.owner, 'member') or s.owner in (select role from held)
                    -- Until PostgreSQL 16 who may create roles may take on every one that is no superuser.
                    or r.rolcreaterole and not o.rolsuper and current_setting('server_version_num')::int < 160000
             from the_schema s, the_tables t, pg_roles r, pg_roles o where r.oid = s.owner and o.oid = t.owner), true) as is_schema_in_hand,
           format('%s', d.datdba::regrole) as database,
           array(select case a.grantee when 0 then 'public' else format('%s', a.grantee::regrole) end
                 from the_schema s, aclexplode(s.acl) a
                 where a.grantee <> s.nspowner and a.privilege_type = 'CREATE'
                   and a.grantee not in (select owner from the_tables) order by 1) as schema_creators,
           array(select case a.grantee when 0 then 'public' else format('%s', a.grantee::regrole) end
                 from aclexplode(d.acl) a
                 where a.grantee <> d.datdba and a.privilege_type = 'CREATE' order by 1) as database_creators
    from the_database d`.pipe(Effect.map(([owners]) => owners!));
