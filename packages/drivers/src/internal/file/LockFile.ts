/**
 * Lock files: who made one holds it. One whose process is gone is taken over; one made on another machine, or that can't
 * be read, never is.
 */
import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { type FileFailed, LockHeld } from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { codeOf, fileFailed } from "./FileError.ts";

/** How long a holder that is at work is waited for: some seconds more than signing a large log takes. */
export const LOCK_WAIT_MS = 10_000;

/** How often a lock that is held is tried again: a person does not notice, and a core does not mind. */
const LOCK_RETRY_MS = 20;

/** Whether the lock is ours now, and else the process that holds it: null where the file does not say. */
export type LockAttempt =
  | { readonly is_taken: true }
  | { readonly is_taken: false; readonly pid: number | null };

/** Locks of this thread, which look alive and are not to be taken twice. */
const held = new Set<string>();

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When that process started, in the system's own count; "-" where the system does not tell. */
  readonly started: string;
}

/** What stands for the start of a process that ended and whose parent has not asked how: it holds nothing any more. */
const ZOMBIE = "Z";

/** A pid is given again: it and the time of its start name one process. Linux tells it in field 22. */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, with any character in it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === ZOMBIE ? ZOMBIE : (fields[19] ?? "-");
  } catch {
    return "-";
  }
};

const ownText = () => `${process.pid} ${hostname()} ${startOf(process.pid)}\n`;

/** Null where the file is there and does not say who holds it; undefined where it is gone. */
const readHolder = (path: string): Holder | null | undefined => {
  try {
    const match = /^([1-9][0-9]*) (\S+) (\S+)\n$/u.exec(readFileSync(path, "utf8"));
    return match === null ? null : { pid: Number(match[1]), host: match[2]!, started: match[3]! };
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : null;
  }
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
};

const isGone = ({ pid, host, started }: Holder): boolean => {
  if (host !== hostname()) return false;
  if (!isRunning(pid)) return true;
  const running = startOf(pid);
  if (started !== "-" && running !== "-") return started !== running;
  // Without start times, a pid that is ours again is that of a process before this one.
  return pid === process.pid;
};

/** Makes the file, unless it is there. Written whole under another name and linked: nobody reads a lock that is not. */
const make = (path: string): boolean => {
  const mine = `${path}.${randomBytes(8).toString("hex")}`;
  writeFileSync(mine, ownText());
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    return false;
  } finally {
    unlinkSync(mine);
  }
};

/**
 * Removes a lock whose process is gone. Only who holds the second lock may, so that none removes a lock that was made
 * since it looked; where such a one died at that, a person has to.
 */
const removeStale = (path: string): void => {
  const breaking = `${path}.break`;
  if (!make(breaking)) return;
  try {
    const holder = readHolder(path);
    if (holder !== null && holder !== undefined && isGone(holder)) unlinkSync(path);
  } finally {
    unlinkSync(breaking);
  }
};

/** Takes a lock file, or says who holds it. Throws the system's error where the folder can't be written. */
export const tryLock = (path: string): LockAttempt => {
  if (held.has(path)) return { is_taken: false, pid: process.pid };
  let isMade = make(path);
  const holder = isMade ? undefined : readHolder(path);
  if (!isMade && holder !== null && (holder === undefined || isGone(holder))) {
    if (holder !== undefined) removeStale(path);
    isMade = make(path);
  }
  if (!isMade) return { is_taken: false, pid: holder?.pid ?? null };
  held.add(path);
  return { is_taken: true };
};

/** Gives up a lock that `tryLock` took. */
export const unlock = (path: string): void => {
  if (!held.delete(path)) return;
  // One that a person removed may be another's by now.
  if (readHolder(path)?.pid === process.pid) unlinkSync(path);
};

const LOCK_REMEDY = "Make the folder writable for this process: it holds its lock files there.";

/** Holds a lock file until the scope closes; `LockHeld` where another has it for all of `LOCK_WAIT_MS`. */
export const lockFile = (path: string): Effect.Effect<void, LockHeld | FileFailed, Scope.Scope> => {
  const acquire = Effect.gen(function* () {
    for (let waited_ms = 0; ; waited_ms += LOCK_RETRY_MS) {
      const attempt = yield* Effect.try({
        try: () => tryLock(path),
        catch: fileFailed(path, LOCK_REMEDY),
      });
      if (attempt.is_taken) return;
      if (waited_ms >= LOCK_WAIT_MS) return yield* new LockHeld({ path, pid: attempt.pid });
      yield* Effect.interruptible(Effect.sleep(Duration.millis(LOCK_RETRY_MS)));
    }
  });
  return Effect.acquireRelease(acquire, () => Effect.sync(() => unlock(path)));
};
