import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { CatalogPath } from "./catalogSession.ts";
import { textArray } from "./textArray.ts";

/** A name that may be taken for one of the product's, or for a built-in one. */
export interface CatalogShadow {
  /** `name`: found before the product's own. The others are in the product's schema, and compete with built-in ones. */
  readonly kind: "name" | "function" | "operator";
  readonly schema: string;
  readonly name: string;
  /** Their types, where it is called with some. */
  readonly arguments: ReadonlyArray<string>;
}

const readNames = (sql: SqlClient, { before }: CatalogPath) =>
  sql<CatalogShadow>`
    with before as (select oid, nspname from pg_namespace where nspname = any(${textArray(before)}))
    select 'name' as kind, n.nspname::text as schema, f.name, array[]::text[] as arguments
    from before n join (
      select pronamespace as schema, proname::text as name from pg_proc where proname like 'runproof\\_%'
      union select relnamespace, relname::text from pg_class where relname like 'aos\\_%' or relname = 'runs'
      union select typnamespace, typname::text from pg_type where typname like 'aos\\_%' or typname = 'runs'
    ) as f on f.schema = n.oid
    order by 2, 3`;

/** Built-in functions that take any type lose against one that takes just the types of a call. */
const readFunctions = (sql: SqlClient, { schema, is_catalog_first }: CatalogPath) =>
  sql<CatalogShadow>`
    select 'function' as kind, n.nspname::text as schema, p.proname::text as name,
           array(select format_type(a.type, null) from unnest(p.proargtypes::oid[]) with ordinality a(type, place) order by a.place) as arguments
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = ${schema}
      and exists (select from pg_proc b
                  where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = p.proname
                    and (not ${is_catalog_first}::boolean
                         or exists (select from unnest(b.proargtypes::oid[]) a(type) join pg_type t on t.oid = a.type where t.typtype = 'p')))
      -- Of two alike the one in the schema that comes first is called.
      and not (${is_catalog_first}::boolean
               and exists (select from pg_proc b
                           where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = p.proname and b.proargtypes = p.proargtypes))
    order by 3, 4`;

const readOperators = (sql: SqlClient, { schema, is_catalog_first }: CatalogPath) =>
  sql<CatalogShadow>`
    select 'operator' as kind, n.nspname::text as schema, o.oprname::text as name,
           array_remove(array[case when o.oprleft <> 0 then format_type(o.oprleft, null) end, format_type(o.oprright, null)], null) as arguments
    from pg_operator o
    join pg_namespace n on n.oid = o.oprnamespace
    where n.nspname = ${schema}
      and not (${is_catalog_first}::boolean
               and exists (select from pg_operator b
                           where b.oprnamespace = 'pg_catalog'::regnamespace and b.oprname = o.oprname
                             and b.oprleft = o.oprleft and b.oprright = o.oprright))
    order by 3, 4`;

/** Reads the names that stand in the way of the product's. */
export const readShadows = (
  sql: SqlClient,
  path: CatalogPath,
): Effect.Effect<ReadonlyArray<CatalogShadow>, SqlError> =>
  Effect.map(
    Effect.all([readNames(sql, path), readFunctions(sql, path), readOperators(sql, path)]),
    (found) => found.flat(),
  );
