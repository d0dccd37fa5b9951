import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** A guarded table as the catalog has it. */
export interface CatalogTable {
  readonly name: string;
  readonly kind: string;
  readonly owner: string;
  readonly row_security: boolean;
  readonly rules: ReadonlyArray<string>;
  readonly policies: ReadonlyArray<string>;
  readonly children: ReadonlyArray<string>;
  readonly constraints: ReadonlyArray<string>;
  /** `grantee:privilege` of everyone but the owner. */
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
  readonly source: string;
  readonly owner: string;
  readonly security_definer: boolean;
  readonly language: string;
  readonly config: string;
  /** Everyone but the owner who may execute it; `public` among them. */
  readonly executors: ReadonlyArray<string>;
}

/** What the database has in place of the product's own definitions. */
export interface Catalog {
  readonly schema: string;
  readonly tables: ReadonlyArray<CatalogTable>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<CatalogFunction>;
}

/** Reads the current schema's tables, triggers and functions, as far as they are the product's. */
export const readCatalog = (sql: SqlClient): Effect.Effect<Catalog, SqlError> =>
  Effect.gen(function* () {
    const [schema] = yield* sql<{ schema: string }>`select current_schema()::text as schema`;
    const tables = yield* sql<CatalogTable>`
      select c.relname::text as name, c.relkind::text as kind, c.relowner::regrole::text as owner,
             c.relrowsecurity or c.relforcerowsecurity as row_security,
             array(select r.rulename::text from pg_rewrite r where r.ev_class = c.oid) as rules,
             array(select p.polname::text from pg_policy p where p.polrelid = c.oid) as policies,
             array(select i.inhrelid::regclass::text from pg_inherits i where i.inhparent = c.oid) as children,
             array(select k.conname::text from pg_constraint k
                   where k.conrelid = c.oid and k.contype in ('p', 'u', 'c') and k.convalidated) as constraints,
             array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end || ':' || a.privilege_type
                   from aclexplode(c.relacl) a where a.grantee <> c.relowner order by 1) as grants
      from pg_class c
      where c.relnamespace = current_schema()::regnamespace
        and (c.relname like 'aos\\_%' or c.relname = 'runs') and c.relkind not in ('i', 'S', 't')`;
    const triggers = yield* sql<CatalogTrigger>`
      select t.tgrelid::regclass::text as table, t.tgname::text as name, t.tgtype::int as type_bits, t.tgenabled::text as enabled,
             p.proname::text as function, t.tgqual is not null or cardinality(t.tgattr::int2[]) > 0 as conditional
      from pg_trigger t
      join pg_class c on c.oid = t.tgrelid
      join pg_proc p on p.oid = t.tgfoid
      where c.relnamespace = current_schema()::regnamespace and not t.tgisinternal
        and (c.relname like 'aos\\_%' or c.relname = 'runs')`;
    const functions = yield* sql<CatalogFunction>`
      select p.proname::text as name, p.prosrc as source, p.proowner::regrole::text as owner, p.prosecdef as security_definer,
             l.lanname::text as language, array_to_string(p.proconfig, ';') as config,
             array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                   from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee <> p.proowner order by 1) as executors
      from pg_proc p
      join pg_language l on l.oid = p.prolang
      where p.pronamespace = current_schema()::regnamespace and p.proname like 'runproof\\_%'`;
    return { schema: schema!.schema, tables, triggers, functions };
  });
