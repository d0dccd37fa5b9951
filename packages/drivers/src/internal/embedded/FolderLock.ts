import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedLocked } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { tryLock, unlock } from "../file/LockFile.ts";

const LOCK_FILE = "lock";

/** Holds `folder` for this process until the scope closes; a second one gets `EmbeddedLocked` with the holder's pid. */
export const lockFolder = (folder: string): Effect.Effect<void, EmbeddedLocked, Scope.Scope> => {
  const path = join(folder, LOCK_FILE);
  const acquire = Effect.suspend((): Effect.Effect<void, EmbeddedLocked> => {
    mkdirSync(folder, { recursive: true });
    const attempt = tryLock(path);
    return attempt.is_taken
      ? Effect.void
      : Effect.fail(new EmbeddedLocked({ folder, pid: attempt.pid }));
  });
  return Effect.acquireRelease(acquire, () => Effect.sync(() => unlock(path)));
};
