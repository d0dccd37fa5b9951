/**
 * Locks between processes, by files that say whose they are. One of another machine, of another container or of before the
 * machine's last start is never taken to be free: nothing here can tell if its process is gone.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type FileFailed, LockHeld } from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { codeOf, fileFailed } from "./FileError.ts";

/** How long a holder that is at work is waited for: some seconds more than signing a large log takes. */
export const LOCK_WAIT_MS = 10_000;

/** How often a lock that is held is tried again: a person does not notice, and a core does not mind. */
const LOCK_RETRY_MS = 20;

/** Whether the lock is ours now, and else the process that holds it, its machine's name and the file by which it does. */
export type LockAttempt =
  | { readonly is_taken: true }
  | {
      readonly is_taken: false;
      readonly pid: number;
      readonly host: string;
      readonly file: string;
    };

/** The files by which this thread holds locks, by the lock. */
const held = new Map<string, string>();

interface Holder {
  readonly file: string;
  readonly pid: number;
  /** When that process started, in the system's own count; 0 where the system does not tell. */
  readonly started: number;
  /** Where that process is looked for by its pid. */
  readonly place: string;
}

/** What stands for the start of a process that ended and whose parent has not asked how: it holds nothing any more. */
const ZOMBIE = -1;

/** A pid is given again: it and the time of its start name one process. Linux tells it in field 22. */
const startOf = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, with any character in it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? ZOMBIE : Number(fields[19] ?? 0);
  } catch {
    return 0;
  }
};

const orEmpty = (read: () => string): string => {
  try {
    return read().replace(/[^A-Za-z0-9.-]/gu, "");
  } catch {
    return "";
  }
};

/**
 * Where a pid names one process: this machine since it started, and its namespace of pids, as containers of one name have
 * their own. Systems other than Linux tell the machine's name only.
 */
const place = [
  hostname().replace(/[^A-Za-z0-9.-]/gu, "-"),
  orEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
  orEmpty(() => readlinkSync("/proc/self/ns/pid")),
].join("_");

const hostOf = (holder: Holder): string => holder.place.split("_", 1)[0]!;

/** The name says who made the file, so that it is never there without saying so. */
const ownFile = (path: string) =>
  `${path}.${process.pid}-${startOf(process.pid)}-${randomBytes(4).toString("hex")}@${place}`;

const HOLDER = /^\.(?<pid>[1-9][0-9]*)-(?<started>[0-9]+)-[0-9a-f]{8}@(?<place>.+)$/u;

const readHolders = (path: string): ReadonlyArray<Holder> => {
  const name = basename(path);
  return readdirSync(dirname(path)).flatMap((file) => {
    const parts = file.startsWith(name) ? HOLDER.exec(file.slice(name.length))?.groups : undefined;
    if (parts === undefined) return [];
    const [pid, started] = [Number(parts["pid"]), Number(parts["started"])];
    return [{ file: join(dirname(path), file), pid, started, place: parts["place"]! }];
  });
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
};

const isGone = (holder: Holder): boolean => {
  if (holder.place !== place) return false;
  if (!isRunning(holder.pid)) return true;
  const running = startOf(holder.pid);
  if (running !== 0 && holder.started !== 0) return running !== holder.started;
  // Without start times, a pid that is ours again is that of a process before this one.
  return holder.pid === process.pid && ![...held.values()].includes(holder.file);
};

const livingHolder = (path: string, own: string | null): Holder | undefined =>
  readHolders(path).find((holder) => holder.file !== own && !isGone(holder));

/** Times that two which meet give way to each other before one says that it is held. */
const MEETINGS_MAX = 10;
const MEETING_MS_MAX = 10;

/**
 * Takes a lock, or says who holds it. Whoever wants it looks for others, makes its file, and looks again: of two that
 * do so at once at least one sees the other, and who sees another gives way. A file whose process is gone binds nobody.
 * Rejects with the system's error where the folder can't be written.
 */
export const tryLock = async (path: string): Promise<LockAttempt> => {
  const mine = held.get(path);
  if (mine !== undefined)
    return { is_taken: false, pid: process.pid, host: hostname(), file: mine };
  for (let meetings = 0; ; meetings += 1) {
    const before = livingHolder(path, null);
    if (before !== undefined && (meetings === 0 || meetings === MEETINGS_MAX)) {
      return { is_taken: false, pid: before.pid, host: hostOf(before), file: before.file };
    }
    if (before === undefined) {
      const own = ownFile(path);
      closeSync(openSync(own, "wx"));
      if (livingHolder(path, own) === undefined) {
        for (const holder of readHolders(path))
          if (isGone(holder)) rmSync(holder.file, { force: true });
        held.set(path, own);
        return { is_taken: true };
      }
      unlinkSync(own);
    }
    await setTimeout(Math.random() * MEETING_MS_MAX);
  }
};

/** Gives up a lock that `tryLock` took. */
export const unlock = (path: string): void => {
  const own = held.get(path);
  if (own === undefined) return;
  rmSync(own, { force: true });
  held.delete(path);
};

const LOCK_REMEDY = "Make the folder writable for this process: it holds its lock files there.";

/** Holds a lock until the scope closes; `LockHeld` where another has it for all of `LOCK_WAIT_MS`. */
export const lockFile = (path: string): Effect.Effect<void, LockHeld | FileFailed, Scope.Scope> => {
  const acquire = Effect.gen(function* () {
    for (let waited_ms = 0; ; waited_ms += LOCK_RETRY_MS) {
      const attempt = yield* Effect.tryPromise({
        try: () => tryLock(path),
        catch: fileFailed(path, LOCK_REMEDY),
      });
      if (attempt.is_taken) return;
      if (waited_ms >= LOCK_WAIT_MS)
        return yield* new LockHeld({ path: attempt.file, pid: attempt.pid });
      yield* Effect.interruptible(Effect.sleep(Duration.millis(LOCK_RETRY_MS)));
    }
  });
  return Effect.acquireRelease(acquire, () => Effect.sync(() => unlock(path)));
};
