import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { DatabaseFailed, type FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { codeOf, fileFailed } from "../file/FileError.ts";
import { syncFolder } from "../file/writeDurably.ts";
import { DURABLE_PARAMETERS, DurableFolder } from "./DurableFolder.ts";
import { FOLDER_REMEDY } from "./FolderLock.ts";

const DATA = "postgres";
/** Where a database is made: one that a crash left half made is never opened. */
const MAKING = "postgres.making";

const open = (folder: string) =>
  PGlite.create({ fs: new DurableFolder(folder), startParams: DURABLE_PARAMETERS });

/** Makes the database beside its place first. Whoever has the folder's lock is alone here. */
const make = async (folder: string): Promise<void> => {
  const making = join(folder, MAKING);
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making);
  await (await open(making)).close();
  renameSync(making, join(folder, DATA));
  // What is recorded in it would go with its name.
  await syncFolder(folder);
};

/** Whether a folder holds an embedded database. */
export const isEmbeddedMade = (folder: string): boolean =>
  existsSync(join(folder, DATA, "PG_VERSION"));

/** Whether a database is there; one is never made among files that are something else. */
const isMade = (data: string): boolean => {
  if (existsSync(join(data, "PG_VERSION"))) return true;
  if (!existsSync(data)) return false;
  if (readdirSync(data).length > 0) throw new ForeignContent("it has files, and no database");
  rmdirSync(data);
  return false;
};

class ForeignContent extends Error {}

/** Opens the PostgreSQL in `folder`, making it on first use, and closes it with the scope. */
export const openPglite = (
  folder: string,
): Effect.Effect<PGlite, DatabaseFailed | FileFailed, Scope.Scope> => {
  const data = join(folder, DATA);
  return Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        if (!isMade(data)) await make(folder);
        return await open(data);
      },
      catch: (error) =>
        codeOf(error) === undefined && !(error instanceof ForeignContent)
          ? new DatabaseFailed({
              operation: "openPglite",
              detail: `the embedded database in ${folder} does not open: ${error instanceof Error ? error.message : String(error)}`,
            })
          : fileFailed(data, FOLDER_REMEDY)(error),
    }),
    (database) => Effect.promise(() => database.close()),
  );
};
