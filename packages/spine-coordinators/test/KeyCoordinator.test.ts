/**
 * Goal: a key is changed once, in the open, and wherever that is cut off it is taken up again. Method: rotations in
 * processes that are killed after each of their durable acts, one rotation after the other on one log.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layer } from "@effect/vitest";
import { logSigner, logSignerConfig } from "@runproof/drivers/LogSigner";
import { readEventRecord } from "@runproof/proof/EventRecord";
import { parseSignerKey, parseVerifierKey } from "@runproof/proof/NoteKey";
import { parseNote, verifyNote } from "@runproof/proof/SignedNote";
import { KeyCoordinator } from "@runproof/spine-coordinators/ledger/KeyCoordinator";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { expect } from "vitest";
import {
  checkpoint,
  configOf,
  inProcess,
  logPlace,
  type LogPlace,
  recordRuns,
} from "./SignedLog.ts";

const PROGRAM = join(import.meta.dirname, "RotatingProcess.ts");

const rotate = Effect.flatMap(KeyCoordinator, (keys) =>
  keys.rotate({ actor: "operator", reason: "yearly" }),
);

const keysIn = (path: string) =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((text) => parseSignerKey(text).verifier.text);

interface KeyEvent {
  readonly log_index: number;
  readonly event: string;
  readonly old_vkey: string;
  readonly new_vkey: string;
}

const eventsOf = ({ url }: LogPlace) =>
  Effect.promise(async (): Promise<ReadonlyArray<KeyEvent>> => {
    const rows = await queryDatabase(
      url,
      "select log_index::int, event_record from aos_log_entries where kind = 4 order by log_index",
    );
    return rows.map((row) => {
      const record = readEventRecord(String(row["event_record"]))!;
      const { old_vkey = "", new_vkey = "" } = record.detail;
      return { log_index: Number(row["log_index"]), event: record.event, old_vkey, new_vkey };
    });
  });

/** The keys that signed the first kept checkpoint over an entry. */
const signersOver = ({ url }: LogPlace, log_index: number, vkeys: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const [row] = await queryDatabase(
      url,
      `select note from aos_checkpoints where tree_size > ${log_index} order by tree_size limit 1`,
    );
    const note = parseNote(String(row?.["note"]));
    return verifyNote(note, vkeys.map(parseVerifierKey)).verified_by.map(({ text }) => text);
  });

/** All that must be so after a rotation from one key to another. */
const expectRotated = (place: LogPlace, old_vkey: string, new_vkey: string) =>
  Effect.gen(function* () {
    expect(keysIn(place.key)).toEqual([new_vkey]);
    expect(statSync(place.key).mode & 0o777).toBe(0o600);
    const events = (yield* eventsOf(place)).filter((event) => event.old_vkey === old_vkey);
    expect(events.map(({ event, new_vkey: vkey }) => [event, vkey])).toEqual([
      ["key_added", new_vkey],
      ["key_retired", new_vkey],
    ]);
    for (const { log_index } of events) {
      expect(yield* signersOver(place, log_index, [old_vkey, new_vkey])).toEqual([
        old_vkey,
        new_vkey,
      ]);
    }
    const { tree_size, note } = yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
    expect(tree_size).toBeGreaterThan(events[1]!.log_index);
    expect(parseNote(note).signatures.map(({ key_id }) => key_id)).toEqual([
      parseVerifierKey(new_vkey).key_id,
    ]);
  });

const rotateIn = async ({ url, key }: LogPlace, nth: number) => {
  const child = spawn(process.execPath, [PROGRAM, url, key, String(nth)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  return { code, signal };
};

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })("a key's rotation", (it) => {
  it.effect(
    "is announced and retired under checkpoints that both keys sign, and drops the old key",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        yield* inProcess(place, Effect.andThen(recordRuns(3), checkpoint));
        const rotated = yield* inProcess(place, rotate);
        expect(rotated.old_vkey).toBe(place.vkey);
        yield* expectRotated(place, rotated.old_vkey, rotated.new_vkey);
        const again = yield* inProcess(place, rotate);
        expect(again.old_vkey).toBe(rotated.new_vkey);
        yield* expectRotated(place, again.old_vkey, again.new_vkey);
        // What the old keys signed still needs them.
        const config = logSignerConfig({ RUNPROOF_LOG_KEY_FILE: place.key }, configOf(place.url));
        const { keys } = yield* logSigner(config).status;
        expect(keys).toEqual([
          { vkey: again.new_vkey, role: "active" },
          { vkey: rotated.old_vkey, role: "retired" },
          { vkey: again.old_vkey, role: "retired" },
        ]);
      }),
  );

  it.effect(
    "is taken up by the next, after a kill behind each of its durable acts",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
        let killed = 0;
        for (let nth = 1; ; nth += 1) {
          const [old_vkey] = keysIn(place.key);
          const { code, signal } = yield* Effect.promise(() => rotateIn(place, nth));
          if (signal === "SIGKILL") {
            killed += 1;
            // Somebody goes on recording and signing before the rotation is taken up.
            if (nth % 2 === 0) yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
            const isDropped = !keysIn(place.key).includes(old_vkey!);
            const rotated = yield* inProcess(place, rotate);
            // With the old key gone all is done, and if that was noted too, this was a rotation more.
            if (!isDropped) expect(rotated.old_vkey).toBe(old_vkey);
          } else {
            expect(code).toBe(0);
          }
          const events = yield* eventsOf(place);
          const { new_vkey } = events.find((event) => event.old_vkey === old_vkey)!;
          if (keysIn(place.key)[0] === new_vkey) yield* expectRotated(place, old_vkey!, new_vkey);
          if (signal === null) break;
        }
        expect(killed).toBeGreaterThanOrEqual(12);
        const kinds = (yield* eventsOf(place)).map(({ event }) => event);
        expect(kinds.filter((event) => event === "key_added").length).toBe(
          kinds.filter((event) => event === "key_retired").length,
        );
      }),
    300_000,
  );

  it.effect("happens once where several processes rotate at once", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const all = yield* Effect.all(
        [rotate, rotate, rotate].map((each) => inProcess(place, each)),
        {
          concurrency: "unbounded",
        },
      );
      const events = yield* eventsOf(place);
      expect(events.map(({ event }) => event)).toEqual(
        all.flatMap(() => ["key_added", "key_retired"]),
      );
      expect(new Set(events.map((event) => event.old_vkey)).size).toBe(3);
    }),
  );

  it.effect("keeps a log that was tampered with unsigned, and begins nothing", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      yield* Effect.promise(() =>
        queryDatabase(
          place.url,
          "alter table aos_log_entries disable trigger user",
          "update aos_log_entries set digest = repeat('0', 64) where log_index = 1",
        ),
      );
      expect(yield* Effect.flip(inProcess(place, rotate))).toMatchObject({ _tag: "LogForked" });
      expect(keysIn(place.key)).toEqual([place.vkey]);
      expect(yield* eventsOf(place)).toEqual([]);
    }),
  );

  it.effect("writes nothing into a log that the key does not sign, and goes on in its own", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const larger = yield* logPlace;
      const smaller = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(3), checkpoint));
      yield* inProcess(larger, Effect.andThen(recordRuns(20), checkpoint));
      const before = readFileSync(`${place.key}.state`, "utf8");
      for (const [{ url }, tag] of [
        [larger, "LogForked"],
        [smaller, "LogShrunk"],
      ] as const) {
        const wrong = { ...place, url };
        expect(yield* Effect.flip(inProcess(wrong, rotate))).toMatchObject({ _tag: tag });
        expect(yield* eventsOf(wrong)).toEqual([]);
        expect(keysIn(place.key)).toEqual([place.vkey]);
        expect(readFileSync(`${place.key}.state`, "utf8")).toBe(before);
      }
      const { new_vkey } = yield* inProcess(place, rotate);
      yield* expectRotated(place, place.vkey, new_vkey);
    }),
  );

  it.effect("is taken up where it looked for its EVENTs at another log's indexes", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(3), checkpoint));
      const config = logSignerConfig({ RUNPROOF_LOG_KEY_FILE: place.key }, configOf(place.url));
      yield* logSigner(config).rotate((steps) => steps.begin);
      const state = JSON.parse(readFileSync(`${place.key}.state`, "utf8"));
      state.rotation.from_index = 1_200;
      writeFileSync(`${place.key}.state`, JSON.stringify(state));
      const [, next] = keysIn(place.key);
      const { new_vkey } = yield* inProcess(place, rotate);
      expect(new_vkey).toBe(next);
      yield* expectRotated(place, place.vkey, new_vkey);
    }),
  );

  it.effect("whose end was not noted is not done again after a checkpoint of the new key", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const { new_vkey } = yield* inProcess(place, rotate);
      // As a kill leaves it between the two last writes: the old key is dropped, and the state knows nothing of it.
      const state = JSON.parse(readFileSync(`${place.key}.state`, "utf8"));
      const unfinished = { ...state, vkey: place.vkey, rotation: { new_vkey, from_index: 4 } };
      writeFileSync(`${place.key}.state`, JSON.stringify(unfinished));
      yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
      yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
      expect(yield* inProcess(place, rotate)).toEqual({
        old_vkey: place.vkey,
        new_vkey,
        was_done: true,
      });
      yield* expectRotated(place, place.vkey, new_vkey);
      const another = yield* inProcess(place, rotate);
      expect(another).toMatchObject({ old_vkey: new_vkey, was_done: false });
    }),
  );

  it.effect("does not drop the old key before both signed over its retirement", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      const config = logSignerConfig({ RUNPROOF_LOG_KEY_FILE: place.key }, configOf(place.url));
      const finishAt = (above_index: number) =>
        logSigner(config).rotate((steps) => Effect.andThen(steps.begin, steps.finish(above_index)));
      // The tree of 8 entries is signed by the old key only; and no tree over entry 8 is signed at all.
      for (const above_index of [3, 8]) {
        expect(yield* Effect.flip(finishAt(above_index))).toMatchObject({
          _tag: "SignerStateInvalid",
        });
      }
      expect(keysIn(place.key)).toHaveLength(2);
      const { new_vkey } = yield* inProcess(place, rotate);
      yield* expectRotated(place, place.vkey, new_vkey);
    }),
  );

  it.effect("needs the key in a file", () =>
    Effect.gen(function* () {
      const { url, key } = yield* logPlace;
      const config = logSignerConfig(
        { RUNPROOF_LOG_KEY: readFileSync(key, "utf8"), RUNPROOF_LOG_STATE_FILE: `${key}.state` },
        configOf(url),
      );
      const error = yield* Effect.flip(logSigner(config).rotate((steps) => steps.begin));
      expect(error).toMatchObject({ _tag: "ConfigurationInvalid", setting: "RUNPROOF_LOG_KEY" });
    }),
  );
});

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })("a lost state", (it) => {
  const restore = (place: LogPlace, note: string | null) =>
    inProcess(
      place,
      Effect.flatMap(KeyCoordinator, (keys) => keys.restoreState(note)),
    );

  it.effect("is not made anew as if nothing was signed where the database knows better", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const { note } = yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      rmSync(`${place.key}.state`);
      expect(yield* Effect.flip(restore(place, null))).toMatchObject({
        _tag: "InvalidInput",
        where: "--never-signed",
      });
      expect(yield* restore(place, note)).toMatchObject({ last: { tree_size: 4 } });
    }),
  );

  it.effect("is not made anew from an older checkpoint than the database keeps of this key", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const other = yield* logPlace;
      const older = yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const newer = yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint));
      const foreign = yield* inProcess(other, Effect.andThen(recordRuns(6), checkpoint));
      // What others put before it, more than is read at once, is no checkpoint of this key.
      yield* Effect.promise(() =>
        queryDatabase(
          place.url,
          `insert into aos_checkpoints (origin, tree_size, root_hash, note)
           select 'example.com/log', 1000 + n, repeat('0', 64), case when n % 2 = 0 then 'junk' else $junk$${foreign.note}$junk$ end
           from generate_series(1, 1200) as n`,
        ),
      );
      rmSync(`${place.key}.state`);
      for (const [note, where] of [
        [older.note, "--checkpoint"],
        [null, "--never-signed"],
      ] as const) {
        expect(yield* Effect.flip(restore(place, note))).toMatchObject({
          _tag: "InvalidInput",
          where,
          what: expect.stringContaining(`over 6 entries with root ${newer.root_hash}`),
        });
      }
      expect(yield* restore(place, newer.note)).toMatchObject({ last: { tree_size: 6 } });
      expect(newer.tree_size).toBe(6);
    }),
  );

  it.effect("during a rotation loses neither key", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const { note } = yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      yield* Effect.promise(() => rotateIn(place, 4));
      expect(keysIn(place.key)).toHaveLength(2);
      const { new_vkey } = { new_vkey: keysIn(place.key)[1]! };
      writeFileSync(`${place.key}.state`, "");
      yield* restore(place, note);
      const rotated = yield* inProcess(place, rotate);
      expect(rotated).toMatchObject({ old_vkey: place.vkey, new_vkey });
      yield* expectRotated(place, place.vkey, new_vkey);
    }),
  );
});
