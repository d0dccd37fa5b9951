/**
 * Goal: an audit says what was done, at the run where it was done, and nothing of what nobody touched; and it says what it
 * did not check. Method: honest runs, one change as a superuser, an audit. What attackers do is in AttackTest.test.ts.
 */
import { assert, describe, expect, layer } from "@effect/vitest";
import { generateSignerKey } from "@runproof/proof/NoteKey";
import type { AuditFinding } from "@runproof/schemas/AuditReport";
import * as Effect from "effect/Effect";
import {
  append,
  asSuperuser,
  audit,
  audited,
  logKey,
  number,
  leaseOf,
  openRun,
  pastTriggers,
  type Run,
  sealedRun,
  sealedRuns,
  sign,
} from "./AuditedRuns.ts";
import { databases, serverConfig } from "./TestDatabase.ts";

const codes = (findings: ReadonlyArray<AuditFinding>) => findings.map(({ code }) => code);

const findings = Effect.map(audit(), ({ report }) => report.findings);

/** Brings the database back to honest rows: what one test did is no matter for the next. */
const clear = pastTriggers(
  ...[
    "runs",
    "aos_traces",
    "aos_trace_steps",
    "aos_trace_leases",
    "aos_log_queue",
    "aos_log_entries",
    "aos_log_tiles",
    "aos_checkpoints",
  ].map((table) => `delete from ${table}`),
);

for (const [name, config] of databases) {
  layer(audited(config), { excludeTestServices: true, timeout: 60_000 })(name, (it) => {
    describe("an honest database", () => {
      it.effect("empty: there was nothing to audit, and nothing is claimed", () =>
        Effect.gen(function* () {
          yield* clear;
          const { report, resume_from } = yield* audit();
          assert.strictEqual(report.verdict, "EMPTY");
          assert.deepStrictEqual(report.checked.traces, 0);
          assert.strictEqual(resume_from, null);
          expect(report.notes.join()).toContain("No checkpoint was there to compare with");
        }),
      );

      it.effect("every kind of trace is counted once, and each level apart", () =>
        Effect.gen(function* () {
          yield* clear;
          const key = logKey();
          for (const steps of [1, 2, 7]) yield* sealedRun(steps);
          yield* sealedRun(0);
          yield* openRun(3);
          const note = yield* sign(key);
          yield* sealedRun(2);
          yield* number;
          yield* sealedRun(1);
          const { report, resume_from } = yield* audit({
            verifier_keys: [key.verifier.text],
            checkpoints: [{ source: "kept.txt", note }],
          });
          assert.deepStrictEqual(report.findings, []);
          assert.deepStrictEqual(report.traces, {
            verified: 5,
            empty: 1,
            open: 1,
            open_past_lease: 0,
            failed: 0,
          });
          assert.deepStrictEqual(report.levels, { SELF: 2, SIGNED: 3 });
          assert.deepStrictEqual(report.checked, {
            traces: 7,
            steps: 16,
            entries: 11,
            entries_pending: 2,
            tiles: 0,
          });
          expect(report.checkpoints).toMatchObject([
            { source: "kept.txt", tree_size: 9, signature: "trusted", holds: true },
            { source: "the database", tree_size: 9, signature: "trusted", holds: true },
          ]);
          assert.strictEqual(resume_from, note);
          const notes = report.notes.join("\n");
          expect(notes).toContain("1 trace is open");
          expect(notes).toContain("1 sealed trace has no steps");
          expect(notes).toContain("2 entries wait for an index");
        }),
      );

      it.effect("larger than a page, a batch and a tile: CLEAN", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRuns(140);
          yield* sealedRun(1050);
          yield* number;
          const { report } = yield* audit({ workers: 3 });
          assert.deepStrictEqual(report.findings, []);
          assert.strictEqual(report.traces.verified, 141);
          assert.strictEqual(report.checked.steps, 1190);
          assert.strictEqual(report.checked.tiles, 1);
        }),
      );

      it.effect("without a key a signature is said to be unchecked", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRun(1);
          yield* sign(logKey());
          const { report } = yield* audit();
          assert.strictEqual(report.verdict, "CLEAN");
          expect(report.checkpoints).toMatchObject([{ signature: "unchecked", holds: true }]);
          assert.deepStrictEqual(report.levels, { SELF: 1, SIGNED: 0 });
          expect(report.notes.join()).toContain("signature was not checked");
          expect(report.notes.join()).toContain("the database's own");
        }),
      );
    });

    describe("checkpoints", () => {
      it.effect("a given one that is none is bad input, and nothing is audited", () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(
            audit({ checkpoints: [{ source: "kept.txt", note: "no note" }] }),
          );
          assert.strictEqual(error._tag, "InvalidInput");
          expect(error.message).toContain("kept.txt");
          const key = yield* Effect.flip(audit({ verifier_keys: ["no key"] }));
          assert.strictEqual(key._tag, "InvalidInput");
        }),
      );

      it.effect("a stored one that can't be read, or differs from its note, is named", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRun(1);
          yield* sign(logKey());
          yield* pastTriggers("update aos_checkpoints set origin = 'another'");
          assert.deepStrictEqual(codes(yield* findings), ["COLUMN_MISMATCH"]);
          yield* pastTriggers("update aos_checkpoints set note = 'no note'");
          assert.deepStrictEqual(codes(yield* findings), ["NOT_CANONICAL"]);
        }),
      );

      it.effect("keys are demanded: no checkpoint, or one of another key, is KEY_UNTRUSTED", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRun(1);
          yield* number;
          const { text } = generateSignerKey("example.com/log").verifier;
          const none = yield* audit({ verifier_keys: [text] });
          assert.deepStrictEqual(codes(none.report.findings), ["KEY_UNTRUSTED"]);
          yield* sign(logKey());
          const other = yield* audit({ verifier_keys: [text] });
          assert.deepStrictEqual(codes(other.report.findings), ["KEY_UNTRUSTED"]);
          assert.deepStrictEqual(other.report.levels, { SELF: 1, SIGNED: 0 });
          assert.strictEqual(other.resume_from, null);
        }),
      );

      it.effect("a log cut at its end is LOG_SHRUNK, one cut and grown again LOG_FORKED", () =>
        Effect.gen(function* () {
          yield* clear;
          const key = logKey();
          const [first, second] = [yield* sealedRun(1), yield* sealedRun(1)];
          const note = yield* sign(key);
          const kept = {
            verifier_keys: [key.verifier.text],
            checkpoints: [{ source: "kept.txt", note }],
          };
          yield* pastTriggers(
            `delete from aos_trace_steps where trace_id = '${second.trace_id}'`,
            `delete from aos_traces where trace_id = '${second.trace_id}'`,
            `delete from runs where trace_id = '${second.trace_id}'`,
            `delete from aos_log_entries where trace_id = '${second.trace_id}'`,
            "delete from aos_checkpoints",
          );
          const shrunk = yield* audit(kept);
          expect(shrunk.report.findings).toMatchObject([
            { code: "LOG_SHRUNK", object: "kept.txt" },
          ]);
          yield* sealedRun(1);
          yield* number;
          const forked = yield* audit(kept);
          expect(forked.report.findings).toMatchObject([
            { code: "LOG_FORKED", object: "kept.txt" },
          ]);
          // Without the checkpoint kept elsewhere nothing of it shows, and that is said.
          const blind = yield* audit();
          assert.strictEqual(blind.report.verdict, "CLEAN");
          expect(blind.report.notes.join()).toContain(
            "rewritten or cut at its end would not be seen",
          );
          assert.strictEqual(forked.report.levels.SIGNED, 0);
          expect(first.trace_id).not.toBe(second.trace_id);
        }),
      );
    });

    describe("since a checkpoint", () => {
      it.effect("checks what is new, and says what it did not check again", () =>
        Effect.gen(function* () {
          yield* clear;
          const old = yield* sealedRun(2);
          const growing = yield* openRun(2);
          const note = yield* sign(logKey());
          const since = { source: "last.txt", note };
          const recent = yield* sealedRun(3);
          yield* append(growing, 1);
          yield* number;
          const waiting = yield* sealedRun(1);
          const { report } = yield* audit({ since });
          assert.deepStrictEqual(codes(report.findings), []);
          expect(report.since).toMatchObject({ tree_size: 3 });
          assert.strictEqual(report.checked.traces, 3);
          assert.strictEqual(report.checked.steps, 3 + 3 + 1);
          assert.strictEqual(report.checked.entries, 2);
          expect(report.notes.join()).toContain("Not checked again: the 3 entries");

          for (const run of [recent, growing, waiting]) {
            const edit = (to: string) =>
              pastTriggers(
                `update aos_trace_steps set skill_name = ${to} where trace_id = '${run.trace_id}' and step_index = 0`,
              );
            yield* edit("skill_name || 'x'");
            expect((yield* audit({ since })).report.findings).toMatchObject([
              { code: "COLUMN_MISMATCH", trace_id: run.trace_id, step_index: 0 },
            ]);
            yield* edit("rtrim(skill_name, 'x')");
          }
          // What was sealed before is the full audit's to find.
          yield* pastTriggers(
            `update aos_trace_steps set skill_name = 'x' where trace_id = '${old.trace_id}'`,
          );
          assert.deepStrictEqual(codes((yield* audit({ since })).report.findings), []);
          assert.deepStrictEqual(codes(yield* findings), ["COLUMN_MISMATCH", "COLUMN_MISMATCH"]);
        }),
      );

      it.effect(
        "goes on from the middle of a tile, and still sees the log before it rewritten",
        () =>
          Effect.gen(function* () {
            yield* clear;
            yield* sealedRuns(140);
            const since = { source: "last.txt", note: yield* sign(logKey()) };
            yield* sealedRuns(130);
            yield* number;
            const { report } = yield* audit({ since });
            assert.deepStrictEqual(codes(report.findings), []);
            assert.strictEqual(report.checked.entries, 260);
            assert.strictEqual(report.checked.tiles, 1);
            assert.strictEqual(report.checked.traces, 130);
            // The entries in the tile that was not full are read again, the full ones are in its hash.
            yield* pastTriggers(
              "update aos_log_entries set digest = encode(sha256(convert_to(digest, 'UTF8')), 'hex') where log_index = 270",
            );
            expect(codes((yield* audit({ since })).report.findings)).toContain("LOG_FORKED");
          }),
      );

      it.effect("is a full audit where the checkpoint can't be gone on from", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRun(1);
          const [one, two] = [yield* sealedRun(1), yield* sealedRun(1)];
          const key = logKey();
          const since = { source: "last.txt", note: yield* sign(key) };
          const { text } = generateSignerKey("example.com/log").verifier;
          const untrusted = yield* audit({ since, verifier_keys: [text] });
          assert.strictEqual(untrusted.report.since, null);
          assert.strictEqual(untrusted.report.checked.traces, 3);
          expect(codes(untrusted.report.findings)).toContain("KEY_UNTRUSTED");
          yield* pastTriggers(
            `delete from aos_trace_steps where trace_id in ('${one.trace_id}', '${two.trace_id}')`,
            `delete from aos_traces where trace_id in ('${one.trace_id}', '${two.trace_id}')`,
            `delete from runs where trace_id in ('${one.trace_id}', '${two.trace_id}')`,
            `delete from aos_log_entries where trace_id in ('${one.trace_id}', '${two.trace_id}')`,
            "delete from aos_checkpoints",
          );
          const shrunk = yield* audit({ since });
          assert.strictEqual(shrunk.report.since, null);
          assert.strictEqual(shrunk.report.checked.traces, 1);
          assert.deepStrictEqual(codes(shrunk.report.findings), ["LOG_SHRUNK"]);
          expect(shrunk.report.notes.join()).toContain("the log is smaller than the checkpoint");
        }),
      );
    });
  });
}

layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
  "on a real server",
  (it) => {
    describe("leases and rows without a trace", () => {
      const expired = (run: Run, ago: string) =>
        pastTriggers(
          `update aos_trace_leases set expires_at = clock_timestamp() - interval '${ago}' where trace_id = '${run.trace_id}'`,
        );

      it.effect("an open trace past its lease is named, and never VERIFIED", () =>
        Effect.gen(function* () {
          yield* clear;
          const run = yield* openRun(2);
          yield* expired(run, "61 seconds");
          const { report } = yield* audit();
          expect(report.findings).toMatchObject([
            { code: "UNSEALED_PAST_LEASE", trace_id: run.trace_id, run_id: run.run_id },
          ]);
          assert.strictEqual(report.traces.open_past_lease, 1);
          assert.strictEqual(report.traces.verified, 0);
          yield* pastTriggers(`delete from aos_trace_leases`);
          expect(yield* findings).toMatchObject([{ code: "UNSEALED_PAST_LEASE" }]);
        }),
      );

      it.effect("a lease that ended just now waits for the sweeper", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* expired(yield* openRun(2), "20 seconds");
          assert.deepStrictEqual(codes(yield* findings), []);
        }),
      );

      it.effect("a lease that a sealed trace holds, steps, leases and runs of no trace", () =>
        Effect.gen(function* () {
          yield* clear;
          const sealed = yield* sealedRun(1);
          yield* pastTriggers(
            leaseOf(`'${sealed.trace_id}'`),
            leaseOf("'gone-1'"),
            `insert into aos_trace_steps select (jsonb_populate_record(s, '{"trace_id": "gone-2"}')).* from aos_trace_steps s where trace_id = '${sealed.trace_id}'`,
            `insert into runs (tenant_id, run_id, status, trace_id) values ('t', 'r', 'running', 'gone-3')`,
          );
          const found = (yield* findings).map(({ code, trace_id }) => [code, trace_id]);
          assert.sameDeepMembers(found, [
            ["ORPHAN_ROWS", "gone-1"],
            ["ORPHAN_ROWS", "gone-2"],
            ["ORPHAN_ROWS", "gone-3"],
            ["ORPHAN_ROWS", sealed.trace_id],
          ]);
        }),
      );
    });

    describe("the log", () => {
      const twoRuns = Effect.gen(function* () {
        yield* clear;
        yield* sealedRun(1);
        yield* sealedRun(1);
        yield* number;
      });

      const changed = (...statements: ReadonlyArray<string>) =>
        Effect.andThen(
          twoRuns,
          Effect.andThen(
            pastTriggers(...statements),
            Effect.map(findings, (found) =>
              found.map(({ code, log_index, object }) => [code, log_index ?? object]),
            ),
          ),
        );

      it.effect("a kind that is none, a digest that is none, a trace that is none", () =>
        Effect.gen(function* () {
          const kinds = yield* changed("update aos_log_entries set kind = 9 where log_index = 1");
          expect(kinds).toContainEqual(["NOT_CANONICAL", 1]);
          const digests = yield* changed(
            "update aos_log_entries set digest = upper(digest) where log_index = 2",
          );
          expect(digests).toContainEqual(["NOT_CANONICAL", 2]);
          const traces = yield* changed(
            "update aos_log_entries set trace_id = null where log_index = 0",
          );
          expect(traces).toContainEqual(["ORPHAN_LOG_ENTRY", 0]);
        }),
      );

      it.effect("an entry that is missing, and where the log ends, is told", () =>
        Effect.gen(function* () {
          expect(
            yield* changed("delete from aos_log_entries where log_index in (1, 2)"),
          ).toContainEqual(["GAP", 1]);
          // A gap as wide as this one is passed in one step.
          expect(
            yield* changed(
              "update aos_log_entries set log_index = 1000000000000 where log_index = 3",
            ),
          ).toContainEqual(["GAP", 3]);
          expect(
            yield* changed("update aos_log_entries set log_index = -1 where log_index = 0"),
          ).toEqual(
            expect.arrayContaining([
              ["GAP", 0],
              ["FOREIGN_RECORD", "aos_log_entries"],
            ]),
          );
        }),
      );

      it.effect("entries that name each other's traces are each named", () =>
        Effect.gen(function* () {
          yield* twoRuns;
          yield* pastTriggers(
            "update aos_log_entries e set trace_id = (select trace_id from aos_log_entries where log_index = (e.log_index + 2) % 4)",
          );
          const found = codes(yield* findings);
          assert.deepStrictEqual([...found].sort(), [
            ...Array(4).fill("NOT_IN_LOG"),
            ...Array(4).fill("ORPHAN_LOG_ENTRY"),
          ]);
        }),
      );

      it.effect(
        "an entry that waits for its index counts, and one of a trace that is gone is named",
        () =>
          Effect.gen(function* () {
            yield* clear;
            const run = yield* sealedRun(1);
            assert.deepStrictEqual(codes(yield* findings), []);
            yield* pastTriggers(
              `delete from aos_trace_steps where trace_id = '${run.trace_id}'`,
              `delete from aos_traces where trace_id = '${run.trace_id}'`,
              `delete from runs where trace_id = '${run.trace_id}'`,
            );
            expect(yield* findings).toMatchObject([
              { code: "ORPHAN_LOG_ENTRY", trace_id: run.trace_id },
            ]);
          }),
      );

      it.effect("an event whose record is gone, is another, is none, or is of another trace", () =>
        Effect.gen(function* () {
          const record = (trace_id: string) =>
            `{"actor":"a","detail":{},"event":"key_added","occurred_at":"2026-02-10T12:43:41.549430Z","reason":"r","trace_id":${trace_id},"type":"runproof/event@v1"}`;
          const queued = [
            `select runproof_queue_event('${record("null")}')`,
            "select runproof_sequence_log(5000)",
          ];
          const event = (set: string) =>
            Effect.andThen(
              Effect.andThen(clear, asSuperuser(...queued)),
              Effect.andThen(
                pastTriggers(`update aos_log_entries set ${set}`),
                Effect.map(findings, codes),
              ),
            );
          assert.deepStrictEqual(yield* event("kind = kind"), []);
          assert.deepStrictEqual(yield* event("event_record = null"), ["CONTENT_MISMATCH"]);
          assert.deepStrictEqual(yield* event(`event_record = '${record('"x"')}'`), [
            "CONTENT_MISMATCH",
          ]);
          assert.deepStrictEqual(
            yield* event(
              `event_record = ' ' || event_record, digest = encode(sha256('\\x00'::bytea || convert_to(' ' || event_record, 'UTF8')), 'hex')`,
            ),
            ["NOT_CANONICAL"],
          );
          expect(yield* event("trace_id = 'another'")).toContain("COLUMN_MISMATCH");
        }),
      );

      it.effect("a tile that was changed, is missing, or should not be there", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* sealedRun(1);
          yield* number;
          // Entries of one's own are enough to fill tiles of two levels: events, put in behind the run's.
          yield* pastTriggers(
            `insert into aos_log_entries (log_index, kind, digest, event_record, queued_at)
              select n, 4, runproof_hash('\\x00', r), r, clock_timestamp() from (
                select n, '{"actor":"a","detail":{"n":"' || n || '"},"event":"key_retired","occurred_at":"2026-02-10T12:43:41.549430Z","reason":"r","trace_id":null,"type":"runproof/event@v1"}' as r
                from generate_series(2, 65600) n) as records`,
          );
          yield* number;
          const copied = (level: number, tile_index: number) =>
            `insert into aos_log_tiles select ${level}, ${tile_index}, hashes, root from aos_log_tiles where level = 0 and tile_index = 0`;
          yield* pastTriggers(
            "update aos_log_tiles set hashes = set_byte(hashes, 77, 255 - get_byte(hashes, 77)) where level = 0 and tile_index = 3",
            "update aos_log_tiles set root = sha256(root) where level = 1",
            "delete from aos_log_tiles where level = 0 and tile_index = 9",
            copied(0, 256),
            copied(8, 0),
          );
          const found = yield* findings;
          assert.sameMembers(
            found.map(({ code, object }) => `${code} ${object}`),
            ["0/3", "0/9", "1/0", "0/256", "8/0"].map((tile) => `TILE_MISMATCH tile ${tile}`),
          );
        }),
      );
    });
  },
);

/** What breaks the schema needs a database that no other test uses. */
const broken = (
  what: string,
  statements: ReadonlyArray<string>,
  check: (found: ReadonlyArray<AuditFinding>, run: Run) => void,
) =>
  layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
    "what can't be read is a finding",
    (it) => {
      it.effect(what, () =>
        Effect.gen(function* () {
          const run = yield* sealedRun(2);
          yield* number;
          yield* asSuperuser(...statements);
          const { report } = yield* audit();
          assert.strictEqual(report.verdict, "FINDINGS");
          check(report.findings, run);
        }),
      );
    },
  );

broken(
  "a column is gone",
  ["alter table aos_trace_steps drop column outcome_code"],
  (found, run) => {
    expect(found).toContainEqual(
      expect.objectContaining({ code: "UNREADABLE", trace_id: run.trace_id }),
    );
  },
);

broken("the traces may not be read", ["revoke select on aos_traces from runproof_app"], (found) => {
  expect(codes(found)).toEqual(expect.arrayContaining(["CATALOG_DRIFT", "UNREADABLE"]));
});

broken("the log is gone", ["alter table aos_log_entries rename to elsewhere"], (found) => {
  expect(codes(found)).toEqual(expect.arrayContaining(["CATALOG_DRIFT", "UNREADABLE"]));
});

broken(
  "one row breaks the reading of its table, and the others are read all the same",
  [
    `create function break() returns text language plpgsql immutable as $$ begin raise exception 'corrupt' using errcode = 'XX001'; end $$`,
    "alter table aos_trace_steps rename to rows_of_steps",
    `create view aos_trace_steps as select trace_id, step_index, run_id, tenant_id, parent_step_index, skill_id,
       case when step_index = 1 then break() else skill_name end as skill_name, source, status, level, outcome_category,
       outcome_code, params_commitment, outcome_data_commitment, attributes_commitment, cost_cents, duration_ms, started_at,
       retry_count, replay_behavior, idempotency_key, "timestamp", is_synthetic, synthetic_scenario_id, record, leaf_hash,
       link, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, erased_at from rows_of_steps`,
    "grant select on aos_trace_steps to runproof_app",
    "grant execute on function break() to runproof_app",
  ],
  (found, run) => {
    expect(found).toContainEqual(
      expect.objectContaining({ code: "UNREADABLE", trace_id: run.trace_id }),
    );
  },
);
