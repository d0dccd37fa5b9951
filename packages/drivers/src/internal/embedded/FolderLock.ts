import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EmbeddedLocked } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

const LOCK_FILE = "lock";

/** Locks of this process: after a restart a new process may get the pid that the old lock names. */
const held = new Set<string>();

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

const readPid = (path: string): number | null => {
  try {
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
};

/** Takes the lock file, or answers the pid that holds it (null where it can't be read). */
const take = (path: string): { readonly taken: boolean; readonly pid: number | null } => {
  const mine = `${path}.${process.pid}`;
  // Written whole under another name and linked: nobody reads a lock that has no pid yet.
  writeFileSync(mine, `${process.pid}\n`);
  try {
    linkSync(mine, path);
    return { taken: true, pid: process.pid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return { taken: false, pid: readPid(path) };
  } finally {
    unlinkSync(mine);
  }
};

const removeStale = (path: string, pid: number): void => {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  // Between the reading and the renaming another process may have replaced the stale lock by its own.
  if (readPid(aside) !== pid) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process has it by now.
    }
  }
  rmSync(aside, { force: true });
};

/** Holds `folder` for this process until the scope closes; a second one gets `EmbeddedLocked` with the holder's pid. */
export const lockFolder = (folder: string): Effect.Effect<void, EmbeddedLocked, Scope.Scope> => {
  const path = join(folder, LOCK_FILE);
  const acquire = Effect.suspend((): Effect.Effect<void, EmbeddedLocked> => {
    mkdirSync(folder, { recursive: true });
    if (held.has(path)) return Effect.fail(new EmbeddedLocked({ folder, pid: process.pid }));
    let attempt = take(path);
    if (
      !attempt.taken &&
      attempt.pid !== null &&
      (attempt.pid === process.pid || !isAlive(attempt.pid))
    ) {
      removeStale(path, attempt.pid);
      attempt = take(path);
    }
    if (!attempt.taken) return Effect.fail(new EmbeddedLocked({ folder, pid: attempt.pid }));
    held.add(path);
    return Effect.void;
  });
  return Effect.acquireRelease(acquire, () =>
    Effect.sync(() => {
      held.delete(path);
      rmSync(path, { force: true });
    }),
  );
};
