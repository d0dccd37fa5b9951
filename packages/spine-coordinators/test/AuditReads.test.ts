/**
 * Goal: no row hides from an audit, and none makes it look away from the others. Method: each in a database of its own, one
 * row that an order, an index, or an arithmetic does not take as it stands.
 */
import { expect, layer } from "@effect/vitest";
import type { Database } from "@runproof/drivers/Database";
import type { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { AuditFinding } from "@runproof/schemas/AuditReport";
import type { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as Effect from "effect/Effect";
import {
  asSuperuser,
  audit,
  audited,
  eventLiteral,
  number,
  openRun,
  pastTriggers,
  type Run,
  sealedRun,
} from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

const alone = <E>(
  what: string,
  hide: (run: Run) => Effect.Effect<unknown, E, AuditCoordinator | Database | LogsBridge>,
  check: (found: ReadonlyArray<AuditFinding>, run: Run) => void,
) =>
  layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
    "an audit reads",
    (it) => {
      it.effect(what, () =>
        Effect.gen(function* () {
          const [run] = [yield* sealedRun(2), yield* sealedRun(2)];
          yield* number;
          yield* hide(run);
          const { report } = yield* audit();
          check(report.findings, run);
        }),
      );
    },
  );

const another = ({ trace_id }: Run, over: object) =>
  `insert into aos_trace_steps
   select (jsonb_populate_record(s, '${JSON.stringify(over)}')).* from aos_trace_steps s
   where trace_id = '${trace_id}' and step_index = 0`;

const isReady = (is: boolean, index: string) =>
  `update pg_index set indisready = ${is} where indexrelid = '${index}'::regclass`;

alone(
  "steps whose id only the database takes for a trace's",
  (run) =>
    pastTriggers(
      "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
      ...["aos_traces", "aos_trace_steps"].map(
        (table) => `alter table ${table} alter column trace_id type text collate loose`,
      ),
      another(run, { trace_id: run.trace_id.toUpperCase(), step_index: 7 }),
    ),
  (found, run) => {
    expect(found).toContainEqual(
      expect.objectContaining({
        code: "FOREIGN_RECORD",
        object: "aos_trace_steps",
        trace_id: run.trace_id.toUpperCase(),
      }),
    );
  },
);

for (const [table, index] of [
  ["aos_trace_steps", "aos_trace_steps_pkey"],
  ["aos_log_entries", "aos_log_entries_pkey"],
  ["aos_log_entries", "aos_log_entries_by_trace"],
] as const) {
  alone(
    `rows that were kept out of ${index}`,
    (run) =>
      Effect.gen(function* () {
        yield* asSuperuser(isReady(false, index));
        yield* pastTriggers(
          table === "aos_trace_steps"
            ? another(run, { step_index: 7 })
            : `insert into aos_log_entries select (jsonb_populate_record(e, '{"log_index": 4}')).* from aos_log_entries e where log_index = 0`,
        );
        yield* asSuperuser(isReady(true, index));
      }),
    (found) => {
      expect(found).toContainEqual(expect.objectContaining({ code: "UNREADABLE", object: table }));
    },
  );
}

const MAX = "9223372036854775807";

alone(
  "the rest beside indexes that no log can have",
  (run) =>
    Effect.gen(function* () {
      const entry = (index: string) =>
        `insert into aos_log_entries (log_index, kind, digest, trace_id, queued_at) values (${index}, 1, repeat('0', 64), '${run.trace_id}', now())`;
      yield* pastTriggers(
        ...[MAX, `-${MAX} - 1`, "9007199254740992"].map(entry),
        `insert into aos_log_tiles values (0, ${MAX}, decode(repeat('00', 8192), 'hex'), decode(repeat('00', 32), 'hex'))`,
      );
      yield* pastTriggers(
        `update aos_trace_steps set skill_name = 'x' where trace_id <> '${run.trace_id}' and step_index = 1`,
      );
    }),
  (found, run) => {
    const strays = found.filter(({ code }) => code === "FOREIGN_RECORD");
    expect(strays.map(({ object }) => object)).toEqual(Array(3).fill("aos_log_entries"));
    expect(strays.map(({ message }) => message).join()).toContain(MAX);
    const codes = new Set(found.map(({ code }) => code));
    expect([...codes].sort()).toEqual([
      "COLUMN_MISMATCH",
      "FOREIGN_RECORD",
      "ORPHAN_LOG_ENTRY",
      "TILE_MISMATCH",
    ]);
    for (const { code, trace_id } of found) {
      if (code === "ORPHAN_LOG_ENTRY") expect(trace_id).toBe(run.trace_id);
    }
  },
);

alone(
  "events that name no trace, and erasures of what no trace can have",
  (run) =>
    Effect.gen(function* () {
      const open = yield* openRun(1);
      yield* asSuperuser(
        ...["erasure", "archival", "deletion"].map(
          (event) => `select runproof_queue_event(${eventLiteral(event, null)})`,
        ),
        // Named beside what was erased, and never there: said too much, and no harm.
        `select runproof_queue_event(${eventLiteral("erasure", run.trace_id, { payloads: "trace:attributes,step 1:attributes" })})`,
        `select runproof_queue_event(${eventLiteral("erasure", open.trace_id, { payloads: "step 1:params,step 0:record" })})`,
      );
    }),
  (found) => {
    expect(found.map(({ code }) => code)).toEqual(Array(5).fill("ORPHAN_LOG_ENTRY"));
    const said = found.map(({ message }) => message).join("\n");
    for (const what of ["an erasure", "an archival", "a deletion"]) {
      expect(said).toContain(`it records ${what}, and names no trace`);
    }
    expect(said).toContain("step 1:params was erased");
    expect(said).toContain("step 0:record was erased");
  },
);

alone(
  "what the same connections read before a column was changed",
  () =>
    Effect.andThen(
      audit(),
      pastTriggers(
        ...["aos_traces", "aos_trace_steps", "aos_log_entries"].map(
          (table) => `alter table ${table} alter column trace_id type text collate "C"`,
        ),
      ),
    ),
  (found) => {
    expect(new Set(found.map(({ code }) => code))).toEqual(new Set(["CATALOG_DRIFT"]));
  },
);
