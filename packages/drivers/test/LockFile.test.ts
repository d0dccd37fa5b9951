/**
 * Goal: never two holders, and no lock that outlives its process. Method: real processes, some of them killed while
 * they hold it.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile, tryLock, unlock } from "../src/internal/file/LockFile.ts";

const machine = hostname().replace(/[^A-Za-z0-9.-]/gu, "-");

/** A namespace of pids of its own, as a container has. */
const CONTAINER = ["--pid", "--fork", "--mount-proc"];
const hasContainers = spawnSync("unshare", [...CONTAINER, "true"]).status === 0;
const HOLDER = join(import.meta.dirname, "LockHolder.ts");
const LOCK_FILE = join(import.meta.dirname, "../src/internal/file/LockFile.ts");

describe("a lock file", () => {
  let folder: string;
  let lock: string;
  const children: Array<ChildProcess> = [];

  const holder = (rounds: number) => {
    const args = [HOLDER, lock, join(folder, "marker"), String(rounds)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    const held = once(child.stdout, "data");
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    return { child, held, ended };
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "runproof-lock-"));
    lock = join(folder, "lock");
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    unlock(lock);
    rmSync(folder, { recursive: true, force: true });
  });

  it("names the process that holds it, and is free once that was killed", async () => {
    const { child, held, ended } = holder(1);
    await held;
    expect(await tryLock(lock)).toMatchObject({ is_taken: false, pid: child.pid });
    child.kill("SIGKILL");
    await ended;
    expect(await tryLock(lock)).toEqual({ is_taken: true });
    expect(await tryLock(lock)).toMatchObject({ is_taken: false, pid: process.pid });
    unlock(lock);
    expect(readdirSync(folder)).toEqual(["marker"]);
  });

  it("is taken over from a process that had this pid before", async () => {
    expect(await tryLock(lock)).toEqual({ is_taken: true });
    const [place] = readdirSync(folder).map((file) => file.split("@")[1]);
    unlock(lock);
    const stale = `${lock}.${process.pid}-1-00000000@${place}`;
    writeFileSync(stale, "");
    expect(await tryLock(lock)).toEqual({ is_taken: true });
    expect(existsSync(stale)).toBe(false);
  });

  it.skipIf(!existsSync("/proc/self/stat"))(
    "is free once its process was killed, even if nobody asks how that ended",
    async () => {
      // `sleep` becomes the holder's parent, and never waits for it.
      const args = ["-c", '"$0" "$@" & exec sleep 60', process.execPath];
      const parent = spawn("sh", [...args, HOLDER, lock, join(folder, "marker"), "1"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(parent);
      await once(parent.stdout, "data");
      const attempt = await tryLock(lock);
      const pid = attempt.is_taken ? 0 : attempt.pid;
      expect(pid).toBeGreaterThan(0);
      process.kill(pid, "SIGKILL");
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
      expect(await tryLock(lock)).toEqual({ is_taken: true });
    },
  );

  it("is left alone where a process of another machine holds it", async () => {
    const foreign = `${lock}.2147483646-1-00000000@another-machine`;
    writeFileSync(foreign, "");
    expect(await tryLock(lock)).toEqual({
      is_taken: false,
      pid: 2_147_483_646,
      host: "another-machine",
      file: foreign,
    });
    expect(readdirSync(folder)).toEqual([basename(foreign)]);
  });

  it.skipIf(!existsSync("/proc/self/ns/pid"))(
    "is left alone where one of this machine's name holds it whose pids or last start are others",
    async () => {
      await tryLock(lock);
      const [, boot = "", pids = ""] = readdirSync(folder)[0]!.split("@")[1]!.split("_");
      unlock(lock);
      for (const place of ["", "_", `_another-boot_${pids}`, `_${boot}_pid1`]) {
        const foreign = `${lock}.2147483646-1-00000000@${machine}${place}`;
        writeFileSync(foreign, "");
        expect(await tryLock(lock), place).toMatchObject({
          is_taken: false,
          host: machine,
          file: foreign,
        });
        rmSync(foreign);
      }
    },
  );

  it.skipIf(!hasContainers)(
    "is not taken from a container of the same name, nor by one",
    async () => {
      const inContainer = `import(${JSON.stringify(LOCK_FILE)}).then(async ({ tryLock }) =>
      process.stdout.write(JSON.stringify(await tryLock(${JSON.stringify(lock)}))))`;
      const container = () =>
        JSON.parse(
          spawnSync("unshare", [
            ...CONTAINER,
            process.execPath,
            "-e",
            inContainer,
          ]).stdout.toString(),
        );
      expect(await tryLock(lock)).toEqual({ is_taken: true });
      expect(container()).toMatchObject({ is_taken: false, pid: process.pid, host: machine });
      unlock(lock);
      expect(container()).toEqual({ is_taken: true });
      // That its process is gone can't be seen from here.
      expect(await tryLock(lock)).toMatchObject({ is_taken: false, host: machine });
    },
  );

  it("is never held twice by processes of which some are killed anywhere", async () => {
    const holders = Array.from({ length: 6 }, () => holder(100));
    for (const { child, held } of holders.slice(0, 3)) {
      await held;
      child.kill("SIGKILL");
    }
    const codes = await Promise.all(holders.slice(3).map(({ ended }) => ended));
    expect(codes.map(([code]) => code)).toEqual([0, 0, 0]);
  });

  it("is waited for, and given to the next when it is free", async () => {
    const order: Array<string> = [];
    const first = Effect.runFork(
      Effect.scoped(
        Effect.gen(function* () {
          yield* lockFile(lock);
          order.push("first has it");
          yield* Effect.sleep(50);
          order.push("first gives it up");
        }),
      ),
    );
    const second = Effect.runFork(
      Effect.scoped(
        Effect.andThen(
          lockFile(lock),
          Effect.sync(() => order.push("second has it")),
        ),
      ),
    );
    await Effect.runPromise(Fiber.joinAll([first, second]));
    expect(order).toEqual(["first has it", "first gives it up", "second has it"]);
  });

  it("says where it can't be made", async () => {
    const error = await Effect.runPromise(
      Effect.flip(Effect.scoped(lockFile(join(folder, "missing", "lock")))),
    );
    expect(error).toMatchObject({ _tag: "FileFailed", what: "no such file or folder" });
  });
});
