/**
 * Goal: what was signed once can't be taken back in silence, and what is handed out can be checked by whoever holds the
 * key. Method: a real server whose superuser rewrites the log, restores old backups and forges, against a signer whose
 * key and state lie outside it.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { logSigner, logSignerConfig, noKeyConfigured } from "@runproof/drivers/LogSigner";
import { openCheckpoint, signCheckpoint } from "@runproof/proof/Checkpoint";
import { entryLeafHash, LogEntryKind } from "@runproof/proof/LogEntry";
import { verifyConsistency } from "@runproof/proof/MerkleTree";
import { generateSignerKey, parseVerifierKey } from "@runproof/proof/NoteKey";
import { verifyTlogProof } from "@runproof/proof/TlogProof";
import { verifyBundle } from "@runproof/proof/Verifier";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { trusting } from "@runproof/spine-coordinators/ledger/TrustedKeys";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as SqlClient from "effect/sql/SqlClient";
import { expect, inject } from "vitest";
import {
  checkpoint,
  configOf,
  inProcess,
  logPlace,
  type LogPlace,
  ORIGIN,
  recordRun,
  recordRuns,
  TENANT,
} from "./SignedLog.ts";

const log = LogCoordinator;

/** Statements of the database's superuser, past every trigger. */
const forge = (url: string, ...statements: ReadonlyArray<string>) =>
  Effect.promise(() =>
    queryDatabase(
      url,
      "set session_replication_role = replica",
      ...["aos_log_entries", "aos_log_tiles", "aos_checkpoints", "aos_log_queue"].map(
        (table) => `alter table ${table} disable trigger user`,
      ),
      ...statements,
    ),
  );

/** Copies a database as a backup would, and answers the copy's URL. */
const backup = ({ url }: LogPlace) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const source = new URL(url).pathname.slice(1);
      const copy = new URL(url);
      copy.pathname = `/${source}_backup`;
      await queryDatabase(
        inject("postgresUrl"),
        `create database ${source}_backup template ${source}`,
      );
      return copy.href;
    }),
    (copy) =>
      Effect.promise(() =>
        queryDatabase(
          inject("postgresUrl"),
          `drop database if exists ${new URL(copy).pathname.slice(1)} with (force)`,
        ),
      ),
  );

/** Holds the lock that numbering takes, as a process that is at it does; answers what lets it go. */
const holdNumbering = (url: string) =>
  Effect.gen(function* () {
    const held = yield* Deferred.make<void>();
    const released = yield* Deferred.make<void>();
    const hold = Effect.flatMap(Database, (database) =>
      asOwner(database)(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient;
          yield* sql`select pg_advisory_xact_lock(hashtextextended('runproof_log', 'aos_log_entries'::regclass::oid::bigint))`;
          yield* Deferred.succeed(held, undefined);
          yield* Deferred.await(released);
        }),
      ),
    );
    const fiber = yield* Effect.forkScoped(inProcess({ url }, hold));
    yield* Deferred.await(held);
    return Effect.andThen(Deferred.succeed(released, undefined), Fiber.join(fiber));
  });

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })("the signed log", (it) => {
  it.effect("signs all that was recorded, and proves a run's entries under that", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(
        place,
        Effect.gen(function* () {
          const run = yield* recordRun(2);
          yield* recordRuns(5);
          const signed = yield* checkpoint;
          expect(signed.tree_size).toBe(12);
          const trusted = [parseVerifierKey(place.vkey)];
          expect(openCheckpoint(signed.note, trusted)).toMatchObject({
            is_trusted: true,
            checkpoint: { origin: ORIGIN, tree_size: 12, root_hash: signed.root_hash },
          });
          const { root_hash, run_id } = run;
          const proof = yield* Effect.flatMap(log, (coordinator) =>
            coordinator.proveInclusion({ tenant_id: TENANT, run_id, entry: "sealed" }),
          );
          const leaf = entryLeafHash({ kind: LogEntryKind.SEALED, digest: root_hash });
          expect(proof).toMatchObject({ kind: LogEntryKind.SEALED, digest: root_hash });
          expect(verifyTlogProof(proof.text, leaf, trusted)).toMatchObject({
            is_included: true,
            signed_by: [{ text: place.vkey }],
          });
          const same = yield* Effect.flatMap(log, (coordinator) =>
            coordinator.proveInclusion({ index: proof.index }),
          );
          expect(same).toEqual(proof);
        }),
      );
    }),
  );

  it.effect("keeps the same checkpoint once, and a lost one again", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const again = yield* inProcess(place, checkpoint);
      const count = () =>
        Effect.promise(
          async () => (await queryDatabase(place.url, "select note from aos_checkpoints")).length,
        );
      expect(yield* count()).toBe(1);
      yield* forge(place.url, "delete from aos_checkpoints");
      expect(yield* inProcess(place, checkpoint)).toEqual(again);
      expect(yield* count()).toBe(1);
    }),
  );

  it.effect(
    "proves that trees extend each other, from a size and from a checkpoint kept elsewhere",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        yield* inProcess(
          place,
          Effect.gen(function* () {
            const { proveConsistency } = yield* log;
            yield* recordRuns(3);
            const older = yield* checkpoint;
            yield* recordRuns(150);
            const newer = yield* checkpoint;
            for (const from of [{ note: older.note }, { size: 6 }]) {
              const proof = yield* proveConsistency({ from });
              expect(proof.to).toMatchObject({ tree_size: newer.tree_size });
              const holds = verifyConsistency({
                old_size: 6,
                new_size: newer.tree_size,
                old_root: older.root_hash,
                new_root: newer.root_hash,
                path: proof.path,
              });
              expect(holds).toBe(true);
              expect(proof.text.startsWith("old 6\n")).toBe(true);
              expect(proof.text.endsWith(newer.note)).toBe(true);
            }
            expect((yield* proveConsistency({ from: { size: 0 } })).path).toEqual([]);
            expect(
              yield* proveConsistency({ from: { size: 2 }, to: { note: older.note } }),
            ).toMatchObject({ to: { tree_size: 6 } });
            expect(yield* proveConsistency({ from: { size: 2 }, to: { size: 6 } })).toMatchObject({
              to: { tree_size: 6 },
            });
            for (const [input, tag] of [
              [{ from: { note: older.note.replace("\n6\n", "\n5\n") } }, "LogForked"],
              [{ from: { note: older.note.replace("\n6\n", "\n60000\n") } }, "LogShrunk"],
              [{ from: { size: 2 }, to: { size: 7 } }, "LogEntryNotFound"],
              [{ from: { size: 7 }, to: { size: 6 } }, "InvalidInput"],
              [{ from: { note: newer.note }, to: { size: 6 } }, "InvalidInput"],
              [{ from: { note: "nothing" } }, "InvalidInput"],
              [
                { from: { note: older.note.replaceAll(ORIGIN, "example.com/other") } },
                "InvalidInput",
              ],
            ] as const) {
              expect(yield* Effect.flip(proveConsistency(input))).toMatchObject({ _tag: tag });
            }
          }),
        );
      }),
  );

  it.effect(
    "says what is not there, and never proves under a checkpoint that does not cover it",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        yield* inProcess(
          place,
          Effect.gen(function* () {
            const { proveInclusion, proveConsistency } = yield* log;
            const { run_id } = yield* recordRun();
            const entry = { tenant_id: TENANT, run_id, entry: "sealed" } as const;
            const unsigned = yield* Effect.flip(proveInclusion(entry));
            expect(unsigned).toMatchObject({
              _tag: "LogEntryNotFound",
              remedy: expect.stringContaining("runproof checkpoint"),
            });
            expect(yield* Effect.flip(proveConsistency({ from: { size: 1 } }))).toMatchObject({
              _tag: "LogEntryNotFound",
            });
            yield* checkpoint;
            yield* proveInclusion(entry);
            const later = yield* recordRun();
            expect(
              yield* Effect.flip(proveInclusion({ ...entry, run_id: later.run_id })),
            ).toMatchObject({ _tag: "LogEntryNotFound", what: expect.stringContaining("covers") });
            expect(yield* Effect.flip(proveInclusion({ index: 99 }))).toMatchObject({
              _tag: "LogEntryNotFound",
            });
            for (const other of [{ run_id: "nobody's" }, { tenant_id: "another" }]) {
              expect(yield* Effect.flip(proveInclusion({ ...entry, ...other }))).toMatchObject({
                _tag: "RunNotFound",
              });
            }
          }),
        );
      }),
  );

  it.effect(
    "catches a backup restored over a newer database: LogShrunk, and LogForked once it grew",
    () =>
      Effect.gen(function* () {
        const place = yield* logPlace;
        yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
        const scope = yield* Scope.make();
        const restored = { url: yield* Scope.provide(backup(place), scope), key: place.key };
        yield* inProcess(place, Effect.andThen(recordRuns(3), checkpoint));
        const state = readFileSync(`${place.key}.state`, "utf8");
        expect(yield* Effect.flip(inProcess(restored, checkpoint))).toMatchObject({
          _tag: "LogShrunk",
          signed_size: 14,
          size: 8,
        });
        // A proof of what is in both is refused for what is wrong: the log, and not the entry.
        const prove = inProcess(
          restored,
          Effect.flatMap(log, ({ proveInclusion }) => proveInclusion({ index: 3 })),
        );
        expect(yield* Effect.flip(prove)).toMatchObject({ _tag: "LogShrunk", signed_size: 14 });
        yield* inProcess(restored, recordRuns(6));
        const forked = { _tag: "LogForked", signed_size: 14 };
        expect(yield* Effect.flip(inProcess(restored, checkpoint))).toMatchObject(forked);
        expect(yield* Effect.flip(prove)).toMatchObject(forked);
        expect(readFileSync(`${place.key}.state`, "utf8")).toBe(state);
        expect(yield* inProcess(place, checkpoint)).toMatchObject({ tree_size: 14 });
        yield* Scope.close(scope, Exit.void);
      }),
  );

  it.effect("catches history that the superuser rewrote, hashes and all: LogForked", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const signed = yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      const forged = "ab".repeat(32);
      yield* forge(
        place.url,
        `update aos_log_entries set digest = '${forged}' where log_index = 2`,
      );
      const { tree_size, root_hash } = signed;
      for (const grown of [0, 300]) {
        const error = yield* Effect.flip(
          inProcess(place, Effect.andThen(recordRuns(grown), checkpoint)),
        );
        expect(error).toMatchObject({
          _tag: "LogForked",
          signed_size: tree_size,
          signed_root_hash: root_hash,
          said_by: "the checkpoint that this key signed last",
        });
      }
      const error = yield* Effect.flip(
        inProcess(
          place,
          Effect.flatMap(log, (coordinator) =>
            coordinator.proveConsistency({ from: { note: signed.note } }),
          ),
        ),
      );
      expect(error).toMatchObject({ _tag: "LogForked" });
    }),
  );

  it.effect("calls nothing signed that was only given: who signed it was not looked at", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      const forger = generateSignerKey(ORIGIN);
      const said_by = expect.stringContaining("--from, whose signature is not checked");
      for (const [tree_size, _tag] of [
        [4, "LogForked"],
        [99, "LogShrunk"],
      ] as const) {
        const head = { origin: ORIGIN, tree_size, root_hash: "ab".repeat(32) };
        const from = { note: signCheckpoint(head, [forger]) };
        const error = yield* Effect.flip(
          inProcess(
            place,
            Effect.flatMap(log, ({ proveConsistency }) => proveConsistency({ from })),
          ),
        );
        expect(error).toMatchObject({ _tag, said_by });
      }
    }),
  );

  it.effect("catches a removed tail, and one that was put back differently", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      yield* forge(place.url, "delete from aos_log_entries where log_index >= 6");
      expect(yield* Effect.flip(inProcess(place, checkpoint))).toMatchObject({
        _tag: "LogShrunk",
        signed_size: 8,
        size: 6,
      });
      yield* inProcess(place, recordRuns(2));
      expect(yield* Effect.flip(inProcess(place, checkpoint))).toMatchObject({ _tag: "LogForked" });
    }),
  );

  it.effect("signs with a new key only what the checkpoint that is kept allows, and says so", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      const keyOf = (origin: string) =>
        Effect.gen(function* () {
          const path = join(place.folder, `${crypto.randomUUID()}.key`);
          yield* logSigner(
            logSignerConfig({ RUNPROOF_LOG_KEY_FILE: path }, configOf(place.url)),
          ).generate({ origin, path });
          return { url: place.url, key: path };
        });
      // Another key under the log's name: nobody could tell which of the two to believe.
      const second = yield* keyOf(ORIGIN);
      expect(yield* Effect.flip(inProcess(second, checkpoint))).toMatchObject({
        _tag: "ConfigurationInvalid",
        what: expect.stringContaining("another key"),
      });
      // The key's own checkpoint is there, and its state says that it signed nothing.
      const state = `${place.key}.state`;
      const kept = readFileSync(state, "utf8");
      writeFileSync(state, JSON.stringify({ ...(JSON.parse(kept) as object), note: null }));
      expect(yield* Effect.flip(inProcess(place, checkpoint))).toMatchObject({
        _tag: "SignerStateInvalid",
      });
      writeFileSync(state, kept);
      const renamed = yield* keyOf("example.com/new");
      yield* forge(
        place.url,
        "update aos_log_entries set digest = repeat('a', 64) where log_index = 2",
      );
      expect(yield* Effect.flip(inProcess(renamed, checkpoint))).toMatchObject({
        _tag: "LogForked",
        signed_size: 8,
      });
      expect(readFileSync(`${renamed.key}.state`, "utf8")).toContain('"note": null');

      const honest = yield* logPlace;
      yield* inProcess(honest, Effect.andThen(recordRuns(1), checkpoint));
      const next = { url: honest.url, key: (yield* keyOf("example.com/next")).key };
      expect(yield* inProcess(next, checkpoint)).toMatchObject({ follows: ORIGIN, tree_size: 2 });
      expect(yield* inProcess(next, checkpoint)).toMatchObject({ follows: null });
    }),
  );

  it.effect("signs and proves nothing from tree hashes that were changed alone", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const signed = yield* inProcess(place, Effect.andThen(recordRuns(200), checkpoint));
      // The root over a full tile: what a tree's root is made of.
      const honest =
        "runproof_tree_hash((select array_agg(substr(hashes, 32 * n + 1, 32) order by n) from generate_series(0, 255) as n))";
      yield* forge(place.url, "update aos_log_tiles set root = sha256(root)");
      expect(yield* Effect.flip(inProcess(place, checkpoint))).toMatchObject({ _tag: "LogForked" });
      yield* forge(place.url, `update aos_log_tiles set root = ${honest}`);
      expect(yield* inProcess(place, checkpoint)).toEqual(signed);
      // A hash inside it: no root is made of it, and no proof that holds.
      yield* forge(
        place.url,
        "update aos_log_tiles set hashes = overlay(hashes placing sha256('') from 33)",
      );
      const proof = inProcess(
        place,
        Effect.flatMap(log, (coordinator) => coordinator.proveInclusion({ index: 0 })),
      );
      expect(yield* Effect.flip(proof)).toMatchObject({ _tag: "StoredDataUnreadable" });
    }),
  );

  it.effect("answers no proof from a kept checkpoint that was forged", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const signed = yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      // A process with the key looks at its own; this one has none.
      const prove = inProcess(
        { url: place.url },
        Effect.flatMap(log, (coordinator) => coordinator.proveInclusion({ index: 3 })),
      );
      for (const [statement, restore] of [
        [
          "update aos_checkpoints set root_hash = repeat('0', 64)",
          `update aos_checkpoints set root_hash = '${signed.root_hash}'`,
        ],
        [
          "update aos_checkpoints set note = replace(note, E'\\n8\\n', E'\\n9\\n')",
          `update aos_checkpoints set note = '${signed.note}'`,
        ],
        [
          "update aos_checkpoints set note = 'nothing'",
          `update aos_checkpoints set note = '${signed.note}'`,
        ],
        ["update aos_log_entries set digest = repeat('0', 64) where log_index = 3", "select 1"],
      ] as const) {
        yield* forge(place.url, statement);
        expect(yield* Effect.flip(prove), statement).toMatchObject({
          _tag: "StoredDataUnreadable",
        });
        yield* forge(place.url, restore);
      }
    }),
  );

  it.effect("proves under its own checkpoint, whatever another key kept in the database", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const signed = yield* inProcess(place, Effect.andThen(recordRuns(4), checkpoint));
      const { tree_size, root_hash } = signed;
      const forger = generateSignerKey(ORIGIN);
      const note = signCheckpoint({ origin: ORIGIN, tree_size, root_hash }, [forger]);
      // As the application's role may: the tree is right, and the key is another.
      yield* inProcess(
        place,
        Effect.flatMap(LedgerBridge, ({ checkpoints }) =>
          checkpoints.store({ origin: ORIGIN, tree_size, root_hash, note }),
        ).pipe(Effect.provide(LedgerBridge.layer(noKeyConfigured()))),
      );
      const proof = inProcess(
        place,
        Effect.flatMap(log, (coordinator) => coordinator.proveInclusion({ index: 3 })),
      );
      expect((yield* proof).text.endsWith(signed.note)).toBe(true);
      yield* forge(place.url, "delete from aos_checkpoints");
      expect((yield* proof).text.endsWith(signed.note)).toBe(true);
    }),
  );

  it.effect("says how many entries it could not cover while another process was numbering", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const { url } = place;
      yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
      const release = yield* holdNumbering(url);
      yield* inProcess({ url }, recordRuns(3));
      expect(yield* inProcess(place, checkpoint)).toMatchObject({ tree_size: 4, waiting: 6 });
      yield* release;
      expect(yield* inProcess(place, checkpoint)).toMatchObject({ tree_size: 10, waiting: 0 });
    }),
  );

  it.effect("records without a key, and says what signing needs", () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const { url } = place;
      yield* inProcess(
        { url },
        Effect.gen(function* () {
          const run = yield* recordRun(2);
          expect(yield* Effect.flip(checkpoint)).toMatchObject({
            _tag: "ConfigurationInvalid",
            remedy: expect.stringContaining("runproof keys generate"),
          });
          const bundles = yield* RunProofCoordinator;
          const { text, notes } = yield* bundles.getBundle(run);
          expect(JSON.parse(text)).toMatchObject({ log: null });
          expect(notes).toEqual([expect.stringContaining("no proof from the log")]);
        }),
      );
      // Entries that waited are numbered when the process ended, and signed by one that has the key.
      expect(yield* inProcess(place, checkpoint)).toMatchObject({ tree_size: 2 });
    }),
  );

  it.effect("numbers what a process queued by the time it ended", () =>
    Effect.gen(function* () {
      const { url } = yield* logPlace;
      yield* inProcess({ url }, recordRuns(3));
      const rows = yield* Effect.promise(() =>
        queryDatabase(
          url,
          "select (select count(*) from aos_log_entries)::int as numbered, (select count(*) from aos_log_queue)::int as queued",
        ),
      );
      expect(rows).toEqual([{ numbered: 6, queued: 0 }]);
    }),
  );
});

layer(Layer.empty, { excludeTestServices: true, timeout: 60_000 })(
  "a bundle with the log's proofs",
  (it) => {
    const signedRun = Effect.gen(function* () {
      const place = yield* logPlace;
      const run = yield* inProcess(place, recordRun(3));
      return { place, run };
    });

    it.effect("is SIGNED to whoever trusts the key, and FAILED under another key", () =>
      Effect.gen(function* () {
        const { place, run } = yield* signedRun;
        const other = yield* logPlace;
        const { text, notes } = yield* inProcess(
          place,
          Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(run)),
        );
        expect(notes).toEqual([]);
        expect(verifyBundle(text, { trusted_keys: [place.vkey] })).toMatchObject({
          integrity: { verification_status: "VERIFIED" },
          assurance: "SIGNED",
          findings: [],
        });
        expect(verifyBundle(text, { trusted_keys: [other.vkey] })).toMatchObject({
          integrity: { verification_status: "FAILED" },
          assurance: null,
          findings: expect.arrayContaining([expect.objectContaining({ code: "KEY_UNTRUSTED" })]),
        });
        const proof = yield* inProcess(
          place,
          Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getRunProof(run)),
        );
        // From the database alone nothing is signed: the key must come from outside.
        expect(proof).toMatchObject({ assurance: "SELF" });
      }),
    );

    it.effect("is not handed out where it would not verify", () =>
      Effect.gen(function* () {
        const { place, run } = yield* signedRun;
        // A log that answers OPENED's proof for SEALED, and SEALED's for OPENED.
        const confused = Layer.effect(
          LogCoordinator,
          Effect.map(LogCoordinator, (real) =>
            LogCoordinator.of({
              ...real,
              proveTrace: (trace) =>
                Effect.map(real.proveTrace(trace), ({ opened, sealed }) => ({
                  opened: sealed,
                  sealed: opened,
                })),
            }),
          ),
        );
        const proofs = RunProofCoordinator.layer.pipe(
          Layer.provide(Layer.merge(LogsBridge.layer, confused)),
        );
        const bundles = Effect.flatMap(RunProofCoordinator, ({ getBundle, getStepBundle }) =>
          Effect.all([
            Effect.flip(getBundle(run)),
            Effect.flip(getStepBundle({ ...run, step_index: 1 })),
          ]),
        );
        const errors = yield* inProcess(place, Effect.provide(bundles, proofs, { local: true }));
        for (const error of errors)
          expect(error).toMatchObject({
            _tag: "StoredDataUnreadable",
            what: expect.stringContaining("would not verify"),
          });
      }),
    );

    it.effect("uses the kept checkpoint where this process has no key", () =>
      Effect.gen(function* () {
        const { place, run } = yield* signedRun;
        yield* inProcess(place, checkpoint);
        const { text, notes } = yield* inProcess(
          { url: place.url },
          Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(run)),
        );
        expect(notes).toEqual([expect.stringContaining("was not checked")]);
        expect(verifyBundle(text, { trusted_keys: [place.vkey] })).toMatchObject({
          assurance: "SIGNED",
        });
      }),
    );

    it.effect(
      "is made under the newest kept checkpoint of a given key, whatever stands before it",
      () =>
        Effect.gen(function* () {
          const { place, run } = yield* signedRun;
          const signed = yield* inProcess(place, checkpoint);
          // The right tree under a signature of nobody's key, as whoever may write into the database can put it there.
          const junk = signed.note.replace(
            / \S+\n$/u,
            ` ${Buffer.alloc(68, 7).toString("base64")}\n`,
          );
          yield* Effect.promise(() =>
            queryDatabase(
              place.url,
              `insert into aos_checkpoints (origin, tree_size, root_hash, note)
             values ('${signed.origin}', ${signed.tree_size}, '${signed.root_hash}', $junk$${junk}$junk$)`,
            ),
          );
          const keyless = { url: place.url };
          const bundle = Effect.flatMap(RunProofCoordinator, ({ getBundle }) => getBundle(run));
          const exporting = (folder: string) =>
            Effect.flatMap(LogCoordinator, (log) =>
              log.exportTiles({ folder, checks: false, onProgress: () => Effect.void }),
            );
          const trusted = { trusted_keys: [place.vkey] };

          const unverified = yield* inProcess(keyless, bundle);
          expect(verifyBundle(unverified.text, trusted).integrity).toMatchObject({
            verification_status: "FAILED",
          });
          const made = yield* inProcess(keyless, trusting([place.vkey], "--vkey", bundle));
          expect(made.notes).toEqual([]);
          expect(verifyBundle(made.text, trusted)).toMatchObject({ assurance: "SIGNED" });
          const folder = join(place.folder, "of-a-key");
          yield* inProcess(keyless, trusting([place.vkey], "--vkey", exporting(folder)));
          expect(readFileSync(join(folder, "checkpoint"), "utf8")).toBe(signed.note);

          const { vkey } = yield* logPlace;
          const none = yield* inProcess(keyless, trusting([vkey], "--vkey", bundle));
          expect(none.notes).toEqual([
            expect.stringContaining("no checkpoint of the log that a given key"),
          ]);
          const refused = inProcess(keyless, trusting([vkey], "--vkey", exporting(`${folder}-2`)));
          expect(yield* Effect.flip(refused)).toMatchObject({ _tag: "LogEntryNotFound" });
          const noKey = inProcess(keyless, trusting(["no key"], "--vkey", bundle));
          expect(yield* Effect.flip(noKey)).toMatchObject({
            _tag: "InvalidInput",
            where: "--vkey",
          });
        }),
    );

    it.effect("shows one step with nothing of the others, SIGNED too", () =>
      Effect.gen(function* () {
        const { place, run } = yield* signedRun;
        const { text } = yield* inProcess(
          place,
          Effect.flatMap(RunProofCoordinator, (proofs) =>
            proofs.getStepBundle({ ...run, step_index: 1 }),
          ),
        );
        expect(text).toContain("of step 1");
        expect(text).not.toContain("of step 0");
        expect(text).not.toContain("of step 2");
        expect(verifyBundle(text, { trusted_keys: [place.vkey] })).toMatchObject({
          integrity: {
            verification_status: "VERIFIED",
            model: "MERKLE_TREE",
            root_hash: run.root_hash,
          },
          assurance: "SIGNED",
          aos_trace_steps: [expect.objectContaining({ step_index: 1 })],
        });
        const missing = yield* Effect.flip(
          inProcess(
            place,
            Effect.flatMap(RunProofCoordinator, (proofs) =>
              proofs.getStepBundle({ ...run, step_index: 3 }),
            ),
          ),
        );
        expect(missing).toMatchObject({
          _tag: "InvalidInput",
          what: expect.stringContaining("no step 3"),
        });
      }),
    );

    it.effect(
      "is refused where the log contradicts what was signed, or the run's entry was removed",
      () =>
        Effect.gen(function* () {
          const { place, run } = yield* signedRun;
          yield* inProcess(place, Effect.andThen(recordRuns(2), checkpoint));
          const bundleOf = (from: Partial<LogPlace> & Pick<LogPlace, "url">) =>
            inProcess(
              from,
              Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(run)),
            );
          yield* bundleOf(place);
          yield* forge(
            place.url,
            "update aos_log_entries set digest = repeat('0', 64) where log_index = 1",
          );
          expect(yield* Effect.flip(bundleOf(place))).toMatchObject({ _tag: "LogForked" });
          // Who has no key has signed nothing that the log could contradict.
          expect(yield* Effect.flip(bundleOf({ url: place.url }))).toMatchObject({
            _tag: "StoredDataUnreadable",
          });
          const later = yield* inProcess(place, recordRun());
          const signing = inProcess(
            place,
            Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(later)),
          );
          expect(yield* Effect.flip(signing)).toMatchObject({ _tag: "LogForked" });
        }),
    );

    it.effect("goes without the log where the signer's state is lost, and says so", () =>
      Effect.gen(function* () {
        const { place, run } = yield* signedRun;
        writeFileSync(`${place.key}.state`, "");
        const { text, notes } = yield* inProcess(
          place,
          Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(run)),
        );
        expect(JSON.parse(text)).toMatchObject({ log: null });
        expect(notes).toEqual([expect.stringContaining("state")]);
      }),
    );

    it.effect(
      "takes no checkpoint of the database's in place of one by a key that is here and can't be used",
      () =>
        Effect.gen(function* () {
          const { place, run } = yield* signedRun;
          const bundled = Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle(run));
          // The database keeps a checkpoint that covers the run.
          expect((yield* inProcess(place, bundled)).notes).toEqual([]);
          for (const [mode, what] of [
            [0o644, place.key],
            [0o600, "state"],
          ] as const) {
            chmodSync(place.key, mode);
            if (what === "state") writeFileSync(`${place.key}.state`, "");
            const { text, notes } = yield* inProcess(place, bundled);
            expect(JSON.parse(text)).toMatchObject({ log: null });
            expect(notes).toEqual([expect.stringContaining(what)]);
          }
        }),
    );
  },
);
