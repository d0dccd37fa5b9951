/** The embedded database's folder: one process at a time, nothing lost when that dies, and a reason where it can't be used. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it as test } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { asApplication, embeddedFolder, onEmbedded, temporaryFolder } from "./Databases.ts";
import { openRun, record, seal, sealedRun, verify } from "./Evidence.ts";
import { child } from "./Process.ts";
import { storesOn } from "./Stores.ts";

const holder = (home: string, options: { readonly uid?: number } = {}) =>
  child("EmbeddedProcess.ts", [home], options);

const within = <A, E, R>(home: string, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, Layer.fresh(storesOn({ kind: "embedded", home })));

const opening = (home: string) =>
  Effect.flip(Effect.provide(Effect.void, Layer.fresh(Database.layer({ kind: "embedded", home }))));

/** Waits until a path is there. */
const untilThere = (path: string) =>
  Effect.sync(() => fs.existsSync(path)).pipe(
    Effect.repeat({ schedule: Schedule.spaced("1 millis"), until: (isThere) => isThere }),
  );

describe("the embedded database's folder", () => {
  test.live("is made on first use, with those above it, and keeps what was recorded", () =>
    Effect.gen(function* () {
      const home = join(yield* temporaryFolder, "not", "there", "yet");
      const run = yield* within(home, sealedRun(2));
      const open = yield* within(home, openRun(1));
      expect(fs.readdirSync(home).toSorted()).toEqual(["postgres"]);
      const verdict = yield* within(
        home,
        Effect.gen(function* () {
          yield* record(open.trace_id);
          yield* seal(open.trace_id);
          expect(yield* verify(open)).toMatchObject({
            verification_status: "VERIFIED",
            chain_length: 2,
          });
          return yield* verify(run);
        }),
      );
      expect(verdict.verification_status).toBe("VERIFIED");
    }),
  );

  test.live("has the new database's name on the disk before anything is recorded in it", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder;
      const { open } = fs.promises;
      const { renameSync } = fs;
      const events: Array<string> = [];
      const keep = (what: string, path: unknown) => {
        // PostgreSQL moves and flushes files of its own below.
        if ([home, join(home, "postgres")].includes(String(path)))
          events.push(`${what} ${String(path)}`);
      };
      const watch = Effect.sync(() => {
        fs.renameSync = (from, to) => {
          renameSync(from, to);
          keep("renamed", to);
        };
        fs.promises.open = async (path, ...rest) => {
          const handle = await open(path, ...rest);
          const sync = handle.sync.bind(handle);
          handle.sync = async () => {
            await sync();
            keep("flushed", path);
          };
          return handle;
        };
        syncBuiltinESMExports();
      });
      const unwatch = Effect.sync(() => {
        Object.assign(fs, { renameSync });
        fs.promises.open = open;
        syncBuiltinESMExports();
      });
      yield* Effect.acquireUseRelease(
        watch,
        () =>
          within(
            home,
            Effect.sync(() => events.push("opened")),
          ),
        () => unwatch,
      );
      expect(events).toEqual([`renamed ${join(home, "postgres")}`, `flushed ${home}`, "opened"]);
    }),
  );

  test.live("is one process's, and says which one has it", () =>
    Effect.gen(function* () {
      const home = yield* embeddedFolder;
      const other = yield* holder(home);
      yield* other.line(/"Open"/u);
      expect(yield* opening(home)).toMatchObject({
        _tag: "EmbeddedLocked",
        folder: home,
        pid: other.process.pid,
        message: expect.stringContaining(`process ${other.process.pid} on ${hostname()}`),
        remedy: expect.stringMatching(
          new RegExp(`remove ${join(home, "lock")}\\.${other.process.pid}-[^ ]+\\.$`, "u"),
        ),
      });
      yield* other.end;
      expect((yield* within(home, Effect.flatMap(sealedRun(1), verify))).verification_status).toBe(
        "VERIFIED",
      );
    }),
  );

  test.live("is this process's once, and free again when its scope closes or fails", () =>
    Effect.gen(function* () {
      const home = yield* embeddedFolder;
      expect(yield* within(home, opening(home))).toMatchObject({
        _tag: "EmbeddedLocked",
        pid: process.pid,
      });
      yield* Effect.exit(within(home, Effect.fail("stop")));
      yield* Effect.exit(within(home, Effect.die("stop")));
      yield* Effect.timeoutOption(within(home, Effect.never), "20 millis");
      yield* within(home, Effect.void);
    }),
  );

  test.live("is free when the process that had it was killed", () =>
    Effect.gen(function* () {
      const home = yield* embeddedFolder;
      const dead = yield* holder(home);
      yield* dead.line(/"Open"/u);
      yield* dead.kill;
      expect(fs.readdirSync(home).length).toBeGreaterThan(1);
      yield* within(home, asApplication("select 1"));
      expect(fs.readdirSync(home)).toEqual(["postgres"]);
    }),
  );

  test.live("is whole or made again where the process that made it was killed at it", () =>
    Effect.gen(function* () {
      // Killed when the folder is there, and when the database in it is about to be.
      for (const sign of ["postgres.making", "postgres.making/base/1"]) {
        const home = yield* temporaryFolder;
        const dead = yield* holder(home);
        yield* untilThere(join(home, sign));
        yield* dead.kill;
        expect(fs.existsSync(join(home, "postgres"))).toBe(false);
        expect(
          (yield* within(home, Effect.flatMap(sealedRun(1), verify))).verification_status,
        ).toBe("VERIFIED");
        expect(fs.readdirSync(home)).toEqual(["postgres"]);
      }
    }),
  );

  test.live("is refused with a reason where it can't be made, read or written", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder;
      const file = join(parent, "file");
      fs.writeFileSync(file, "");
      for (const home of [file, join(file, "below")])
        expect(yield* opening(home)).toMatchObject({
          _tag: "FileFailed",
          path: home,
          remedy: expect.stringContaining("RUNPROOF_HOME"),
        });

      // A superuser may write anywhere, so that the process is another's where the tests are one's.
      const isRoot = process.getuid?.() === 0;
      const nobody = isRoot ? { uid: 65534 } : {};
      const owned = join(parent, "owned");
      fs.mkdirSync(owned);
      if (isRoot) fs.chmodSync(parent, 0o755);
      fs.chmodSync(owned, 0o555);
      for (const home of [owned, join(owned, "below")]) {
        const other = yield* holder(home, nobody);
        expect(JSON.parse(yield* other.line(/./u))).toMatchObject({
          _tag: "FileFailed",
          path: home,
          what: "permission denied",
          remedy: expect.stringContaining("RUNPROOF_HOME"),
        });
      }
      fs.chmodSync(owned, 0o755);
    }),
  );

  test.live(
    "is refused, and left as it is, where something else lies in the database's place",
    () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder;
        fs.mkdirSync(join(home, "postgres"));
        fs.writeFileSync(join(home, "postgres", "letter"), "dear reader");
        expect(yield* opening(home)).toMatchObject({
          _tag: "FileFailed",
          path: join(home, "postgres"),
          what: "it has files, and no database",
        });
        expect(fs.readFileSync(join(home, "postgres", "letter"), "utf8")).toBe("dear reader");
      }),
  );
});

onEmbedded("what the embedded database acknowledges", (it) => {
  it.effect("is on the disk: each commit flushes", () =>
    Effect.gen(function* () {
      expect(
        yield* asApplication(
          "select current_setting('fsync') as fsync, current_setting('wal_sync_method') as method, current_setting('synchronous_commit') as commits, current_setting('full_page_writes') as pages",
        ),
      ).toEqual([{ fsync: "on", method: "fsync", commits: "on", pages: "on" }]);
      const { trace_id } = yield* openRun(0);
      const real = fs.fsyncSync;
      let flushes = 0;
      const counted = Effect.gen(function* () {
        for (let step = 0; step < 5; step += 1) {
          const before = flushes;
          yield* record(trace_id);
          expect(flushes).toBeGreaterThan(before);
        }
      });
      const counting = (fd: number) => {
        flushes += 1;
        real(fd);
      };
      const use = (flush: typeof real) =>
        Effect.sync(() => {
          fs.fsyncSync = flush;
          syncBuiltinESMExports();
        });
      yield* Effect.acquireUseRelease(
        use(counting),
        () => counted,
        () => use(real),
      );
    }),
  );
});
