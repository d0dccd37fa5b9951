/**
 * Goal: a text that is longer than any the format knows is refused where it can be, and where somebody put it past all rules it
 * spoils nothing but what it stands in: the audit names that, and checks and signs all the rest.
 */
import { assert, layer } from "@effect/vitest";
import { leafHash } from "@runproof/proof/Chain";
import { createHash } from "node:crypto";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Effect from "effect/Effect";
import {
  asSuperuser,
  audit,
  audited,
  logKey,
  number,
  openRun,
  pastTriggers,
  sealedRun,
  sealedRuns,
  sign,
  stepOf,
} from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

/** More than a reader takes in one row, and than the format knows. */
const OVERSIZED = "repeat('x', 140000000)";
/** Above the format's 16 MiB by one byte. */
const TOO_LONG_BYTES = 16 * 1024 * 1024 + 1;
const NOTE_BYTES_MAX = 65_536;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

layer(audited(serverConfig), { excludeTestServices: true, timeout: 120_000 })(
  "a text that is too long",
  (it) => {
    it.effect("is refused as a payload, with what was sent beside it", () =>
      Effect.gen(function* () {
        const { sink } = yield* LogsBridge;
        const { trace_id } = yield* openRun(1);
        const step = stepOf(trace_id, 1);
        // Committed to as it is: nothing but its length is wrong.
        const text = `"${"a".repeat(TOO_LONG_BYTES - 2)}"`;
        const { salt } = step.payloads.params!;
        const commitment = `sha256:${sha256(`["${salt}","params",${text}]`)}`;
        const record = step.record.replace(step.payloads.params!.commitment, commitment);
        const longer = {
          ...step,
          record,
          leaf_hash: leafHash(record),
          payloads: { ...step.payloads, params: { salt, text, commitment } },
        };
        const append = { trace_id, holder: "test", step_index: 1, patience_ms: 10_000 };
        const error = yield* Effect.flip(sink.append({ ...append, step: longer }));
        assert.strictEqual(error._tag, "InvalidInput");
        yield* sink.append({ ...append, step });
      }),
    );

    it.effect("is refused as a checkpoint's note and as an event of a key", () =>
      Effect.gen(function* () {
        const head = `example.com/log\n0\n${"A".repeat(43)}=\n`;
        const note = `${head}${"n".repeat(NOTE_BYTES_MAX - head.length + 1)}`;
        for (const call of [
          `runproof_store_checkpoint('example.com/log', 0, repeat('0', 64), '${note}')`,
          `runproof_log_event('${JSON.stringify({ actor: "a".repeat(NOTE_BYTES_MAX) })}')`,
        ]) {
          const statements = ["set local role runproof_signer", `select ${call}`];
          const error = yield* Effect.flip(asSuperuser(...statements));
          assert.match(String(error.reason.cause), /where 65536 are the most/u);
        }
      }),
    );

    it.effect("that was put past all rules spoils neither the audit nor the next checkpoint", () =>
      Effect.gen(function* () {
        const key = logKey();
        yield* sealedRuns(5);
        const spoilt = yield* sealedRun(3);
        const renamed = yield* sealedRun(1);
        yield* sign(key);
        yield* pastTriggers(
          `update aos_trace_steps set params = ${OVERSIZED} where trace_id = '${spoilt.trace_id}' and step_index = 1`,
          `update aos_trace_steps set skill_name = ${OVERSIZED} where trace_id = '${renamed.trace_id}'`,
          `insert into aos_checkpoints (origin, tree_size, root_hash, note) select origin, tree_size, root_hash, ${OVERSIZED} from aos_checkpoints limit 1`,
          `update aos_log_entries set event_record = ${OVERSIZED} where log_index = 0`,
        );
        yield* number;
        const { report } = yield* audit({ verifier_keys: [key.verifier.text] });
        const codes = report.findings.map(({ code, trace_id, step_index }) => ({
          code,
          trace_id,
          step_index,
        }));
        assert.deepInclude(codes, {
          code: "PAYLOAD_MISMATCH",
          trace_id: spoilt.trace_id,
          step_index: 1,
        });
        assert.deepInclude(codes, {
          code: "COLUMN_MISMATCH",
          trace_id: renamed.trace_id,
          step_index: 0,
        });
        assert.isAtLeast(report.traces.verified, 5);
        const { log } = yield* LedgerBridge;
        assert.isAbove((yield* log.size).size, 0);
        yield* sealedRun(1);
        yield* sign(key);
      }),
    );
  },
);
