import { assert, layer } from "@effect/vitest";
import * as Effect from "effect/Effect";
import {
  append,
  audit,
  audited,
  found,
  logKey,
  openRun,
  pastTriggers,
  seal,
  sealedRun,
  sign,
} from "./AuditedRuns.ts";
import { databases } from "./TestDatabase.ts";

const literal = (text: string) => `'${text}'`;

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
          yield* pastTriggers(
            `delete from aos_trace_steps where trace_id = ${literal(trace_id)}`,
            `delete from aos_traces where trace_id = ${literal(trace_id)}`,
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
        }),
      );
    },
  );
}
