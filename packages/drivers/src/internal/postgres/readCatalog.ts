import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { inCatalogSession } from "./catalogSession.ts";
import { type CatalogOwners, readOwners } from "./readOwners.ts";
import { type CatalogIntruder, readIntruders } from "./readIntruders.ts";
import { type CatalogReach, readReaches } from "./readReaches.ts";
import { type CatalogSetting, readSettings } from "./readSettings.ts";
import { type CatalogShadow, readShadows } from "./readShadows.ts";

/** A guarded table as the catalog has it. */
export interface CatalogTable {
  readonly name: string;
  readonly kind: string;
  /** `p` where its rows survive a crash. */
  readonly persistence: string;
  readonly owner: string;
  /** `name type`, with ` collate …` where it is not the type's own, ` not null`, ` default …` and its identity where it is so. */
  readonly columns: ReadonlyArray<string>;
  readonly row_security: "off" | "on" | "forced";
  /** Whether the server looks for triggers on it at all. */
  readonly has_triggers: boolean;
  readonly rules: ReadonlyArray<string>;
  /** Each with its name first, then what it is for, whom, and its conditions. */
  readonly policies: ReadonlyArray<string>;
  readonly children: ReadonlyArray<string>;
  readonly parents: ReadonlyArray<string>;
  /** The definitions of keys and of all that is checked, with its name; of what is not in force, that it is not. */
  readonly constraints: ReadonlyArray<string>;
  /** The definitions of indexes, each with what it orders its columns by. */
  readonly indexes: ReadonlyArray<string>;
  /** What of others' refers to it and acts when it is written or analysed. */
  readonly attached: ReadonlyArray<string>;
  /** `grantee:privilege` of everyone but the owner; with a column's name where it is on one column. */
  readonly grants: ReadonlyArray<string>;
}

/** A trigger on a guarded table. `type_bits` is `pg_trigger.tgtype`; `enabled` is `A` for ALWAYS. */
export interface CatalogTrigger {
  readonly table: string;
  readonly name: string;
  readonly type_bits: number;
  readonly enabled: string;
  /** With its schema where that is not the table's. */
  readonly function: string;
  /** What it fires on beside its events: a `WHEN`, columns, a transition table; empty where there is nothing. */
  readonly condition: string;
}

/** A function of the product. */
export interface CatalogFunction {
  readonly name: string;
  readonly arguments: string;
  readonly result: string;
  readonly source: string;
  readonly owner: string;
  readonly security_definer: boolean;
  /** Whether it answers null unasked where an argument is null. */
  readonly strict: boolean;
  /** `i`, `s` or `v`. */
  readonly volatility: string;
  readonly language: string;
  /** Its `SET` clauses, each `name=value`. */
  readonly config: ReadonlyArray<string>;
  /** Everyone but the owner who may execute it; `public` among them. */
  readonly executors: ReadonlyArray<string>;
}

/** What a role of the product may do beside what it was granted. */
export interface CatalogRole {
  readonly name: string;
  /** Attributes such as `SUPERUSER`. */
  readonly attributes: ReadonlyArray<string>;
  /** Roles whose rights it has. */
  readonly memberships: ReadonlyArray<string>;
}

/** What the database has in place of the product's own definitions. */
export interface Catalog {
  readonly schema: string;
  readonly owners: CatalogOwners;
  readonly roles: ReadonlyArray<CatalogRole>;
  readonly tables: ReadonlyArray<CatalogTable>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<CatalogFunction>;
  readonly shadows: ReadonlyArray<CatalogShadow>;
  readonly intruders: ReadonlyArray<CatalogIntruder>;
  readonly settings: ReadonlyArray<CatalogSetting>;
  readonly reaches: ReadonlyArray<CatalogReach>;
}

const readRoles = (sql: SqlClient) =>
  sql<CatalogRole>`
    select r.rolname::text as name, array_remove(array[
             case when r.rolsuper then 'SUPERUSER' end, case when r.rolbypassrls then 'BYPASSRLS' end,
             case when r.rolcreaterole then 'CREATEROLE' end, case when r.rolcreatedb then 'CREATEDB' end,
             case when r.rolreplication then 'REPLICATION' end], null) as attributes,
           array(select format('%s', m.roleid::regrole) from pg_auth_members m where m.member = r.oid order by 1) as memberships
    from pg_roles r where r.rolname in ('runproof_app', 'runproof_operator', 'runproof_signer', 'runproof_tenant') order by 1`;

const readTables = (sql: SqlClient, schema: string) =>
  sql<CatalogTable>`
    select c.relname::text as name, c.relkind::text as kind, c.relpersistence::text as persistence,
           format('%s', c.relowner::regrole) as owner,
           array(select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                        || case when a.attcollation = y.typcollation then '' else format(' collate %s', a.attcollation::regcollation) end
                        || case when a.attnotnull then ' not null' else '' end
                        || coalesce((select ' default ' || pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum), '')
                        || case a.attidentity when '' then '' when 'a' then ' generated always as identity' else ' generated as identity' end
                 from pg_attribute a join pg_type y on y.oid = a.atttypid
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
           case when c.relforcerowsecurity then 'forced' when c.relrowsecurity then 'on' else 'off' end as row_security,
           c.relhastriggers as has_triggers,
           array(select r.rulename::text from pg_rewrite r where r.ev_class = c.oid) as rules,
           array(select concat_ws(' ', p.polname, case when p.polpermissive then 'permissive' else 'restrictive' end, 'for', p.polcmd,
                                  'to', format('{%s}', array_to_string(array(select case r when 0 then 'public' else format('%s', r::regrole) end from unnest(p.polroles) r order by 1), ',')),
                                  'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
                 from pg_policy p where p.polrelid = c.oid order by 1) as policies,
           array(select format('%s', i.inhrelid::regclass) from pg_inherits i where i.inhparent = c.oid) as children,
           array(select format('%s', i.inhparent::regclass) from pg_inherits i where i.inhrelid = c.oid) as parents,
           -- A superuser may switch a key's index off, or the checks, and leave the constraint as it reads.
           array(select concat(case when k.contype in ('p', 'u') then '' else k.conname || ' ' end, pg_get_constraintdef(k.oid),
                               case when k.convalidated
                                         and case when k.contype = 'c' then c.relchecks > 0
                                                  when k.contype in ('p', 'u') then c.relhasindex and x.indisunique and x.indimmediate <> k.condeferrable and x.indisvalid and x.indisready and x.indislive
                                                  else true end
                                    then '' else ' (not in force)' end)
                 from pg_constraint k
                 left join pg_index x on x.indexrelid = k.conindid
                 -- Since PostgreSQL 18 what may not be null is a constraint, too: the columns say that.
                 where k.conrelid = c.oid and k.contype not in ('n', 't')
                 union all
                 select concat('numbered from ', q.seqmin, ' to ', q.seqmax, ' by ', q.seqincrement, case when q.seqcycle then ' and again' end)
                 from pg_sequence q where q.seqrelid = c.oid) as constraints,
           array(select concat(case when x.indisunique then 'unique ' end, m.amname, ' (',
                               (select string_agg(concat(pg_get_indexdef(x.indexrelid, place.at, true), ' ', quote_ident(o.nspname), '.', quote_ident(oc.opcname),
                                                         format(' collate %s', nullif(x.indcollation[place.at - 1], '0'::oid)::regcollation),
                                                         ' ', x.indoption[place.at - 1]), ', ' order by place.at)
                                from generate_series(1, x.indnkeyatts::int) as place(at)
                                join pg_opclass oc on oc.oid = x.indclass[place.at - 1] join pg_namespace o on o.oid = oc.opcnamespace),
                               ') ', x.indnatts - x.indnkeyatts, ' more', ' where ' || pg_get_expr(x.indpred, x.indrelid),
                               case when x.indisvalid and x.indisready and x.indislive then '' else ' (not in force)' end)
                 from pg_index x join pg_class i on i.oid = x.indexrelid join pg_am m on m.oid = i.relam
                 where x.indrelid = c.oid) as indexes,
           array(select format('the constraint %I of %s', k.conname, k.conrelid::regclass) from pg_constraint k
                 where k.confrelid = c.oid
                   and not exists (select from pg_class r where r.oid = k.conrelid and r.relnamespace = c.relnamespace
                                   and (r.relname like 'aos\\_%' or r.relname = 'runs'))
                 union all
                 select format('the statistics %I.%I', n.nspname, e.stxname) from pg_statistic_ext e join pg_namespace n on n.oid = e.stxnamespace
                 where e.stxrelid = c.oid) as attached,
           array(select case a.grantee when 0 then 'public' else format('%s', a.grantee::regrole) end || ':' || a.privilege_type
                 from aclexplode(c.relacl) a where a.grantee <> c.relowner
                 union all
                 select case a.grantee when 0 then 'public' else format('%s', a.grantee::regrole) end || ':' || a.privilege_type
                        || ' (' || t.attname || ')'
                 from pg_attribute t, aclexplode(t.attacl) a
                 where t.attrelid = c.oid and a.grantee <> c.relowner order by 1) as grants
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema}
      and (c.relname like 'aos\\_%' or c.relname = 'runs') and c.relkind not in ('i', 't')`;

const readTriggers = (sql: SqlClient, schema: string) =>
  sql<CatalogTrigger>`
    select c.relname::text as table, t.tgname::text as name, t.tgtype::int as type_bits, t.tgenabled::text as enabled,
           case when p.pronamespace = c.relnamespace then '' else quote_ident(f.nspname) || '.' end || p.proname as function,
           concat_ws(' ', substring(pg_get_triggerdef(t.oid, true) from 'WHEN (.*) EXECUTE'),
                     case when cardinality(t.tgattr::int2[]) > 0 then 'of some columns' end,
                     'new table ' || t.tgnewtable, 'old table ' || t.tgoldtable) as condition
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_proc p on p.oid = t.tgfoid
    join pg_namespace f on f.oid = p.pronamespace
    where n.nspname = ${schema}
      -- A superuser may mark any trigger as internal: only those of foreign keys are.
      and not (t.tgisinternal and f.nspname = 'pg_catalog'
               and exists (select from pg_constraint k where k.oid = t.tgconstraint and k.contype = 'f'))
      and (c.relname like 'aos\\_%' or c.relname = 'runs')`;

const readFunctions = (sql: SqlClient, schema: string) =>
  sql<CatalogFunction>`
    select p.proname::text as name, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result,
           p.proisstrict as strict, p.provolatile::text as volatility, p.prosrc as source, format('%s', p.proowner::regrole) as owner, p.prosecdef as security_definer,
           l.lanname::text as language, coalesce(p.proconfig, array[]::text[]) as config,
           array(select case a.grantee when 0 then 'public' else format('%s', a.grantee::regrole) end
                 from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee <> p.proowner order by 1) as executors
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang
    where n.nspname = ${schema} and p.proname like 'runproof\\_%'`;

/** Reads the current schema's tables, triggers and functions, as far as they are the product's. */
export const readCatalog = (sql: SqlClient): Effect.Effect<Catalog, SqlError> =>
  inCatalogSession(
    sql,
    Effect.fnUntraced(function* (path) {
      const { schema } = path;
      return {
        schema,
        owners: yield* readOwners(sql, schema),
        roles: yield* readRoles(sql),
        tables: yield* readTables(sql, schema),
        triggers: yield* readTriggers(sql, schema),
        functions: yield* readFunctions(sql, schema),
        shadows: yield* readShadows(sql, path),
        intruders: yield* readIntruders(sql),
        settings: yield* readSettings(sql, schema),
        reaches: yield* readReaches(sql, schema),
      };
    }),
  );
