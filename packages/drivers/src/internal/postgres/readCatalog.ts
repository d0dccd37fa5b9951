import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** A guarded table as the catalog has it. */
export interface CatalogTable {
  readonly name: string;
  readonly kind: string;
  /** `p` where its rows survive a crash. */
  readonly persistence: string;
  readonly owner: string;
  /** `name type`, with ` not null`, ` default …` and its identity where it is so, in the order of the columns. */
  readonly columns: ReadonlyArray<string>;
  readonly row_security: boolean;
  readonly rules: ReadonlyArray<string>;
  readonly policies: ReadonlyArray<string>;
  readonly children: ReadonlyArray<string>;
  /** The definitions of keys, and of what is checked with its name. */
  readonly constraints: ReadonlyArray<string>;
  /** `grantee:privilege` of everyone but the owner; with a column's name where it is on one column. */
  readonly grants: ReadonlyArray<string>;
}

/** A trigger on a guarded table. `type_bits` is `pg_trigger.tgtype`; `enabled` is `A` for ALWAYS. */
export interface CatalogTrigger {
  readonly table: string;
  readonly name: string;
  readonly type_bits: number;
  readonly enabled: string;
  readonly function: string;
  readonly conditional: boolean;
}

/** A function of the product. `config` is its `SET` clause. */
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
  readonly config: string;
  /** Everyone but the owner who may execute it; `public` among them. */
  readonly executors: ReadonlyArray<string>;
}

/** What the application's role may do beside what it was granted. */
export interface CatalogRole {
  /** Attributes such as `SUPERUSER`. */
  readonly attributes: ReadonlyArray<string>;
  /** Roles whose rights it has. */
  readonly memberships: ReadonlyArray<string>;
}

/** What the database has in place of the product's own definitions. */
export interface Catalog {
  readonly schema: string;
  /** Who may create objects in the schema, beside its owner; `public` among them. */
  readonly schema_creators: ReadonlyArray<string>;
  readonly application: CatalogRole;
  readonly tables: ReadonlyArray<CatalogTable>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<CatalogFunction>;
}

/** Reads the current schema's tables, triggers and functions, as far as they are the product's. */
export const readCatalog = (sql: SqlClient): Effect.Effect<Catalog, SqlError> =>
  Effect.gen(function* () {
    const [schema] = yield* sql<{ schema: string; creators: ReadonlyArray<string> }>`
      select n.nspname::text as schema,
             array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                   from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
                   where a.grantee <> n.nspowner and a.privilege_type = 'CREATE' order by 1) as creators
      from pg_namespace n where n.oid = current_schema()::regnamespace`;
    const [application] = yield* sql<CatalogRole>`
      select array_remove(array[
               case when r.rolsuper then 'SUPERUSER' end, case when r.rolbypassrls then 'BYPASSRLS' end,
               case when r.rolcreaterole then 'CREATEROLE' end, case when r.rolcreatedb then 'CREATEDB' end,
               case when r.rolreplication then 'REPLICATION' end], null) as attributes,
             array(select m.roleid::regrole::text from pg_auth_members m where m.member = r.oid order by 1) as memberships
      from pg_roles r where r.rolname = 'runproof_app'`;
    const tables = yield* sql<CatalogTable>`
      select c.relname::text as name, c.relkind::text as kind, c.relpersistence::text as persistence,
             c.relowner::regrole::text as owner,
             array(select a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
                          || coalesce((select ' default ' || pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum), '')
                          || case a.attidentity when '' then '' when 'a' then ' generated always as identity' else ' generated as identity' end
                   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
             c.relrowsecurity or c.relforcerowsecurity as row_security,
             array(select r.rulename::text from pg_rewrite r where r.ev_class = c.oid) as rules,
             array(select p.polname::text from pg_policy p where p.polrelid = c.oid) as policies,
             array(select i.inhrelid::regclass::text from pg_inherits i where i.inhparent = c.oid) as children,
             array(select case k.contype when 'c' then k.conname || ' ' else '' end || pg_get_constraintdef(k.oid)
                   from pg_constraint k
                   where k.conrelid = c.oid and k.contype in ('p', 'u', 'c') and k.convalidated) as constraints,
             array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end || ':' || a.privilege_type
                   from aclexplode(c.relacl) a where a.grantee <> c.relowner
                   union all
                   select case a.grantee when 0 then 'public' else a.grantee::regrole::text end || ':' || a.privilege_type
                          || ' (' || t.attname || ')'
                   from pg_attribute t, aclexplode(t.attacl) a
                   where t.attrelid = c.oid and a.grantee <> c.relowner order by 1) as grants
      from pg_class c
      where c.relnamespace = current_schema()::regnamespace
        and (c.relname like 'aos\\_%' or c.relname = 'runs') and c.relkind not in ('i', 'S', 't')`;
    const triggers = yield* sql<CatalogTrigger>`
      select t.tgrelid::regclass::text as table, t.tgname::text as name, t.tgtype::int as type_bits, t.tgenabled::text as enabled,
             p.proname::text as function, t.tgqual is not null or cardinality(t.tgattr::int2[]) > 0 as conditional
      from pg_trigger t
      join pg_class c on c.oid = t.tgrelid
      join pg_proc p on p.oid = t.tgfoid
      where c.relnamespace = current_schema()::regnamespace
        -- A superuser may mark any trigger as internal: only those of foreign keys are.
        and not (t.tgisinternal and p.pronamespace = 'pg_catalog'::regnamespace
                 and exists (select from pg_constraint k where k.oid = t.tgconstraint and k.contype = 'f'))
        and (c.relname like 'aos\\_%' or c.relname = 'runs')`;
    const functions = yield* sql<CatalogFunction>`
      select p.proname::text as name, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result,
             p.proisstrict as strict, p.provolatile::text as volatility, p.prosrc as source, p.proowner::regrole::text as owner, p.prosecdef as security_definer,
             l.lanname::text as language, array_to_string(p.proconfig, ';') as config,
             array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                   from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee <> p.proowner order by 1) as executors
      from pg_proc p
      join pg_language l on l.oid = p.prolang
      where p.pronamespace = current_schema()::regnamespace and p.proname like 'runproof\\_%'`;
    return {
      schema: schema!.schema,
      schema_creators: schema!.creators,
      application: application!,
      tables,
      triggers,
      functions,
    };
  });
