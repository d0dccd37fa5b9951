import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** A way to the product's tables beside its own functions, or one that a role of the product was given to something else. */
export interface CatalogReach {
  readonly object: string;
  readonly what: string;
}

const grantee =
  "case a.grantee when '0'::oid then 'public' else format('%s', a.grantee::regrole) end";

/**
 * Reads the ways that lead from the product's roles, or from everyone, to the tables by somebody else's rights: views and rules
 * over them, functions and triggers of their owner or of a superuser; and every right of a product's role that no migration gave.
 */
export const readReaches = (
  sql: SqlClient,
  schema: string,
): Effect.Effect<ReadonlyArray<CatalogReach>, SqlError> =>
  sql<CatalogReach>`
    with recursive
      roles as (select oid from pg_roles where rolname in ('runproof_app', 'runproof_tenant', 'runproof_operator', 'runproof_signer')),
      own as (
        select c.oid, c.relname, c.relowner from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = ${schema} and (c.relname like 'aos\\_%' or c.relname = 'runs')),
      -- Who may do with the tables what their owner may.
      powers(role) as (
        select relowner from own union select oid from pg_roles where rolsuper
        union select m.member from pg_auth_members m join powers p on p.role = m.roleid),
      -- What reads or writes them by a rule of its own, and what does so through that.
      over_them(oid, is_of_leases) as (
        select r.ev_class, o.relname = 'aos_trace_leases'
        from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        join own o on o.oid = d.refobjid
        where r.ev_class <> o.oid
        union
        select r.ev_class, v.is_of_leases
        from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        join over_them v on v.oid = d.refobjid
        where r.ev_class <> v.oid),
      relation_rights as (
        select c.oid, c.relkind, a.grantee, a.privilege_type from pg_class c, aclexplode(c.relacl) a where a.grantee <> c.relowner
        union all
        select c.oid, c.relkind, a.grantee, a.privilege_type from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
        where a.grantee <> c.relowner),
      functions as (
        select p.*, a.grantee from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
               aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner and not (n.nspname = ${schema} and p.proname like 'runproof\\_%'))
    select format('%s', a.oid::regclass) as object, concat('a right that was not given: ', ${sql.literal(grantee)}, ':', a.privilege_type) as what
    from relation_rights a
    where a.grantee in (select oid from roles) and a.oid not in (select oid from own)
    union
    select format('%s', a.oid::regclass), concat(${sql.literal(grantee)}, ' has ', a.privilege_type, ' on it, and it leads to the tables with its owner''s rights')
    from relation_rights a join over_them v on v.oid = a.oid
    where a.oid not in (select oid from own)
      and (a.grantee = '0'::oid or a.privilege_type <> 'SELECT' or v.is_of_leases)
    union
    select format('%s', c.oid::regclass), 'a rule on it leads to the tables with its owner''s rights'
    from over_them v join pg_class c on c.oid = v.oid
    where c.relkind in ('r', 'p') and c.oid not in (select oid from own)
    union
    select format('%s', a.oid::regclass), concat('everyone has ', a.privilege_type, ' on it, and a trigger on it acts with the rights of ', format('%s', p.proowner::regrole))
    from relation_rights a join pg_trigger t on t.tgrelid = a.oid join pg_proc p on p.oid = t.tgfoid
    where a.grantee = '0'::oid and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') and p.prosecdef and not t.tgisinternal
      and p.proowner in (select role from powers) and a.oid not in (select oid from own)
    union
    select format('function %s', a.oid::regprocedure), concat('a right that was not given: ', ${sql.literal(grantee)}, ':EXECUTE')
    from functions a
    where a.grantee in (select oid from roles)
    union
    select format('function %s', a.oid::regprocedure), concat('everyone may execute it, with the rights of ', format('%s', a.proowner::regrole))
    from functions a
    where a.grantee = '0'::oid and a.prosecdef and a.oid >= '16384'::oid and a.proowner in (select role from powers)
      and a.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
      and has_schema_privilege('runproof_app', a.pronamespace, 'usage')
    order by 1, 2`;
