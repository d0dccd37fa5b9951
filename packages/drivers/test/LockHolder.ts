/**
 * A process that takes a lock again and again. Arguments: the lock file, a marker file, rounds. It writes `held` when it
 * has the lock first, and ends with 1 if another process was between taking and giving up at the same time.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { tryLock, unlock } from "../src/internal/file/LockFile.ts";

const [lock = "", marker = "", rounds = "1"] = process.argv.slice(2);

/** A process that was killed answers to its pid until its parent has asked how it ended. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^[0-9]+ \(.*\) Z /u.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

/** Whether the process that left the marker is still there: one that was killed may have left it, empty even. */
const isOccupied = (): boolean => {
  const pid = existsSync(marker) ? Number(readFileSync(marker, "utf8")) : 0;
  return pid > 0 && isAlive(pid);
};

for (let round = 0; round < Number(rounds); round += 1) {
  while (!(await tryLock(lock)).is_taken) await setTimeout(Math.random());
  if (isOccupied()) {
    process.stderr.write("two hold the lock\n");
    process.exit(1);
  }
  writeFileSync(marker, String(process.pid));
  if (round === 0) process.stdout.write("held\n");
  // Long enough to be killed in, or short enough to be met at its end by another.
  await setTimeout(Number(rounds) === 1 ? 60_000 : Math.random());
  rmSync(marker);
  unlock(lock);
}
