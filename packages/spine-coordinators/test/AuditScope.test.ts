import { assert, layer } from "@effect/vitest";
import { parseCheckpoint, signCheckpoint } from "@runproof/proof/Checkpoint";
import * as Effect from "effect/Effect";
import {
  append,
  audit,
  audited,
  deleteAsRecorded,
  found,
  logKey,
  leaseOf,
  openRun,
  pastTriggers,
  seal,
  sealedRun,
  sealedRuns,
  sign,
} from "./AuditedRuns.ts";
import { databases } from "./TestDatabase.ts";

const literal = (text: string) => `'${text}'`;

/** Takes a run away with its entries that wait, so that the next test meets none of it. */
const forget = (trace_id: string) =>
  pastTriggers(
    ...["aos_trace_steps", "aos_traces", "aos_log_queue", "runs"].map(
      (table) => `delete from ${table} where trace_id = ${literal(trace_id)}`,
    ),
  );

for (const [name, config] of databases) {
  layer(audited(config), { excludeTestServices: true, timeout: 60_000 })(
    `an audit's scope on ${name}`,
    (it) => {
      it.effect("demands a checkpoint of a given key from an empty database too", () =>
        Effect.gen(function* () {
          const [first] = yield* found({ verifier_keys: [logKey().verifier.text] });
          assert.strictEqual(first?.code, "KEY_UNTRUSTED");
        }),
      );

      it.effect("finds a run without a log entry though it asks for what is new only", () =>
        Effect.gen(function* () {
          yield* sealedRun(2);
          const key = logKey();
          const note = yield* sign(key);
          const since = { source: "file", note };
          assert.deepStrictEqual(yield* found({ since }), []);
          const { trace_id } = yield* sealedRun(3);
          yield* pastTriggers(`delete from aos_log_queue where trace_id = ${literal(trace_id)}`);
          assert.deepStrictEqual(yield* found({ since }), [
            { code: "NOT_IN_LOG", trace_id, step_index: null },
            { code: "NOT_IN_LOG", trace_id, step_index: null },
          ]);
          yield* forget(trace_id);
        }),
      );

      it.effect(
        "compares checkpoints that are older than the one to go on from, wherever a tile ends",
        () =>
          Effect.gen(function* () {
            const key = logKey();
            const older: Array<{ source: string; note: string }> = [];
            for (const runs of [1, 99, 28, 72, 56]) {
              yield* sealedRuns(runs);
              older.push({ source: `older ${runs}`, note: yield* sign(key) });
            }
            yield* sealedRuns(244);
            const since = { source: "last", note: yield* sign(key) };
            yield* pastTriggers("delete from aos_checkpoints where tree_size > 300");
            yield* sealedRuns(2);
            const options = { since, checkpoints: older, verifier_keys: [key.verifier.text] };
            const { report } = yield* audit(options);
            assert.deepStrictEqual(report.findings, []);
            assert.isTrue(report.checkpoints.every(({ holds }) => holds));
            assert.isNotNull(report.since);

            // Hashes below the walk, of which the older trees are made.
            const tile = (level: number, tile_index: number, set: string) =>
              `update aos_log_tiles set ${set} where level = ${level} and tile_index = ${tile_index}`;
            const first = "hashes = set_byte(hashes, 77, 255 - get_byte(hashes, 77))";
            yield* pastTriggers(tile(0, 0, first));
            const altered = yield* found({ ...options, checkpoints: [older[1]!] });
            assert.include(
              altered.map(({ code }) => code),
              "LOG_FORKED",
            );
            yield* pastTriggers(tile(0, 0, first));
            assert.deepStrictEqual(yield* found(options), []);

            // One of another log is found, though the log extends the one to go on from.
            const { tree_size, ...other } = parseCheckpoint(older[2]!.note);
            const head = { ...other, tree_size: tree_size - 1 };
            const note = signCheckpoint(head, [key]);
            const forked = yield* found({ ...options, checkpoints: [{ source: "other", note }] });
            assert.deepStrictEqual(
              forked.map(({ code }) => code),
              ["LOG_FORKED"],
            );
          }),
      );

      it.effect("finds a seal without a log entry on a run that was audited while open", () =>
        Effect.gen(function* () {
          const run = yield* openRun(1);
          const note = yield* sign(logKey());
          const since = { source: "file", note };
          yield* append(run, 1);
          assert.deepStrictEqual((yield* audit({ since })).report.findings, []);
          yield* seal(run);
          yield* pastTriggers(
            `delete from aos_log_queue where trace_id = ${literal(run.trace_id)} and kind = 2`,
          );
          assert.deepStrictEqual(yield* found({ since }), [
            { code: "NOT_IN_LOG", trace_id: run.trace_id, step_index: null },
          ]);
          yield* pastTriggers(
            `insert into aos_log_queue (kind, digest, trace_id, queued_at)
               select 2, t.root_hash, t.trace_id, r.completed_at from aos_traces t join runs r using (trace_id) where trace_id = ${literal(run.trace_id)}`,
          );
        }),
      );

      it.effect("finds a run's row that was rewritten beside its trace, whatever of it", () =>
        Effect.gen(function* () {
          const run = yield* sealedRun(1);
          assert.deepStrictEqual(yield* found(), []);
          const at = `where run_id = ${literal(run.run_id)}`;
          const messages = Effect.map(audit(), ({ report }) =>
            report.findings.map(({ code, trace_id, message }) => [code, trace_id, message]),
          );
          const fault = (what: string) => [["COLUMN_MISMATCH", run.trace_id, `the run: ${what}`]];
          yield* pastTriggers(`update runs set status = 'failed' ${at}`);
          assert.deepStrictEqual(
            yield* messages,
            fault("its column status differs from its trace"),
          );
          yield* pastTriggers(`update runs set status = 'queued', trace_id = null ${at}`);
          assert.sameDeepMembers(yield* messages, [
            ...fault("its column trace_id differs from its trace"),
            ...fault("its column status differs from its trace"),
          ]);
          yield* pastTriggers(
            `update runs set status = 'succeeded', trace_id = ${literal(run.trace_id)} ${at}`,
          );
          assert.deepStrictEqual(yield* messages, []);
          for (const [change, what] of [
            ["created_at = 'infinity'", "created_at differs from its start"],
            ["created_at = '0044-03-15 BC'", "created_at differs from its start"],
            ["created_at = started_at + interval '1 us'", "created_at differs from its start"],
            [
              "started_at = started_at + interval '1 us'",
              "started_at differs from its entries in the log",
            ],
            ["completed_at = null", "completed_at differs from its entries in the log"],
            ["root_hash = 'x'", "root_hash differs from its trace, which is there"],
            ["deleted_at = now()", "deleted_at differs from its trace, which is there"],
          ]) {
            yield* pastTriggers(
              "create table kept as select * from runs",
              `update runs set ${change} ${at}`,
            );
            assert.deepStrictEqual(yield* messages, fault(`its column ${what}`));
            yield* pastTriggers(
              "delete from runs",
              "insert into runs select * from kept",
              "drop table kept",
            );
          }
          yield* pastTriggers(
            `create table kept as select * from runs ${at}`,
            `delete from runs ${at}`,
          );
          assert.deepStrictEqual(
            yield* messages,
            fault("its row is gone, which was made with its trace"),
          );
          yield* pastTriggers("insert into runs select * from kept", "drop table kept");
          assert.deepStrictEqual(yield* found(), []);
        }),
      );

      it.effect("finds a run's row that names another run's trace", () =>
        Effect.gen(function* () {
          const run = yield* sealedRun(1);
          const other = yield* sealedRun(1);
          const naming = (trace_id: string) =>
            pastTriggers(
              `update runs set trace_id = ${literal(trace_id)} where run_id = ${literal(run.run_id)}`,
            );
          yield* naming(other.trace_id);
          assert.sameDeepMembers(
            (yield* found()).map(({ code, trace_id }) => [code, trace_id]),
            [
              ["ORPHAN_ROWS", other.trace_id],
              ["COLUMN_MISMATCH", run.trace_id],
            ],
          );
          yield* naming(run.trace_id);
        }),
      );

      it.effect("counts every row without a trace, those that are not listed too", () =>
        Effect.gen(function* () {
          const orphans = 1500;
          yield* pastTriggers(leaseOf("'orphan-' || n", `from generate_series(1, ${orphans}) n`));
          const { report } = yield* audit();
          assert.strictEqual(report.findings_by_code["ORPHAN_ROWS"], orphans);
          assert.strictEqual(report.findings.length + report.findings_omitted, orphans);
          yield* pastTriggers("delete from aos_trace_leases where trace_id like 'orphan-%'");
        }),
      );

      it.effect("finds a run that is gone, though it was open or sealed before what is new", () =>
        Effect.gen(function* () {
          const [open, sealed, deleted] = [
            yield* openRun(2),
            yield* sealedRun(2),
            yield* sealedRun(2),
          ];
          const since = { source: "file", note: yield* sign(logKey()) };
          yield* deleteAsRecorded(deleted);
          const { report } = yield* audit({ since });
          assert.deepStrictEqual(report.findings, []);
          assert.strictEqual(report.deletions_recorded, 1);
          for (const { trace_id } of [open, sealed]) {
            yield* pastTriggers(
              ...["aos_trace_steps", "aos_traces", "aos_trace_leases", "runs"].map(
                (table) => `delete from ${table} where trace_id = ${literal(trace_id)}`,
              ),
            );
          }
          const gone = yield* found({ since });
          assert.sameDeepMembers(
            gone.map(({ code, trace_id }) => [code, trace_id]),
            [open, sealed].map(({ trace_id }) => ["ORPHAN_LOG_ENTRY", trace_id]),
          );
        }),
      );
    },
  );
}
