/**
 * Goal: a lease, which no record holds, can't keep HEAD entries out of the log or a dead run open, and no honest one is
 * suspected. Method: runs of every length around a HEAD; and one row edited past its trigger.
 */
import { assert, layer } from "@effect/vitest";
import { HEAD_EVERY_STEPS, LEASE_MS_MAX } from "@runproof/drivers/EvidenceLimits";
import * as Effect from "effect/Effect";
import {
  append,
  audit,
  audited,
  found,
  number,
  openRun,
  pastTriggers,
  type Run,
  seal,
} from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

const LEASE_MS = 600_000;

const edit = ({ trace_id }: Run, set: string) =>
  pastTriggers(`update aos_trace_leases set ${set} where trace_id = '${trace_id}'`);

const said = Effect.map(audit(), ({ report }) =>
  report.findings.map(({ code, message }) => [code, message.split(" ").slice(0, 5).join(" ")]),
);

layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })("leases", (it) => {
  it.effect("of honest runs are no findings, however many steps come at once", () =>
    Effect.gen(function* () {
      for (const steps of [1, 2500]) {
        const run = yield* openRun(steps, LEASE_MS_MAX);
        assert.deepStrictEqual(yield* found(), []);
        yield* append(run, HEAD_EVERY_STEPS - 1);
        yield* number;
        assert.deepStrictEqual(yield* found(), []);
        yield* edit(run, "head_logged_at = head_logged_at - interval '2 minutes'");
        yield* append(run, 1);
        yield* append(run, HEAD_EVERY_STEPS - 1);
        assert.deepStrictEqual(yield* found(), []);
        yield* seal(run);
        yield* number;
        assert.deepStrictEqual(yield* found(), []);
      }
    }),
  );

  it.effect("that no writer left so are found by each of their columns", () =>
    Effect.gen(function* () {
      const run = yield* openRun(2);
      for (const [set, back, column] of [
        ["head_index = 3", "head_index = 0", "head_index"],
        ["head_index = 1", "head_index = 0", "head_index"],
        [
          "head_logged_at = clock_timestamp() + interval '6 minutes'",
          "head_logged_at = clock_timestamp()",
          "head_logged_at",
        ],
        [
          "expires_at = clock_timestamp() + interval '66 minutes'",
          `expires_at = clock_timestamp() + interval '${LEASE_MS} milliseconds'`,
          "expires_at",
        ],
        ["head_logged_at = 'infinity'", "head_logged_at = clock_timestamp()", "head_logged_at"],
      ] as const) {
        yield* edit(run, set);
        assert.deepStrictEqual(yield* said, [
          ["COLUMN_MISMATCH", `the lease: its column ${column}`],
        ]);
        yield* edit(run, back);
      }
      assert.deepStrictEqual(yield* found(), []);
      yield* edit(run, "expires_at = '-infinity'");
      assert.deepStrictEqual(
        (yield* found()).map(({ code }) => code),
        ["UNSEALED_PAST_LEASE"],
      );
      yield* edit(run, "expires_at = clock_timestamp() + interval '1 minute'");
      yield* seal(run);
    }),
  );

  it.effect("that keep HEAD entries out of the log are found by the steps without one", () =>
    Effect.gen(function* () {
      const run = yield* openRun(1);
      yield* edit(run, "head_index = 1000000000, head_logged_at = '2999-01-01'");
      yield* append(run, HEAD_EVERY_STEPS - 1);
      yield* number;
      // As if nothing had been edited.
      yield* edit(run, "head_index = 0, head_logged_at = clock_timestamp()");
      const unheaded = [{ code: "NOT_IN_LOG" as const, trace_id: run.trace_id, step_index: null }];
      assert.deepStrictEqual(yield* found(), unheaded);
      yield* seal(run);
      assert.deepStrictEqual(yield* found(), unheaded);
      yield* pastTriggers(
        ...["aos_trace_steps", "aos_traces", "aos_log_queue", "aos_log_entries"].map(
          (table) => `delete from ${table} where trace_id = '${run.trace_id}'`,
        ),
      );
    }),
  );
});
