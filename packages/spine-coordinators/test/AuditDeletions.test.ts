/**
 * Goal: a deletion that the log records excuses just the run that it is of, and nothing hides behind it. Method: runs that
 * their owner deleted as the rules have it, and then a superuser who has other runs' entries, or rows, name the deleted one.
 */
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";
import {
  append,
  asSuperuser,
  audit,
  audited,
  deleteAsRecorded,
  eventLiteral,
  found,
  number,
  openRun,
  pastTriggers,
  type Run,
  seal,
  sealedRun,
} from "./AuditedRuns.ts";
import { databases } from "./TestDatabase.ts";

/** Steps that bring one HEAD entry. */
const HEADED = 1000;

const clear = pastTriggers(
  ...[
    "runs",
    "aos_traces",
    "aos_trace_steps",
    "aos_trace_leases",
    "aos_log_queue",
    "aos_log_entries",
  ].map((table) => `delete from ${table}`),
);

const idsOf = (runs: ReadonlyArray<Run>) => runs.map(({ trace_id }) => `'${trace_id}'`).join();

/** Takes runs away whole, and has their entries name another's trace. */
const hideBehind = (decoy: Run, runs: ReadonlyArray<Run>) =>
  pastTriggers(
    ...["aos_trace_steps", "aos_traces", "aos_trace_leases", "runs"].map(
      (table) => `delete from ${table} where trace_id in (${idsOf(runs)})`,
    ),
    `update aos_log_entries set trace_id = '${decoy.trace_id}' where trace_id in (${idsOf(runs)})`,
  );

/** Makes the records of deletions canonical again, with the hash that follows. */
const canonicalEvents = [
  `update aos_log_entries set event_record = (
     select '{' || string_agg(to_json(key)::text || ':' || case when key = 'detail' then detail else value::text end, ',' order by key) || '}'
     from jsonb_each(event_record::jsonb),
       (select '{' || string_agg(to_json(key)::text || ':' || value::text, ',' order by key) || '}' as detail
        from jsonb_each(event_record::jsonb -> 'detail')) as d)
   where event_record like '%"deletion"%'`,
  `update aos_log_entries set digest = runproof_hash('\\x00', event_record) where event_record like '%"deletion"%'`,
];

const messages = Effect.map(audit(), ({ report }) => report.findings.map(({ message }) => message));

const orphansOf = ({ trace_id }: Run) => [
  { code: "ORPHAN_ROWS" as const, trace_id, step_index: null },
  { code: "ORPHAN_LOG_ENTRY" as const, trace_id, step_index: null },
];

for (const [name, config] of databases) {
  layer(audited(config), { excludeTestServices: true, timeout: 60_000 })(
    `recorded deletions on ${name}`,
    (it) => {
      it.effect("are no findings and are counted, those that still wait for their index too", () =>
        Effect.gen(function* () {
          yield* clear;
          const planned = yield* openRun(2, undefined, "an order");
          yield* seal(planned);
          yield* number;
          yield* deleteAsRecorded(planned);
          const [two, one] = [yield* openRun(HEADED), yield* openRun(HEADED)];
          yield* append(two, HEADED);
          yield* Effect.forEach([two, one], seal);
          yield* deleteAsRecorded(two, 2);
          yield* deleteAsRecorded(yield* sealedRun(0));
          const waiting = yield* audit();
          assert.deepStrictEqual(waiting.report.findings, []);
          assert.strictEqual(waiting.report.deletions_recorded, 3);
          yield* number;
          yield* deleteAsRecorded(one, 1);
          const { report } = yield* audit();
          assert.deepStrictEqual(report.findings, []);
          assert.strictEqual(report.deletions_recorded, 4);
        }),
      );

      it.effect("of steps and trace apart, each with its EVENT, are one", () =>
        Effect.gen(function* () {
          yield* clear;
          const run = yield* sealedRun(3);
          const { sql } = yield* Database;
          const [row] = yield* sql<{ root_hash: string }>`select root_hash from aos_traces`;
          const detail = { ...row!, part: "steps" };
          yield* asSuperuser(
            `select runproof_queue_event(${eventLiteral("deletion", run.trace_id, detail)})`,
          );
          yield* deleteAsRecorded(run);
          const { report } = yield* audit();
          assert.deepStrictEqual(report.findings, []);
          assert.strictEqual(report.deletions_recorded, 1);
        }),
      );

      it.effect("excuse no other run, whose entries were made to name the deleted one", () =>
        Effect.gen(function* () {
          for (const decoy_at of ["first", "between", "last"]) {
            yield* clear;
            const runs: Array<Run> = [];
            const decoys: Array<Run> = [];
            if (decoy_at === "first") decoys.push(yield* sealedRun(1));
            runs.push(yield* sealedRun(2));
            if (decoy_at === "between") decoys.push(yield* sealedRun(1));
            runs.push(yield* sealedRun(2));
            if (decoy_at === "last") decoys.push(yield* sealedRun(1));
            const [decoy] = decoys;
            yield* number;
            yield* deleteAsRecorded(decoy!);
            yield* number;
            assert.deepStrictEqual(yield* found(), []);
            yield* hideBehind(decoy!, runs);
            assert.deepStrictEqual(yield* found(), orphansOf(decoy!), decoy_at);
            const { report } = yield* audit();
            assert.strictEqual(report.deletions_recorded, 0);
            assert.isNumber(report.findings[1]!.log_index);
          }
        }),
      );

      it.effect("excuse no other run's HEAD, before, between or after the deleted one's", () =>
        Effect.gen(function* () {
          for (const [place, heads] of [
            ["before", undefined],
            ["between", undefined],
            ["between", 1],
            ["after", undefined],
          ] as const) {
            yield* clear;
            const open = yield* openRun(1);
            if (place === "before") yield* append(open, HEADED);
            const decoy = yield* openRun(heads === undefined ? 1 : HEADED);
            if (place === "between") yield* append(open, HEADED);
            yield* seal(decoy);
            if (place === "after") yield* append(open, HEADED);
            yield* number;
            yield* deleteAsRecorded(decoy, heads);
            yield* number;
            assert.deepStrictEqual(yield* found(), []);
            yield* pastTriggers(
              `delete from aos_trace_steps where trace_id = '${open.trace_id}' and step_index > 0`,
              `update aos_trace_leases l set head_index = 0, next_index = 1,
                 link = s.link, peaks = array[sha256('\\x01'::bytea || decode(t.leaf_hash, 'hex') || decode(s.leaf_hash, 'hex'))]
               from aos_trace_steps s join aos_traces t using (trace_id) where s.trace_id = l.trace_id`,
              `update aos_log_entries set trace_id = '${decoy.trace_id}' where kind = 3 and trace_id = '${open.trace_id}'`,
            );
            assert.deepStrictEqual(yield* found(), orphansOf(decoy), place);
          }
        }),
      );

      it.effect("that count other HEAD entries than the trace has are no such records", () =>
        Effect.gen(function* () {
          for (const [steps, heads, said] of [
            [1, undefined, "1"],
            [HEADED, 1, "0"],
            [HEADED, 1, "2"],
            [HEADED, 1, "one"],
          ] as const) {
            yield* clear;
            const run = yield* sealedRun(steps);
            yield* number;
            yield* deleteAsRecorded(run, heads);
            yield* number;
            assert.deepStrictEqual(yield* found(), []);
            yield* pastTriggers(
              `update aos_log_entries e set event_record = jsonb_set(event_record::jsonb, '{detail,heads}', '"${said}"')::text
               where event_record like '%"deletion"%'`,
              ...canonicalEvents,
            );
            assert.deepStrictEqual(yield* found(), orphansOf(run));
            assert.include((yield* messages).join(), `counts other HEAD entries`);
          }
        }),
      );

      it.effect("leave the row of one run, that ended", () =>
        Effect.gen(function* () {
          yield* clear;
          const run = yield* openRun(1);
          yield* seal(run);
          yield* number;
          yield* deleteAsRecorded(run);
          yield* number;
          assert.deepStrictEqual(yield* found(), []);
          for (const root of ["null", "repeat('0', 64)"]) {
            yield* pastTriggers(
              "create table kept as select * from runs",
              `update runs set root_hash = ${root}`,
            );
            assert.deepStrictEqual(
              (yield* found()).map(({ code }) => code),
              ["ORPHAN_ROWS"],
            );
            yield* pastTriggers(
              "delete from runs",
              "insert into runs select * from kept",
              "drop table kept",
            );
          }
          const row = (status: string) =>
            `insert into runs (tenant_id, run_id, status, trace_id) values ('t', 'another', '${status}', '${run.trace_id}')`;
          yield* pastTriggers(row("succeeded"));
          assert.deepStrictEqual(
            (yield* found()).map(({ code }) => code),
            ["ORPHAN_ROWS"],
          );
          yield* pastTriggers("delete from runs", row("running"));
          assert.deepStrictEqual(
            (yield* found()).map(({ code }) => code),
            ["ORPHAN_ROWS"],
          );
        }),
      );

      it.effect("are asked for where a run says that it ended and names no trace", () =>
        Effect.gen(function* () {
          yield* clear;
          yield* pastTriggers(
            "insert into runs (tenant_id, run_id, status) values ('t', 'queued', 'queued')",
          );
          assert.deepStrictEqual(yield* found(), []);
          for (const status of ["running", "succeeded", "failed", "aborted"]) {
            yield* pastTriggers(
              "delete from runs",
              `insert into runs (tenant_id, run_id, status) values ('t', 'r', '${status}')`,
            );
            const { report } = yield* audit();
            assert.deepStrictEqual(
              report.findings.map(({ code, tenant_id, run_id }) => [code, tenant_id, run_id]),
              [["ORPHAN_ROWS", "t", "r"]],
            );
          }
          assert.include((yield* messages).join(), "names no trace that it began");
        }),
      );
    },
  );
}
