import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Something of a user's that the server may take in place of, or for the sake of, what is built in. */
export interface CatalogIntruder {
  readonly kind: "cast" | "operator" | "function" | "operator class" | "operator family";
  /** Its name with its schema, and its types where it has some. */
  readonly name: string;
}

/**
 * The first number that the server gives to what users make: what is below came with it. Written as an `oid`: between values
 * of one type no operator fits better than the built-in one.
 */
const FIRST_OF_USERS = "'16384'::oid";

const typesOf = (types: string) =>
  `array_to_string(array(select format_type(a.type, null) from unnest(${types}) with ordinality a(type, place) order by a.place), ', ')`;

/**
 * Reads casts between built-in types, operators and functions that have the name and the types of a built-in one or stand among
 * those, and what decides how indexes order built-in types: of users all of it, wherever it lies and whatever extension it is said to be of.
 */
export const readIntruders = (
  sql: SqlClient,
): Effect.Effect<ReadonlyArray<CatalogIntruder>, SqlError> =>
  sql.unsafe<CatalogIntruder>(`
    with ordering as (select oid from pg_am where amname in ('btree', 'hash')),
         catalog as (select oid from pg_namespace where nspname = 'pg_catalog')
    select 'cast' as kind, concat('(', format_type(castsource, null), ' as ', format_type(casttarget, null), ')') as name
    from pg_cast
    where oid >= ${FIRST_OF_USERS} and castsource < ${FIRST_OF_USERS} and casttarget < ${FIRST_OF_USERS}
    union all
    select 'operator', concat(quote_ident(n.nspname), '.', o.oprname, '(', ${typesOf("array_remove(array[o.oprleft, o.oprright], '0'::oid)")}, ')')
    from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
    where o.oid >= ${FIRST_OF_USERS}
      and (n.oid in (select oid from catalog)
           or exists (select from pg_operator b
                      where b.oid < ${FIRST_OF_USERS} and b.oprname = o.oprname and b.oprleft = o.oprleft and b.oprright = o.oprright))
    union all
    select 'function', concat(quote_ident(n.nspname), '.', quote_ident(p.proname), '(', ${typesOf("p.proargtypes::oid[]")}, ')')
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.oid >= ${FIRST_OF_USERS}
      and exists (select from pg_proc b
                  where b.oid < ${FIRST_OF_USERS} and b.proname = p.proname and b.pronamespace in (select oid from catalog)
                    -- One without parameters is an extension's of old, such as gen_random_uuid().
                    and (n.oid in (select oid from catalog) or p.pronargs > '0'::smallint and b.proargtypes = p.proargtypes))
    union all
    select 'operator class', concat(quote_ident(n.nspname), '.', quote_ident(c.opcname))
    from pg_opclass c join pg_namespace n on n.oid = c.opcnamespace
    where c.oid >= ${FIRST_OF_USERS} and c.opcintype < ${FIRST_OF_USERS} and c.opcmethod in (select oid from ordering)
    union
    select 'operator family', concat(quote_ident(n.nspname), '.', quote_ident(f.opfname))
    from pg_opfamily f join pg_namespace n on n.oid = f.opfnamespace
    where f.oid < ${FIRST_OF_USERS} and f.opfmethod in (select oid from ordering)
      and (exists (select from pg_amop m
                   where m.amopfamily = f.oid and m.oid >= ${FIRST_OF_USERS}
                     and m.amoplefttype < ${FIRST_OF_USERS} and m.amoprighttype < ${FIRST_OF_USERS})
           or exists (select from pg_amproc m
                      where m.amprocfamily = f.oid and m.oid >= ${FIRST_OF_USERS}
                        and m.amproclefttype < ${FIRST_OF_USERS} and m.amprocrighttype < ${FIRST_OF_USERS}))
    order by 1, 2`);
