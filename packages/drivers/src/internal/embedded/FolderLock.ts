import { join } from "node:path";
import { EmbeddedLocked, type FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { fileFailed } from "../file/FileError.ts";
import { makeFolder } from "../file/makeFolder.ts";
import { tryLock, unlock } from "../file/LockFile.ts";

const LOCK_FILE = "lock";

/** What to do where the embedded database's folder can't be made, read or written. */
export const FOLDER_REMEDY =
  "Name a folder that this process may write in RUNPROOF_HOME, or use a server through DATABASE_URL.";

/** Holds `folder` for this process until the scope closes; a second one gets `EmbeddedLocked` with the holder. */
export const lockFolder = (
  folder: string,
): Effect.Effect<void, EmbeddedLocked | FileFailed, Scope.Scope> => {
  const path = join(folder, LOCK_FILE);
  const attempt = Effect.tryPromise({
    try: () => {
      makeFolder(folder);
      return tryLock(path);
    },
    catch: fileFailed(folder, FOLDER_REMEDY),
  });
  const acquire = Effect.flatMap(attempt, (lock) =>
    lock.is_taken
      ? Effect.void
      : Effect.fail(
          new EmbeddedLocked({ folder, pid: lock.pid, host: lock.host, file: lock.file }),
        ),
  );
  return Effect.acquireRelease(acquire, () => Effect.sync(() => unlock(path)));
};
