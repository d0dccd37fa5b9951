/**
 * Goal: what is published can be checked by stock tools with the key alone, stays as it was published, and is never a
 * forged log. Method: recorded runs, signed and exported from a real server, read by Go's sumdb; exports cut off midway;
 * and a superuser who changes the log between exports.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layer } from "@effect/vitest";
import { CompactRange } from "@runproof/proof/MerkleTree";
import { decodeEntries } from "@runproof/proof/Tile";
import { entryLeafHash } from "@runproof/proof/LogEntry";
import { parseCheckpoint } from "@runproof/proof/Checkpoint";
import { KeyCoordinator } from "@runproof/spine-coordinators/ledger/KeyCoordinator";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { buildGoVerifier, isGoHere } from "@runproof/tooling/GoVerifier";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { afterAll, beforeAll, describe, expect, it as plainIt } from "vitest";
import { checkpoint, inProcess, logPlace, type LogPlace, recordRuns } from "./SignedLog.ts";

const exportTo = (
  place: LogPlace,
  folder: string,
  onProgress: (done: number, total: number) => Effect.Effect<void> = () => Effect.void,
) =>
  inProcess(
    place,
    Effect.flatMap(LogCoordinator, (log) => log.exportTiles({ folder, checks: false, onProgress })),
  );

const checkIn = (place: LogPlace, folder: string) =>
  inProcess(
    place,
    Effect.flatMap(LogCoordinator, (log) =>
      log.exportTiles({ folder, checks: true, onProgress: () => Effect.void }),
    ),
  );

/** The files of a folder with their bytes and inodes. */
const filesOf = (folder: string) =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(folder, path)).isFile())
      .toSorted()
      .map((path) => [
        path,
        { bytes: readFileSync(join(folder, path), "hex"), inode: statSync(join(folder, path)).ino },
      ]),
  );

const forge = (place: LogPlace, ...statements: ReadonlyArray<string>) =>
  Effect.promise(() =>
    queryDatabase(
      place.url,
      ...["aos_log_entries", "aos_log_tiles", "aos_checkpoints"].map(
        (table) => `alter table ${table} disable trigger user`,
      ),
      ...statements,
    ),
  );

/** A signed log of at least that many entries: two for each run, and queued ones of runs that are not there. */
const signedLog = (entries: number) =>
  Effect.gen(function* () {
    const place = yield* logPlace;
    yield* Effect.promise(() =>
      queryDatabase(
        place.url,
        `insert into aos_log_queue (kind, digest, trace_id)
         select 1 + n % 2, encode(sha256(convert_to('entry ' || n, 'UTF8')), 'hex'), 'trace ' || n
         from generate_series(1, ${entries - 20}) as n`,
      ),
    );
    const signed = yield* inProcess(place, Effect.andThen(recordRuns(10), checkpoint));
    return { place, signed, folder: join(place.folder, "public") };
  });

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })("an exported log", (it) => {
  it.effect("holds the checkpoint, every tile and every entry, by their names in C2SP", () =>
    Effect.gen(function* () {
      const { place, signed, folder } = yield* signedLog(600);
      const exported = yield* exportTo(place, folder);
      expect(exported).toMatchObject({ tree_size: 600, previous_size: 0, files_written: 7 });
      expect([...filesOf(folder).keys()]).toEqual([
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
      ]);
      expect(readFileSync(join(folder, "checkpoint"), "utf8")).toBe(signed.note);
      const range = new CompactRange();
      for (const path of ["000", "001", "002.p/88"]) {
        const entries = decodeEntries(readFileSync(join(folder, "tile/entries", path)))!;
        for (const entry of entries) range.append(entryLeafHash(entry));
      }
      expect(range.root()).toBe(signed.root_hash);
    }),
  );

  it.effect("grows by what is new, and changes nothing that was published", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(300);
      yield* exportTo(place, folder);
      const before = filesOf(folder);
      expect(yield* exportTo(place, folder)).toMatchObject({ files_written: 0 });
      expect(filesOf(folder)).toEqual(before);
      yield* inProcess(place, Effect.andThen(recordRuns(120), checkpoint));
      let tiles = 0;
      const count = (_: number, total: number) => Effect.sync(() => (tiles = total));
      expect(yield* exportTo(place, folder, count)).toMatchObject({
        previous_size: 300,
        tree_size: 540,
        // The tile that is full now, a new one that is not, the bundles of both, and the tile above.
        files_written: 5,
      });
      expect(tiles).toBe(3);
      const after = filesOf(folder);
      for (const [path, file] of before) {
        if (path !== "checkpoint") expect(after.get(path), path).toEqual(file);
      }
      expect(parseCheckpoint(readFileSync(join(folder, "checkpoint"), "utf8")).tree_size).toBe(540);
    }),
  );

  it.effect(
    "publishes no checkpoint before all its tiles, and is taken up where it was cut off",
    () =>
      Effect.gen(function* () {
        const { place, folder } = yield* signedLog(600);
        let told = 0;
        const cut = () =>
          Effect.suspend(() => (++told === 2 ? Effect.die("cut off") : Effect.void));
        yield* Effect.exit(exportTo(place, folder, cut));
        expect(existsSync(join(folder, "checkpoint"))).toBe(false);
        expect(filesOf(folder).size).toBe(6);
        expect(yield* exportTo(place, folder)).toMatchObject({ files_written: 1 });
        const whole = filesOf(folder);
        yield* inProcess(place, Effect.andThen(recordRuns(50), checkpoint));
        told = 0;
        yield* Effect.exit(exportTo(place, folder, cut));
        expect(filesOf(folder).get("checkpoint")).toEqual(whole.get("checkpoint"));
        yield* exportTo(place, folder);
        expect(filesOf(folder).get("checkpoint")).not.toEqual(whole.get("checkpoint"));
      }),
  );

  it.effect("is whole after two processes exported it at once", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(300);
      const both = yield* Effect.all([exportTo(place, folder), exportTo(place, folder)], {
        concurrency: "unbounded",
      });
      expect(new Set(both.map(({ files_written }) => files_written))).toEqual(new Set([0, 5]));
      expect(readdirSync(folder).toSorted()).toEqual(["checkpoint", "tile"]);
    }),
  );

  it.effect("is not written from a log without a checkpoint", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, recordRuns(2));
      const folder = join(place.folder, "public");
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({
        _tag: "LogEntryNotFound",
      });
      expect(existsSync(folder)).toBe(false);
    }),
  );

  it.effect("stays as it is where the database no longer holds what it publishes", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(300);
      const old = yield* signedLog(100);
      yield* exportTo(place, folder);
      const before = filesOf(folder);
      // The same key over another, shorter history, as with an old backup and an old state of the signer.
      expect(yield* Effect.flip(exportTo(old.place, folder))).toMatchObject({ _tag: "LogShrunk" });
      yield* inProcess(old.place, Effect.andThen(recordRuns(120), checkpoint));
      expect(yield* Effect.flip(exportTo(old.place, folder))).toMatchObject({ _tag: "LogForked" });
      expect(filesOf(folder)).toEqual(before);
    }),
  );

  it.effect("takes no entry that is not in the tree, and names it", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(600);
      yield* forge(
        place,
        "update aos_log_entries set digest = repeat('0', 64) where log_index = 300",
      );
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({
        _tag: "StoredDataUnreadable",
        where: "log entry 300",
      });
      expect(existsSync(join(folder, "checkpoint"))).toBe(false);
    }),
  );

  it.effect("takes no tile that the level above contradicts", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(600);
      yield* forge(
        place,
        "update aos_log_entries set digest = repeat('0', 64) where log_index = 300",
        `update aos_log_tiles set hashes = overlay(hashes placing sha256('\\x0001'::bytea || decode(repeat('0', 64), 'hex')) from 1 + 32 * 44) where level = 0 and tile_index = 1`,
      );
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({
        _tag: "StoredDataUnreadable",
        where: expect.stringContaining("log tile level 0, index 1"),
      });
    }),
  );

  it.effect("is repaired where files were lost or changed, each changed one by its name", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(600);
      yield* exportTo(place, folder);
      const whole = filesOf(folder);
      const none = { files_written: 0, files_checked: 7, files_replaced: [] };
      expect(yield* checkIn(place, folder)).toMatchObject(none);
      expect(filesOf(folder)).toEqual(whole);

      const lost = ["tile/0/000", "tile/1/000.p/2"];
      const changed = ["tile/entries/001", "tile/0/002.p/88", "checkpoint"];
      for (const path of lost) rmSync(join(folder, path));
      writeFileSync(join(folder, "tile/entries/001"), "overwritten");
      writeFileSync(join(folder, "tile/0/002.p/88"), "");
      const note = readFileSync(join(folder, "checkpoint"), "utf8");
      writeFileSync(
        join(folder, "checkpoint"),
        `${note.slice(0, -20)}AAAAAAAAAA${note.slice(-10)}`,
      );
      // Without the check nothing of this is looked at.
      expect(yield* exportTo(place, folder)).toMatchObject({
        files_written: 0,
        files_checked: null,
      });
      const repaired = yield* checkIn(place, folder);
      expect(repaired).toMatchObject({ tree_size: 600, files_written: 5, files_checked: 7 });
      expect(repaired.files_replaced.toSorted()).toEqual(changed.toSorted());
      const bytesOf = (files: ReturnType<typeof filesOf>) =>
        [...files].map(([path, { bytes }]) => [path, bytes]);
      expect(bytesOf(filesOf(folder))).toEqual(bytesOf(whole));

      yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
      rmSync(join(folder, "tile/0/001"));
      expect(yield* checkIn(place, folder)).toMatchObject({ tree_size: 602, files_written: 3 });
      expect(yield* checkIn(place, folder)).toMatchObject({ ...none, tree_size: 602 });
    }),
  );

  it.effect("keeps signatures that others added to its checkpoint", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(100);
      yield* exportTo(place, folder);
      const path = join(folder, "checkpoint");
      const witnessed = `${readFileSync(path, "utf8")}\u2014 witness.example/w AAAAAAAA\n`;
      writeFileSync(path, witnessed);
      expect(yield* checkIn(place, folder)).toMatchObject({ files_replaced: [] });
      expect(readFileSync(path, "utf8")).toBe(witnessed);
    }),
  );

  it.effect("is not repaired from a log that is not what was signed", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(600);
      yield* exportTo(place, folder);
      const before = filesOf(folder);
      yield* forge(
        place,
        "update aos_log_entries set digest = repeat('0', 64) where log_index = 300",
        `update aos_log_tiles set hashes = overlay(hashes placing sha256('\\x0001'::bytea || decode(repeat('0', 64), 'hex')) from 1 + 32 * 44) where level = 0 and tile_index = 1`,
      );
      expect(yield* Effect.flip(checkIn(place, folder))).toMatchObject({
        _tag: "StoredDataUnreadable",
      });
      expect(filesOf(folder)).toEqual(before);
    }),
  );

  it.effect("is refused into a folder of another log, or with files that were changed", () =>
    Effect.gen(function* () {
      const { place, folder } = yield* signedLog(300);
      yield* exportTo(place, folder);
      const note = readFileSync(join(folder, "checkpoint"), "utf8");
      writeFileSync(
        join(folder, "checkpoint"),
        note.replaceAll("example.com/log", "example.com/other"),
      );
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({ _tag: "InvalidInput" });
      writeFileSync(join(folder, "checkpoint"), "nothing");
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({ _tag: "InvalidInput" });
      rmSync(join(folder, "checkpoint"));
      writeFileSync(join(folder, "tile/0/000"), "changed");
      expect(yield* Effect.flip(exportTo(place, folder))).toMatchObject({
        _tag: "FileFailed",
        path: join(folder, "tile/0/000"),
      });
    }),
  );
});

describe.skipIf(!isGoHere)("Go's sumdb on a recorded log", () => {
  let folder: string;
  let verify: ReturnType<typeof buildGoVerifier>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "runproof-go-"));
    verify = buildGoVerifier(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  plainIt(
    "verifies checkpoint, proofs, tiles and entries, and refuses each when it was tampered with",
    () =>
      Effect.gen(function* () {
        const { place, signed, folder: tiles_folder } = yield* signedLog(700);
        const { tree_size } = yield* inProcess(place, Effect.andThen(recordRuns(60), checkpoint));
        const newer = yield* inProcess(place, checkpoint);
        yield* exportTo(place, tiles_folder);
        const proofs = yield* inProcess(
          place,
          Effect.gen(function* () {
            const log = yield* LogCoordinator;
            const indexes = [0, 255, 256, 511, 700, tree_size - 1];
            return {
              inclusion: yield* Effect.forEach(indexes, (index) => log.proveInclusion({ index })),
              consistency: [
                yield* log.proveConsistency({ from: { note: signed.note } }),
                yield* log.proveConsistency({ from: { size: 256 } }),
              ],
            };
          }),
        );
        const input = {
          verifier_key: place.vkey,
          signer_key: readFileSync(place.key, "utf8").trim(),
          checkpoint: newer.note,
          tiles_folder,
          inclusion: proofs.inclusion.map(
            ({ index, leaf_hash, tree_size: size, root_hash: root, path }) => ({
              index,
              size,
              leaf_hash,
              root,
              path,
            }),
          ),
          consistency: proofs.consistency.map(({ from, to, path }) => ({
            old_size: from.tree_size,
            old_root: from.root_hash,
            new_size: to.tree_size,
            new_root: to.root_hash,
            path,
          })),
        };
        expect(verify(input)).toEqual({
          status: 0,
          output: `checkpoint of ${tree_size} entries, 6 inclusion proofs, 2 consistency proofs, tiles and entries hold\n`,
        });

        const other = yield* logPlace;
        const spoil = <P extends { readonly path: ReadonlyArray<string> }>(proof: P): P => ({
          ...proof,
          path: proof.path.toReversed(),
        });
        const { signer_key: _, ...unsigned } = input;
        for (const changed of [
          { ...unsigned, verifier_key: other.vkey },
          { ...input, checkpoint: newer.note.replace(`\n${tree_size}\n`, `\n${tree_size - 1}\n`) },
          { ...input, inclusion: input.inclusion.map(spoil) },
          { ...input, consistency: input.consistency.map(spoil) },
          {
            ...input,
            inclusion: [{ ...input.inclusion[0]!, leaf_hash: input.inclusion[1]!.leaf_hash }],
          },
        ]) {
          expect(verify(changed).status).toBe(1);
        }
        for (const path of ["tile/0/001", "tile/1/000.p/3", "tile/entries/002"]) {
          const file = join(tiles_folder, path);
          const bytes = readFileSync(file);
          writeFileSync(
            file,
            bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
          );
          expect(verify(input), path).toMatchObject({ status: 1 });
          writeFileSync(file, bytes);
        }
        expect(verify(input).status).toBe(0);
      }).pipe(Effect.scoped, Effect.runPromise),
  );

  plainIt("verifies a checkpoint of a rotation by the old key, and by the new key alone", () =>
    Effect.gen(function* () {
      const { place, folder: tiles_folder } = yield* signedLog(100);
      const { old_vkey, new_vkey } = yield* inProcess(
        place,
        Effect.flatMap(KeyCoordinator, (keys) =>
          keys.rotate({ actor: "operator", reason: "yearly" }),
        ),
      );
      yield* exportTo(place, tiles_folder);
      const note = readFileSync(join(tiles_folder, "checkpoint"), "utf8");
      const input = { checkpoint: note, tiles_folder, inclusion: [], consistency: [] };
      for (const verifier_key of [old_vkey, new_vkey]) {
        expect(verify({ ...input, verifier_key })).toMatchObject({ status: 0 });
      }
      yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
      yield* exportTo(place, tiles_folder);
      const later = {
        ...input,
        checkpoint: readFileSync(join(tiles_folder, "checkpoint"), "utf8"),
      };
      expect(verify({ ...later, verifier_key: new_vkey })).toMatchObject({ status: 0 });
      expect(verify({ ...later, verifier_key: old_vkey })).toMatchObject({ status: 1 });
    }).pipe(Effect.scoped, Effect.runPromise),
  );
});
