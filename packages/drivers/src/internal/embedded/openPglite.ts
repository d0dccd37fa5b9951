import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { DatabaseFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/** Opens the PostgreSQL in `folder`, making it on first use, and closes it with the scope. */
export const openPglite = (folder: string): Effect.Effect<PGlite, DatabaseFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const data = join(folder, "postgres");
        mkdirSync(data, { recursive: true });
        return await PGlite.create(data);
      },
      catch: (error) =>
        new DatabaseFailed({
          operation: "openPglite",
          detail: `the embedded database in ${folder} does not open: ${error instanceof Error ? error.message : String(error)}`,
        }),
    }),
    (database) => Effect.promise(() => database.close()),
  );
