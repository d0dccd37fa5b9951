/**
 * Goal: a change of the log's key that its keys did not both sign is found, and no honest one is, wherever it was cut off.
 * Method: rotations in processes that are killed behind each durable act, audited before and after they are taken up; then
 * changes that nobody's key signed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assert, layer } from "@effect/vitest";
import { logSigner, logSignerConfig } from "@runproof/drivers/LogSigner";
import { generateSignerKey, parseSignerKey } from "@runproof/proof/NoteKey";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { Database } from "@runproof/drivers/Database";
import { KeyCoordinator } from "@runproof/spine-coordinators/ledger/KeyCoordinator";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { eventLiteral } from "./AuditedRuns.ts";
import {
  checkpoint,
  configOf,
  inProcess,
  logPlace,
  type LogPlace,
  ORIGIN,
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

/** Rotates in a process of its own, which may kill itself behind its n-th durable act; answers whether it did. */
const isKilledAt = ({ url, key }: LogPlace, nth: number) =>
  Effect.promise(async () => {
    const child = spawn(process.execPath, [PROGRAM, url, key, String(nth)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    return signal === "SIGKILL";
  });

const findings = (
  { url }: Pick<LogPlace, "url">,
  verifier_keys: ReadonlyArray<string> = [],
  checkpoints: ReadonlyArray<string> = [],
  known_claims: ReadonlyArray<number> = [],
) =>
  Effect.flatMap(AuditCoordinator, (auditor) =>
    auditor.audit({
      verifier_keys,
      known_claims,
      checkpoints: checkpoints.map((note) => ({ source: "kept", note })),
    }),
  ).pipe(
    Effect.provide(AuditLayer.layer.pipe(Layer.provide(Database.layer(configOf(url)))), {
      local: true,
    }),
    Effect.map(({ report }) =>
      report.findings.map(({ code, log_index }): [string, number | null] => [code, log_index]),
    ),
  );

const query = ({ url }: LogPlace, ...statements: ReadonlyArray<string>) =>
  Effect.promise(() => queryDatabase(url, ...statements));

/** Logs that a key was added, with the signer's rights. */
const addKey = (place: LogPlace, old_vkey: string, new_vkey: string) =>
  query(
    place,
    "set role runproof_signer",
    `select runproof_log_event(${eventLiteral("key_added", null, { new_vkey, old_vkey })})`,
    "select runproof_sequence_log(5000)",
  );

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })("a key's change", (it) => {
  it.effect(
    "is no finding, killed behind each of its durable acts and taken up again",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        const kept = [(yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint))).note];
        const known = new Set([place.vkey]);
        const look = Effect.suspend(() => {
          for (const vkey of keysIn(place.key)) known.add(vkey);
          return findings(place, [...known], kept);
        });
        for (let nth = 1; ; nth += 1) {
          const isKilled = yield* isKilledAt(place, nth);
          assert.deepStrictEqual(yield* look, [], `killed at ${nth}`);
          if (!isKilled) break;
          if (nth % 2 === 0) {
            kept.push((yield* inProcess(place, Effect.andThen(recordRuns(1), checkpoint))).note);
            assert.deepStrictEqual(yield* look, [], `killed at ${nth}, and signed since`);
          }
          yield* inProcess(place, rotate);
          assert.deepStrictEqual(yield* look, [], `taken up after ${nth}`);
        }
        assert.isAbove(known.size, 12);
      }),
    300_000,
  );

  it.effect("that was cut off before a checkpoint is none after a restore under a new name", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      // The EVENT was numbered, and no checkpoint covers it: what a backup of that moment holds.
      yield* addKey(place, place.vkey, generateSignerKey(ORIGIN).verifier.text);
      assert.deepStrictEqual(yield* findings(place), []);
      const key = join(place.folder, "restored.key");
      yield* logSigner(
        logSignerConfig({ RUNPROOF_LOG_KEY_FILE: key }, configOf(place.url)),
      ).generate({ origin: "example.com/restored", path: key });
      const restored = { ...place, key };
      yield* inProcess(restored, Effect.andThen(recordRuns(1), checkpoint));
      assert.deepStrictEqual(yield* findings(place), []);
      yield* inProcess(restored, rotate);
      assert.deepStrictEqual(yield* findings(place), []);
    }),
  );

  it.effect("that was made up is found once a checkpoint covers it, kept or given", () =>
    Effect.gen(function* () {
      const made_up = generateSignerKey(ORIGIN).verifier.text;
      const other = generateSignerKey("attacker.example/log").verifier.text;
      const place = yield* logPlace;
      yield* inProcess(place, recordRuns(1));
      yield* addKey(place, place.vkey, made_up);
      yield* addKey(place, made_up, place.vkey);
      yield* addKey(place, other, other);
      yield* addKey(place, "no key", "none");
      assert.deepStrictEqual(yield* findings(place), []);
      const { note } = yield* inProcess(place, checkpoint);
      const untrusted = [2, 3, 4, 5].map((log_index): [string, number] => [
        "KEY_UNTRUSTED",
        log_index,
      ]);
      assert.deepStrictEqual(yield* findings(place), untrusted);
      // Somebody looked into some of them: the others are found still, and what comes after is judged for itself.
      assert.deepStrictEqual(yield* findings(place, [], [], [2, 3, 4]), untrusted.slice(3));
      assert.deepStrictEqual(yield* findings(place, [place.vkey], [], [2, 3, 4, 5]), []);
      yield* inProcess(place, rotate);
      assert.deepStrictEqual(yield* findings(place, [place.vkey], [], [2, 3, 4, 5]), []);
      yield* query(
        place,
        "alter table aos_checkpoints disable trigger user",
        "delete from aos_checkpoints",
        "alter table aos_checkpoints enable always trigger s6_change",
        "alter table aos_checkpoints enable always trigger s6_truncate",
      );
      assert.deepStrictEqual(yield* findings(place), []);
      assert.deepStrictEqual(yield* findings(place, [], [note]), untrusted);
    }),
  );

  it.effect("is not believed by a later checkpoint that both keys signed", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const { old_vkey, new_vkey } = yield* inProcess(place, rotate);
      assert.deepStrictEqual(yield* findings(place), []);
      // As if the rotation's first checkpoint had been signed by the old key alone.
      const { note } = yield* inProcess(place, checkpoint);
      assert.include(note, ORIGIN);
      yield* query(
        place,
        "alter table aos_checkpoints disable trigger user",
        `update aos_checkpoints set note = regexp_replace(note, E'\\n[^\\n]*\\n$', E'\\n') where tree_size = 5`,
        "alter table aos_checkpoints enable always trigger s6_change",
        "alter table aos_checkpoints enable always trigger s6_truncate",
      );
      assert.deepStrictEqual(yield* findings(place, [old_vkey, new_vkey]), [["KEY_UNTRUSTED", 4]]);
    }),
  );
});
