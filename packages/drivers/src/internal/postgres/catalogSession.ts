import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { inTransaction } from "./inTransaction.ts";
import { quotedName } from "./searchPath.ts";

/** Where a session looks for names. */
export interface CatalogPath {
  /** The schema that names without one are made in, and the product's are looked for: empty where there is none. */
  readonly schema: string;
  /** The schemas that are looked in before it, `pg_catalog` in any case. */
  readonly before: ReadonlyArray<string>;
  /** Whether the built-in names are found before those of the schema, as they are unless the search path says otherwise. */
  readonly is_catalog_first: boolean;
}

const pathOf = (schema: string | null, schemas: ReadonlyArray<string>): CatalogPath => {
  const before = schemas.slice(0, schema === null ? undefined : schemas.indexOf(schema));
  return {
    schema: schema ?? "",
    before: [...new Set([...before, "pg_catalog"])],
    is_catalog_first: before.includes("pg_catalog"),
  };
};

/**
 * Reads the catalog as it prints on every server alike: whatever the database sets for quoting, and with no name of another
 * schema in front of `pg_catalog`. The settings are put back for what follows in the same transaction.
 */
export const inCatalogSession = <A, E, R>(
  sql: SqlClient,
  read: (path: CatalogPath) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  inTransaction(
    sql,
    Effect.gen(function* () {
      const [found] = yield* sql<{
        readonly schema: string | null;
        readonly schemas: ReadonlyArray<string>;
        readonly search_path: string;
        readonly quoting: string;
      }>`
        select pg_catalog.current_schema()::pg_catalog.text as schema,
               pg_catalog.current_schemas(true)::pg_catalog.text[] as schemas,
               pg_catalog.current_setting('search_path') as search_path,
               pg_catalog.current_setting('quote_all_identifiers') as quoting`;
      const { schema, schemas, search_path, quoting } = found!;
      const set = (path: string, quotes: string) => sql`
        select pg_catalog.set_config('search_path', ${path}, true),
               pg_catalog.set_config('quote_all_identifiers', ${quotes}, true)`;
      const own = schema === null ? [] : [quotedName(schema)];
      yield* set(["pg_catalog", ...own, "pg_temp"].join(", "), "off");
      const result = yield* read(pathOf(schema, schemas));
      yield* set(search_path, quoting);
      return result;
    }),
  );
