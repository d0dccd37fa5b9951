import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Where a session looks for names, in order, as the database, the role and the session together say. */
export interface SearchPath {
  /** The schema that names without one are made in; null where there is none. */
  readonly schema: string | null;
  /** All that are looked in, the built-in one and the temporary one among them. */
  readonly schemas: ReadonlyArray<string>;
}

/** Reads where a session looks for names, and takes no name from anywhere but the built-in schema meanwhile. */
export const readPath = (sql: SqlClient): Effect.Effect<SearchPath, SqlError> =>
  sql<SearchPath>`
    select pg_catalog.current_schema()::pg_catalog.text as schema,
           pg_catalog.current_schemas(true)::pg_catalog.text[] as schemas`.pipe(
    Effect.map(([path]) => path!),
  );

/** A name that stands for itself in a statement. */
export const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The path that evidence is read and written under: the built-in names first, then those of the one schema. */
export const pinnedPath = (schema: string): string => `${quotedName(schema)}, pg_temp`;

/** Whether a session that looks in these schemas finds what one under the pinned path does. */
export const isPinned = (schemas: ReadonlyArray<string>, schema: string): boolean => {
  const [builtIn, own, ...others] = schemas;
  return (
    builtIn === "pg_catalog" &&
    own === schema &&
    others.every((other) => other.startsWith("pg_temp"))
  );
};
