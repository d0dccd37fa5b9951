/**
 * "S6" as each who may try: the application's role, which may not write at all; the tables' owner, who is no superuser; and a
 * superuser, whose triggers are on. Refusals are compared by SQLSTATE, so that none passes by a typing error in a statement.
 */
import { randomUUID } from "node:crypto";
import { expect, layer, type Vitest } from "@effect/vitest";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { leafHash } from "@runproof/proof/Chain";
import { prepareSeal, sealRecordText } from "@runproof/proof/SealRecord";
import type { StepInput } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { inject } from "vitest";
import {
  asApplication,
  asSigner,
  asSuperuser,
  emptyDatabase,
  literal,
  onEachDatabase,
  refusalOf,
  urlWith,
} from "./Databases.ts";
import {
  freshIdentity,
  HOLDER,
  type Identity,
  openRun,
  read,
  record,
  seal,
  sealedRun,
  sealInput,
  start,
  traceInput,
  verify,
} from "./Evidence.ts";
import { HEAD_EVERY_STEPS } from "@runproof/drivers/EvidenceLimits";
import { bare, bareStep, insertLease, insertStep, moveHead, type StepByHand } from "./ByHand.ts";
import { serverConfig, storesOn, traces } from "./Stores.ts";

const WOULD_CHANGE = "S6001";
const SEALED = "S6002";
const NOT_NEXT = "S6003";
const NOT_A_RECORD = "S6006";
const LEASE_LOST = "S6005";
const UNIQUE = "23505";
const NOT_NULL = "23502";
const PERMISSION_DENIED = "42501";
const WRONG_ISOLATION = "25000";

const VIOLATION = /^S6_IMMUTABILITY_VIOLATION: /u;

/** The tables whose rows never change in place. */
const TABLES = [
  "aos_traces",
  "aos_trace_steps",
  "runs",
  "aos_log_queue",
  "aos_log_entries",
  "aos_log_tiles",
  "aos_checkpoints",
];

/** Another value for a column, by its type; `default` is all that an identity column may be set to. */
const otherValue = (column: string, type: string, isIdentity: boolean): string => {
  if (isIdentity) return "default";
  switch (type) {
    case "text":
      return `coalesce(${column}, '') || 'x'`;
    case "ARRAY":
      return `array_append(${column}, null)`;
    case "boolean":
      return `not ${column}`;
    case "bytea":
      return `sha256(${column})`;
    case "timestamp with time zone":
      return `coalesce(${column} + interval '1 second', now())`;
    default:
      return `coalesce(${column}, 0) + 1`;
  }
};

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
  readonly is_identity: string;
}

const columnsOf = (tables: ReadonlyArray<string>) =>
  Effect.map(
    asApplication(`select table_name::text, column_name::text, data_type::text, is_identity::text
      from information_schema.columns
      where table_schema = current_schema() and table_name in (${tables.map(literal).join(", ")})
      order by table_name, ordinal_position`),
    (rows) => rows as unknown as ReadonlyArray<Column>,
  );

/** Statements that change each column of each row there is. */
const updates = (columns: ReadonlyArray<Column>) =>
  columns.map(({ table_name, column_name, data_type, is_identity }) => {
    const column = `"${column_name}"`;
    return `update ${table_name} set ${column} = ${otherValue(column, data_type, is_identity === "YES")}`;
  });

/** An event record of a trace. */
const event = (trace_id: string, kind: string, detail: Record<string, string> = {}) =>
  canonicalize({
    type: "runproof/event@v1",
    event: kind,
    trace_id,
    occurred_at: "2026-02-11T00:00:00.000000Z",
    actor: "test",
    reason: "test",
    detail,
  });

const queueEvent = (trace_id: string, kind: string, detail?: Record<string, string>) =>
  `select runproof_queue_event(${literal(event(trace_id, kind, detail))})`;

/** A row in each table. Tiles hold 256 entries, so one is put where none ever comes. */
const oneRowEach = Effect.gen(function* () {
  const run = yield* sealedRun(2);
  yield* asApplication("select runproof_sequence_log(5000)");
  yield* asSigner(
    "select runproof_store_checkpoint('o', 1, repeat('00', 32), concat_ws(chr(10), 'o', 1, encode(decode(repeat('00', 32), 'hex'), 'base64'), ''))",
  );
  yield* asSuperuser(
    "insert into aos_log_tiles (level, tile_index, hashes, root) values (7, 0, decode(repeat('00', 8192), 'hex'), '\\x00') on conflict do nothing",
  );
  yield* openRun(1);
  return run;
});

type Run = (...statements: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, Database>;

const refused = (run: Run, ...statements: ReadonlyArray<string>) =>
  Effect.map(refusalOf(run(...statements)), (refusal) => ({
    statement: statements.at(-1),
    refusal,
  }));

/** What holds for the owner of the tables and for superusers. */
const ownersSuite = (it: Vitest.MethodsNonLive<Database>, run: Run) => {
  it.effect("completes a trace: what is allowed is allowed", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(2);
      const sealed = yield* seal(identity.trace_id);
      expect(sealed.step_count).toBe(2);
      expect((yield* verify(identity)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("refuses an UPDATE of every column of every table", () =>
    Effect.gen(function* () {
      yield* oneRowEach;
      const columns = yield* columnsOf(TABLES);
      expect(new Set(columns.map((column) => column.table_name))).toEqual(new Set(TABLES));
      for (const statement of updates(columns)) {
        const result = yield* refused(run, statement);
        // On open traces a new seal is read as one, and is none.
        const wanted = statement.includes('"seal_record"')
          ? expect.stringMatching(/^(S6001|S6006|22P02)$/u)
          : WOULD_CHANGE;
        expect(result, statement).toMatchObject({ refusal: { code: wanted } });
        if (wanted === WOULD_CHANGE) expect(result.refusal!.message).toMatch(VIOLATION);
      }
    }),
  );

  it.effect("refuses an UPDATE that sets a column to null, and one that changes nothing", () =>
    Effect.gen(function* () {
      yield* oneRowEach;
      const columns = yield* columnsOf(TABLES);
      for (const { table_name, column_name, is_identity } of columns) {
        const column = `"${column_name}"`;
        const filled = `${table_name} where ${column} is not null`;
        const [row] = yield* asApplication(`select 1 from ${filled} limit 1`);
        if (row === undefined || is_identity === "YES") continue;
        for (const value of ["null", column])
          expect(
            yield* refused(
              run,
              `update ${filled.replace(" where", ` set ${column} = ${value} where`)}`,
            ),
          ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      }
    }),
  );

  it.effect("refuses DELETE and TRUNCATE of every table", () =>
    Effect.gen(function* () {
      yield* oneRowEach;
      for (const table of TABLES)
        for (const statement of [
          `delete from ${table}`,
          `truncate ${table}`,
          `truncate ${table} cascade`,
        ])
          expect(yield* refused(run, statement)).toMatchObject({
            refusal: { code: WOULD_CHANGE, message: expect.stringMatching(VIOLATION) },
          });
      // Leases come and go, but not all at once.
      expect(yield* refused(run, "truncate aos_trace_leases")).toMatchObject({
        refusal: { code: WOULD_CHANGE },
      });
    }),
  );

  it.effect("refuses what a trigger that is not ALWAYS lets through", () =>
    Effect.gen(function* () {
      yield* oneRowEach;
      if ((yield* refusalOf(run("set local session_replication_role = replica"))) !== null) return;
      for (const table of TABLES)
        for (const statement of [`delete from ${table}`, `truncate ${table}`])
          expect(
            yield* refused(run, "set local session_replication_role = replica", statement),
          ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
    }),
  );

  it.effect("refuses a second completion", () =>
    Effect.gen(function* () {
      const identity = yield* sealedRun(1);
      const { seal: stored } = yield* read(identity);
      const other = sealRecordText(
        prepareSeal(sealInput(identity.trace_id, { status: "failed" })),
        JSON.parse(stored!.record),
      );
      expect(
        yield* refused(
          run,
          `update aos_traces set seal_record = ${literal(other)}, metadata = null, metadata_salt = null where trace_id = ${literal(identity.trace_id)}`,
        ),
      ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      expect(
        yield* refused(
          run,
          `update aos_traces set seal_record = null where trace_id = ${literal(identity.trace_id)}`,
        ),
      ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
    }),
  );

  it.effect("refuses a seal with another count, head or root, of another trace, or of no end", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(2);
      const facts = yield* Effect.map(sealedRun(2), ({ sealed }) => sealed);
      const [mine] = yield* asSuperuser(
        `select link as chain_head, runproof_peaks_root(peaks) as merkle_root, 2 as step_count
         from aos_trace_leases where trace_id = ${literal(identity.trace_id)}`,
      );
      const right = mine as unknown as Parameters<typeof sealRecordText>[1];
      const prepared = prepareSeal(sealInput(identity.trace_id, { metadata: undefined }));
      const text = sealRecordText(prepared, right);
      const forgeries: ReadonlyArray<readonly [string, string]> = [
        [sealRecordText(prepared, { ...right, step_count: 1 }), NOT_NEXT],
        [sealRecordText(prepared, { ...right, step_count: 3 }), NOT_NEXT],
        [sealRecordText(prepared, { ...right, chain_head: facts.chain_head }), NOT_NEXT],
        [sealRecordText(prepared, { ...right, merkle_root: facts.merkle_root }), NOT_NEXT],
        [text.replaceAll(identity.trace_id, "another trace"), NOT_A_RECORD],
        [text.replace('"completed"', '"running"'), NOT_A_RECORD],
        [text.replace('"completed"', "null"), NOT_A_RECORD],
        [text.replace(',"status"', ', "status"'), NOT_A_RECORD],
        [text.replace('"step_count":2', '"step_count":2,"step_count":2'), NOT_A_RECORD],
        [text.replace('"step_count":2,', ""), NOT_A_RECORD],
        [text.replace('"all steps', '"\\u0061ll steps'), NOT_A_RECORD],
        [text.replace('"step_count":2', '"step_count":2.0'), "22P02"],
        [
          text.replace('"completed"', '"aborted"').replace('"all steps succeeded"', "null"),
          NOT_A_RECORD,
        ],
      ];
      const sealing = (seal_record: string) =>
        `update aos_traces set seal_record = ${literal(seal_record)} where trace_id = ${literal(identity.trace_id)}`;
      for (const [forged, code] of forgeries) {
        expect(forged).not.toBe(text);
        expect(yield* refused(run, sealing(forged))).toMatchObject({ refusal: { code } });
      }
      // Nothing else may come with the seal.
      expect(
        yield* refused(
          run,
          sealing(text).replace(" where", ", plan = null, plan_salt = null where"),
        ),
      ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      expect(yield* refused(run, sealing(text))).toMatchObject({ refusal: null });
      expect((yield* verify(identity)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("refuses a step put in by hand that is not the next one", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(2);
      const closed = yield* sealedRun(2);
      const { trace_id } = identity;
      const last = (yield* read(identity)).steps[1]!.link;
      const next: StepByHand = { record: bareStep(trace_id, { step_index: 2 }), previous: last };
      const at = (step_index: number, id = trace_id) => ({
        ...next,
        record: bareStep(id, { step_index }),
      });
      const said = (record: string) => ({ ...next, record });
      const column = (name: string, value: string) => ({ ...next, columns: { [name]: value } });
      const edited = (a: string, b: string) => said(next.record.replace(a, b));
      const attempts: ReadonlyArray<readonly [StepByHand, string]> = [
        [at(1), UNIQUE],
        [at(3), NOT_NEXT],
        [edited('"step_index":2', '"step_index":-1'), NOT_NEXT],
        [edited('"step_index":2', '"step_index":null'), NOT_NULL],
        [{ ...next, previous: "0".repeat(64) }, NOT_NEXT],
        [column("link", literal("0".repeat(64))), NOT_NEXT],
        [column("leaf_hash", literal(leafHash("x"))), NOT_NEXT],
        [column("run_id", "'another'"), WOULD_CHANGE],
        [column("tenant_id", "'another'"), WOULD_CHANGE],
        [column("params", "'1'"), NOT_A_RECORD],
        [column("skill_id", "'another'"), NOT_A_RECORD],
        [column("level", "'ERROR'"), NOT_A_RECORD],
        [at(2, closed.trace_id), SEALED],
        [at(0, "no such trace"), "S6004"],
        [edited("{", "{ "), NOT_A_RECORD],
        [edited('"type"', '"x":1,"type"'), NOT_A_RECORD],
        [edited("runproof/step@v1", "runproof/trace@v1"), NOT_A_RECORD],
      ];
      for (const [step, code] of attempts)
        expect(
          yield* refused(run, moveHead(step, trace_id), insertStep(step)),
          JSON.stringify(step),
        ).toMatchObject({ refusal: { code } });
      // The head in the lease must have moved on to just this step.
      const wrongHead = moveHead({ ...next, previous: "0".repeat(64) }, trace_id);
      for (const move of ["select 1", wrongHead])
        expect(yield* refused(run, move, insertStep(next))).toMatchObject({
          refusal: { code: NOT_NEXT },
        });
      // No lease is put beside a sealed trace.
      expect(yield* refused(run, insertLease(closed.trace_id))).toMatchObject({
        refusal: { code: WOULD_CHANGE },
      });
      expect(yield* refusalOf(run(moveHead(next, trace_id), insertStep(next)))).toBeNull();
      yield* seal(trace_id);
      expect(yield* verify(identity)).toMatchObject({
        verification_status: "VERIFIED",
        findings: [],
      });
      expect((yield* verify(closed)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("refuses a step that the verifier would refuse", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(0);
      const { trace_id } = identity;
      const { link: previous } = (yield* read(identity)).trace;
      const text = bareStep(trace_id, { cost_cents: 12.5 });
      const edits: ReadonlyArray<readonly [string, string]> = [
        ['"http_call"', '"\\u0068ttp_call"'],
        ['"cost_cents":12.5', '"cost_cents":12.50'],
        ['"cost_cents":12.5', '"cost_cents":1.25e1'],
        ['"cost_cents":12.5', '"cost_cents":-1'],
        ['"cost_cents":12.5', '"cost_cents":9007199254740992'],
        ['"duration_ms":12.5', '"duration_ms":1e-07'],
        ['"level":"INFO"', '"level":"WARN"'],
        ['"status":"success"', '"status":"done"'],
        ['"source":"engine"', '"source":"user"'],
        ['"replay_behavior":"execute"', '"replay_behavior":"maybe"'],
        ['"retry_count":1', '"retry_count":-1'],
        ['"parent_step_index":null', '"parent_step_index":0'],
        ['"timestamp":"2026-02-10T12:43:42.100002Z"', '"timestamp":"2026-02-10T12:43:42.1Z"'],
        [
          '"timestamp":"2026-02-10T12:43:42.100002Z"',
          '"timestamp":"2026-02-10T13:43:42.100002+01"',
        ],
        ['"attributes":null', `"attributes":"sha256:${"0".repeat(64)}"`],
        ['"intent_index":null', '"intent_index":0'],
      ];
      for (const [written, other] of edits) {
        const record = text.replace(written, other);
        expect(record).not.toBe(text);
        const step = { record, previous };
        expect(yield* refused(run, moveHead(step, trace_id), insertStep(step))).toMatchObject({
          refusal: { code: NOT_A_RECORD },
        });
      }
      for (const number of [
        "0",
        "1e-7",
        "0.000001",
        "0.1",
        "123456789012345.6",
        "9007199254740991",
      ]) {
        const record = text.replace('"cost_cents":12.5', `"cost_cents":${number}`);
        const step = { record, previous };
        const taken = refused(run, moveHead(step, trace_id), insertStep(step), "select 1/0");
        // Division by zero: it was taken, and is taken back.
        expect(yield* taken, number).toMatchObject({ refusal: { code: "22012" } });
      }
    }),
  );

  it.effect("refuses an intent or outcome that the format refuses", () =>
    Effect.gen(function* () {
      const INTENT = {
        status: "intended",
        outcome_category: "PENDING",
        outcome_code: null,
        outcome_data: undefined,
        cost_cents: null,
        duration_ms: null,
      } as const;
      const outcome = (intent_index: number | null, over: Partial<StepInput> = {}) => ({
        intent_index,
        params: undefined,
        ...over,
      });
      const gated = { capture: "gated" } as const;
      const identity = freshIdentity();
      const { trace_id } = identity;
      yield* start(identity, gated);
      yield* record(trace_id, { ...gated, ...INTENT });
      yield* record(trace_id, { ...gated, ...outcome(0) });
      yield* record(trace_id, { ...gated, ...INTENT });
      const previous = (yield* read(identity)).steps[2]!.link;
      // What the makers of records refuse as well is written as of a trace of another grade.
      const wrong: ReadonlyArray<readonly [string, Partial<StepInput>]> = [
        [NOT_A_RECORD, { ...gated, ...outcome(2, { skill_id: "another" }) }],
        [NOT_A_RECORD, { ...gated, ...outcome(2, { skill_name: "another" }) }],
        [NOT_A_RECORD, { ...gated, ...outcome(1) }],
        [UNIQUE, { ...gated, ...outcome(0) }],
        [NOT_A_RECORD, outcome(null)],
        [NOT_A_RECORD, outcome(null, { status: "retry" })],
      ];
      for (const [code, over] of wrong) {
        const step = { record: bareStep(trace_id, { step_index: 3, ...over }), previous };
        expect(
          yield* refused(run, moveHead(step, trace_id), insertStep(step)),
          JSON.stringify(over),
        ).toMatchObject({ refusal: { code } });
        const appended = yield* Effect.flip(record(trace_id, over));
        expect(["InvalidInput", "ChainMoved"]).toContain(appended._tag);
      }
      for (const status of ["completed", "failed"] as const)
        expect(yield* Effect.flip(seal(trace_id, { status }))).toMatchObject({
          _tag: "InvalidInput",
          what: expect.stringContaining("step 2 is an intent without an outcome"),
        });
      yield* record(trace_id, { status: "skipped" });
      yield* seal(trace_id, { status: "aborted" });
      expect(yield* verify(identity)).toMatchObject({
        verification_status: "VERIFIED",
        findings: [{ code: "OUTCOME_UNKNOWN", step_index: 2 }],
      });
      const inline = yield* openRun(0);
      const first = (yield* read(inline)).trace.link;
      const intent = bareStep(inline.trace_id, { ...gated, ...INTENT });
      const step = { record: intent, previous: first };
      expect(yield* refused(run, moveHead(step, inline.trace_id), insertStep(step))).toMatchObject({
        refusal: { code: NOT_A_RECORD },
      });
    }),
  );

  it.effect("refuses a trace put in by hand that does not start open", () =>
    Effect.gen(function* () {
      const identity = freshIdentity();
      const { record } = prepareTrace(
        traceInput(identity, { plan: undefined, attributes: undefined }),
      );
      const text = bare(record);
      const { sealed } = yield* sealedRun(1);
      for (const [columns, values, code] of [
        ["record, seal_record", [text, sealed.seal_record], WOULD_CHANGE],
        ["record, root_hash", [text, sealed.root_hash], WOULD_CHANGE],
        ["record, archived_at", [text, "2026-01-01T00:00:00Z"], WOULD_CHANGE],
        ["record, metadata", [text, "1"], WOULD_CHANGE],
        ["record, plan", [text, "1"], NOT_A_RECORD],
        ["record", [text.replace("{", "{ ")], NOT_A_RECORD],
        ["record", [text.replace('"inline"', '"other"')], NOT_A_RECORD],
        ["record", [text.replace(identity.trace_id, "")], NOT_A_RECORD],
        ["record", [text.replace(identity.trace_id, "x".repeat(256))], NOT_A_RECORD],
      ] as const)
        expect(
          yield* refused(
            run,
            `insert into aos_traces (${columns}) values (${values.map(literal).join(", ")})`,
          ),
        ).toMatchObject({ refusal: { code } });
      expect(
        yield* refusalOf(
          run(
            `insert into aos_traces (record, status, completed_at, step_count) values (${literal(text)}, 'completed', now(), 5)`,
          ),
        ),
      ).toBeNull();
      expect((yield* verify(identity)).lifecycle).toBe("OPEN");
      // It brought no lease, so it is aborted by the next sweep and can't stay open for ever.
      const aborted = yield* Effect.flatMap(traces, (store) => store.abortExpired());
      expect(aborted.map((trace) => trace.trace_id)).toContain(identity.trace_id);
    }),
  );

  it.effect("archives with its EVENT only, once, and deletes only what is archived", () =>
    Effect.gen(function* () {
      const [identity, open] = [yield* sealedRun(2), yield* openRun(1)];
      const id = literal(identity.trace_id);
      const archiving = (trace_id: string, kind = "archival", of = trace_id) =>
        `select runproof_archive_traces(array[${literal(trace_id)}], array[${literal(event(of, kind))}], clock_timestamp())`;
      const setting = (time: string) =>
        `update aos_traces set archived_at = ${time} where trace_id = ${id}`;
      for (const statements of [
        [setting("now()")],
        [queueEvent(identity.trace_id, "erasure"), setting("now()")],
        [queueEvent(open.trace_id, "archival"), setting("now()")],
        [archiving(identity.trace_id, "erasure")],
        [archiving(identity.trace_id, "archival", open.trace_id)],
        [`delete from aos_trace_steps where trace_id = ${id}`],
        [`delete from aos_traces where trace_id = ${id}`],
      ])
        expect(yield* refused(run, ...statements)).toMatchObject({
          refusal: { code: WOULD_CHANGE },
        });
      // An event of an earlier transaction is none of this one.
      yield* run(queueEvent(identity.trace_id, "archival"));
      expect(yield* refused(run, setting("now()"))).toMatchObject({
        refusal: { code: WOULD_CHANGE },
      });

      // What is open is left where it is.
      yield* run(archiving(open.trace_id));
      expect((yield* verify(open)).lifecycle).toBe("OPEN");

      // A client that makes savepoints for itself may archive.
      yield* run("savepoint before", archiving(identity.trace_id));
      expect(yield* verify(identity)).toMatchObject({
        verification_status: "VERIFIED",
        findings: [],
      });
      for (const statement of [
        setting("null"),
        setting("now()"),
        `update aos_traces set status = 'failed' where trace_id = ${id}`,
      ])
        expect(
          yield* refused(run, statement.replace("aos_traces", "aos_traces_archive")),
        ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      // What lies in no table comes into the archive neither, and what is there does not come again.
      for (const [table, column] of [
        ["aos_traces", "reason"],
        ["aos_trace_steps", "skill_name"],
      ])
        expect(
          yield* refused(
            run,
            queueEvent(open.trace_id, "archival"),
            `insert into ${table}_archive
             select (jsonb_populate_record(null::${table}_archive, to_jsonb(t) || '{"${column}": "another"}')).*
             from ${table} t where trace_id = ${literal(open.trace_id)}`,
          ),
        ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      for (const statement of [
        `insert into aos_trace_steps_archive select * from aos_trace_steps where trace_id = ${literal(open.trace_id)}`,
        `insert into aos_traces_archive select * from aos_traces where trace_id = ${literal(open.trace_id)}`,
      ])
        expect(yield* refused(run, statement)).toMatchObject({ refusal: { code: WOULD_CHANGE } });

      // Deleting it has an EVENT of its own, which says the root that is gone.
      const { root_hash } = identity.sealed;
      const deletion = queueEvent(identity.trace_id, "deletion", { root_hash });
      const deleting = [
        `delete from aos_trace_steps_archive where trace_id = ${id}`,
        `delete from aos_traces_archive where trace_id = ${id}`,
      ];
      for (const statements of [
        [deleting[0]!],
        [deleting[1]!],
        [queueEvent(identity.trace_id, "archival", { root_hash }), ...deleting],
        [queueEvent(open.trace_id, "deletion", { root_hash }), ...deleting],
        [queueEvent(identity.trace_id, "deletion"), ...deleting],
        [
          queueEvent(identity.trace_id, "deletion", { root_hash: root_hash.replace(/^./u, "g") }),
          ...deleting,
        ],
        [queueEvent(identity.trace_id, "deletion", { root_hash, heads: "1" }), ...deleting],
        [deletion, `delete from aos_trace_steps where trace_id = ${literal(open.trace_id)}`],
      ])
        expect(yield* refused(run, ...statements)).toMatchObject({
          refusal: { code: WOULD_CHANGE },
        });
      expect((yield* verify(identity)).verification_status).toBe("VERIFIED");
      expect(yield* refusalOf(run(deletion, ...deleting))).toBeNull();
    }),
  );

  it.effect("deletes a trace with HEAD entries only beside an EVENT that says how many", () =>
    Effect.gen(function* () {
      const { trace_id, sealed } = yield* sealedRun(HEAD_EVERY_STEPS);
      const id = literal(trace_id);
      yield* run(
        `select runproof_archive_traces(array[${id}], array[${literal(event(trace_id, "archival"))}], clock_timestamp())`,
      );
      const { root_hash } = sealed;
      const deleting = (detail: Record<string, string>) => [
        queueEvent(trace_id, "deletion", detail),
        `delete from aos_trace_steps_archive where trace_id = ${id}`,
        `delete from aos_traces_archive where trace_id = ${id}`,
      ];
      for (const detail of [{ root_hash }, { root_hash, heads: "0" }, { root_hash, heads: "2" }])
        expect(yield* refused(run, ...deleting(detail))).toMatchObject({
          refusal: { code: WOULD_CHANGE },
        });
      expect(yield* refusalOf(run(...deleting({ root_hash, heads: "1" })))).toBeNull();
    }),
  );

  it.effect("erases a payload with its salt and its EVENT only, and each once", () =>
    Effect.gen(function* () {
      const identity = yield* sealedRun(2);
      const trace = `where trace_id = ${literal(identity.trace_id)}`;
      const step = `${trace} and step_index = 1`;
      const erasure = (payloads: string) => queueEvent(identity.trace_id, "erasure", { payloads });
      const params = `update aos_trace_steps set params = null, params_salt = null ${step}`;
      for (const statements of [
        [params],
        [queueEvent(identity.trace_id, "archival"), params],
        [erasure("step 1:params"), `update aos_trace_steps set params = null ${step}`],
        [erasure("step 1:params"), `update aos_trace_steps set params_salt = null ${step}`],
        [erasure("step 1:params"), `update aos_trace_steps set erased_at = now() ${step}`],
        [erasure("step 1:params"), params.replace(" where", ", status = 'failure' where")],
        [erasure("step 1:params"), params.replace(" where", ", outcome_data = '2' where")],
        // An event of one payload lets no other go.
        [erasure("step 0:params"), params],
        [erasure("step 1:outcome_data,trace:plan"), params],
        [
          erasure("trace:attributes"),
          `update aos_traces set plan = null, plan_salt = null ${trace}`,
        ],
        [erasure("trace:plan"), `update aos_traces set plan = null ${trace}`],
        [`update aos_traces set plan = null, plan_salt = null ${trace}`],
        [
          erasure("seal:metadata"),
          `update aos_traces set metadata = null, seal_record = null ${trace}`,
        ],
      ])
        expect(yield* refused(run, ...statements)).toMatchObject({
          refusal: { code: WOULD_CHANGE },
        });

      yield* run(erasure("step 1:params"), params);
      const [first] = yield* asApplication(
        `select erased_at::text as at from aos_trace_steps ${step}`,
      );
      expect(yield* verify(identity)).toMatchObject({
        verification_status: "VERIFIED",
        findings: [{ code: "PAYLOAD_ERASED", step_index: 1 }],
      });
      // Another payload of the same row later; the time stays that of the first.
      yield* run(
        erasure("step 1:attributes,trace:plan,seal:metadata"),
        `update aos_trace_steps set attributes = null, attributes_salt = null ${step}`,
        `update aos_traces set plan = null, plan_salt = null, metadata = null, metadata_salt = null ${trace}`,
      );
      expect(
        yield* asApplication(`select erased_at::text as at from aos_trace_steps ${step}`),
      ).toEqual([first]);
      const verdict = yield* verify(identity);
      expect(verdict.verification_status).toBe("VERIFIED");
      expect(verdict.findings.map(({ code }) => code)).toEqual(Array(4).fill("PAYLOAD_ERASED"));
      for (const statement of [
        `update aos_trace_steps set params = '1', params_salt = 'x' ${step}`,
        `update aos_trace_steps set erased_at = null ${step}`,
        `update aos_trace_steps set erased_at = now() ${step}`,
        `update aos_traces set erased_at = null ${trace}`,
      ])
        expect(yield* refused(run, erasure("step 1:params"), statement)).toMatchObject({
          refusal: { code: WOULD_CHANGE },
        });
    }),
  );

  it.effect("lets a run go forward only", () =>
    Effect.gen(function* () {
      const statuses = ["queued", "running", "succeeded", "failed", "aborted"];
      const forward = new Set([
        "queued running",
        "queued aborted",
        "running succeeded",
        "running failed",
        "running aborted",
      ]);
      const passed = new Set<string>();
      for (const from of statuses)
        for (const to of statuses) {
          const id = literal(randomUUID());
          yield* run(`insert into runs (tenant_id, run_id) values ('runs', ${id})`);
          const way = from === "queued" ? [] : from === "running" ? [from] : ["running", from];
          for (const status of way)
            yield* run(`update runs set status = '${status}' where run_id = ${id}`);
          const update = `update runs set status = '${to}' where run_id = ${id}`;
          const { refusal } = yield* refused(run, update);
          if (refusal === null) passed.add(`${from} ${to}`);
          else expect(refusal).toMatchObject({ code: WOULD_CHANGE });
          // Nothing else changes on the way.
          const other = update.replace(" where", ", created_at = now() where");
          expect(yield* refused(run, other)).toMatchObject({ refusal: { code: WOULD_CHANGE } });
        }
      expect(passed).toEqual(forward);
      for (const [column, value] of [
        ["status", "'running'"],
        ["status", "'succeeded'"],
        ["trace_id", "'a-trace'"],
        ["started_at", "now()"],
        ["completed_at", "now()"],
      ])
        expect(
          yield* refused(
            run,
            `insert into runs (tenant_id, run_id, ${column}) values ('runs', ${literal(randomUUID())}, ${value})`,
          ),
        ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
    }),
  );

  it.effect("lets an entry leave the queue for the log only", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(0);
      const mine = `where trace_id = ${literal(identity.trace_id)}`;
      expect(yield* refused(run, `delete from aos_log_queue ${mine}`)).toMatchObject({
        refusal: { code: WOULD_CHANGE },
      });
      yield* asApplication("select runproof_sequence_log(5000)");
      expect(yield* asApplication(`select kind from aos_log_queue ${mine}`)).toEqual([]);
      expect(yield* asApplication(`select kind::int as kind from aos_log_entries ${mine}`)).toEqual(
        [{ kind: 1 }],
      );
    }),
  );

  it.effect("takes only the next entry into the log, and an EVENT only with its own digest", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(0);
      yield* asApplication("select runproof_sequence_log(5000)");
      const entry = (index: string) =>
        `insert into aos_log_entries (log_index, kind, digest, queued_at) select ${index}, 1, repeat('0', 64), now() from (select max(log_index) from aos_log_entries) as log`;
      for (const index of ["max", "max + 2", "-1", "9223372036854775807"])
        expect(yield* refused(run, entry(index)), index).toMatchObject({
          refusal: { code: NOT_NEXT },
        });
      expect((yield* refused(run, entry("max + 1"))).refusal).toBeNull();
      const record = literal(event(identity.trace_id, "archival"));
      for (const [kind, digest, text] of [
        [4, "repeat('0', 64)", record],
        [4, "repeat('0', 64)", "null"],
        [2, `runproof_hash('\\x00', ${record})`, record],
      ])
        expect(
          yield* refused(
            run,
            `insert into aos_log_queue (kind, digest, trace_id, event_record) values (${kind}, ${digest}, ${literal(identity.trace_id)}, ${text})`,
          ),
        ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      // Whatever transaction it says it is of, it is of its own.
      yield* run(
        `insert into aos_log_queue (kind, digest, trace_id, event_record, transaction_id) values (4, runproof_hash('\\x00', ${record}), ${literal(identity.trace_id)}, ${record}, 1)`,
      );
      expect(
        yield* asApplication(
          `select 1 as found from aos_log_queue where trace_id = ${literal(identity.trace_id)} and transaction_id > 1`,
        ),
      ).toHaveLength(1);
      yield* asApplication("select runproof_sequence_log(5000)");
    }),
  );

  it.effect(
    "lets no lease last for years, change its holder, or claim a HEAD that is not there",
    () =>
      Effect.gen(function* () {
        const identity = yield* openRun(2);
        const where = `where trace_id = ${literal(identity.trace_id)}`;
        const change = (columns: string) => `update aos_trace_leases set ${columns} ${where}`;
        for (const columns of [
          "expires_at = 'infinity'",
          "expires_at = clock_timestamp() + interval '2 hours'",
          "head_logged_at = clock_timestamp() + interval '2 hours'",
          "head_index = 3",
          "head_index = 1000000000",
          "holder = 'another'",
          "trace_id = 'another'",
        ])
          expect(yield* refused(run, change(columns)), columns).toMatchObject({
            refusal: { code: WOULD_CHANGE },
          });
        for (const columns of ["head_index = 2", "expires_at = clock_timestamp()"])
          expect((yield* refused(run, change(columns))).refusal, columns).toBeNull();
        expect(
          yield* refused(run, insertLease("no-such-trace", { expires_at: "'infinity'" })),
        ).toMatchObject({ refusal: { code: WOULD_CHANGE } });
      }),
  );

  it.effect("takes no evidence from a transaction that may see an old state", () =>
    Effect.gen(function* () {
      const identity = yield* openRun(1);
      const id = literal(identity.trace_id);
      for (const level of ["repeatable read", "serializable"])
        for (const statement of [
          `select runproof_seal_trace(${id}, 'test', array['', '', '', ''], null, null, null, null)`,
          `update aos_traces set seal_record = '{}' where trace_id = ${id}`,
        ])
          expect(
            yield* refused(run, `set transaction isolation level ${level}`, statement),
          ).toMatchObject({ refusal: { code: WRONG_ISOLATION } });
    }),
  );
};

onEachDatabase("S6 for a superuser with triggers on", (it) => ownersSuite(it, asSuperuser));

/** A login that owns the database and its tables, and is no superuser. */
const ownerStores = Layer.unwrap(
  Effect.gen(function* () {
    const role = `t_owner_${randomUUID().slice(0, 8)}`;
    yield* Effect.acquireRelease(
      Effect.promise(() =>
        queryDatabase(
          inject("postgresUrl"),
          `create role ${role} login createrole password 'secret'`,
        ),
      ),
      () =>
        Effect.promise(() => queryDatabase(inject("postgresUrl"), `drop role if exists ${role}`)),
    );
    const database = yield* emptyDatabase;
    yield* Effect.promise(() =>
      queryDatabase(
        database.url,
        `alter database ${database.name} owner to ${role}`,
        // Before PostgreSQL 15 a database's owner did not own its "public".
        `alter schema public owner to ${role}`,
        // Who may not give a role that another made.
        ...["runproof_app", "runproof_signer"].flatMap((given) => [
          `do $$ begin create role ${given} nologin; exception when duplicate_object then null; end $$`,
          `grant ${given} to ${role}`,
        ]),
      ),
    );
    const config = serverConfig(urlWith(database.url, { username: role, password: "secret" }));
    yield* migrateDatabase(config);
    return storesOn(config);
  }),
);

layer(ownerStores, { excludeTestServices: true, timeout: "2 minutes" })(
  "S6 for the tables' owner, who is no superuser",
  (it) => {
    it.effect("is no superuser, and owns the tables", () =>
      Effect.gen(function* () {
        const database = yield* Database;
        const { sql } = database;
        const own = asOwner(database);
        const who = sql<{ is_superuser: boolean; owner: string; login: string }>`
          select current_setting('is_superuser')::boolean as is_superuser, session_user::text as login,
                 (select tableowner::text from pg_tables where tablename = 'aos_traces') as owner`;
        const [row] = yield* own(who);
        expect(row).toEqual({ is_superuser: false, login: row!.owner, owner: row!.owner });
      }),
    );
    ownersSuite(it, asSuperuser);
  },
);

onEachDatabase("S6 for the application's role", (it) => {
  it.effect("acts as that role, and owns nothing", () =>
    Effect.gen(function* () {
      const [who] = yield* asApplication(
        `select current_user::text as role, current_setting('is_superuser') as is_superuser,
                (select count(*)::int from pg_class where relowner = 'runproof_app'::regrole) as owned`,
      );
      expect(who).toEqual({ role: "runproof_app", is_superuser: "off", owned: 0 });
    }),
  );

  it.effect("may read every table, and write none", () =>
    Effect.gen(function* () {
      const run = yield* oneRowEach;
      const tables = [...TABLES, "aos_trace_leases", "aos_schema_migrations"];
      const columns = yield* columnsOf(tables);
      expect(new Set(columns.map((column) => column.table_name))).toEqual(new Set(tables));
      for (const statement of [
        ...updates(columns),
        ...tables.flatMap((table) => [
          `delete from ${table}`,
          `truncate ${table}`,
          `insert into ${table} default values`,
        ]),
        ...tables.flatMap((table) => [
          `alter table ${table} disable trigger all`,
          `drop table ${table}`,
          `create trigger x before insert on ${table} for each row execute function runproof_refuse()`,
          `create rule x as on insert to ${table} do instead nothing`,
          `alter table ${table} add column x text`,
          `select 1 from ${table} for update`,
        ]),
        "set session_replication_role = replica",
        "create table public.x (a int)",
        "create function public.cardinality(text[]) returns int language sql as 'select 1'",
        "create or replace function runproof_refuse() returns trigger language plpgsql as 'begin return new; end'",
        `select runproof_archive_traces(array[${literal(run.trace_id)}], array[${literal(event(run.trace_id, "archival"))}], clock_timestamp())`,
        queueEvent(run.trace_id, "erasure"),
        `select runproof_lock_trace(${literal(run.trace_id)})`,
      ])
        expect(yield* refused(asApplication, statement)).toMatchObject({
          refusal: { code: PERMISSION_DENIED },
        });
      for (const table of tables) yield* asApplication(`select count(*) from ${table}`);
    }),
  );

  it.effect("may not say that a key changed, nor that a checkpoint was signed", () =>
    Effect.gen(function* () {
      const key = { old_vkey: "a", new_vkey: "b" };
      for (const statement of [
        `select runproof_log_event(${literal(event("", "key_added", key))})`,
        "select runproof_store_checkpoint('o', 0, repeat('00', 32), '')",
      ])
        expect(yield* refused(asApplication, statement)).toMatchObject({
          refusal: { code: PERMISSION_DENIED },
        });
    }),
  );

  it.effect("nor may the signer log an operation on evidence that did not happen", () =>
    Effect.gen(function* () {
      const run = yield* sealedRun(1);
      for (const kind of ["erasure", "archival", "deletion", "anything"])
        expect(
          yield* refused(
            asSigner,
            `select runproof_log_event(${literal(event(run.trace_id, kind, { payloads: "step 0:params" }))})`,
          ),
        ).toMatchObject({
          refusal: { code: WOULD_CHANGE, message: expect.stringMatching(VIOLATION) },
        });
      expect(yield* verify(run)).toMatchObject({ verification_status: "VERIFIED", findings: [] });
    }),
  );

  it.effect("can't append past its functions' checks, whatever texts it gives", () =>
    Effect.gen(function* () {
      const [open, closed, other] = [yield* openRun(2), yield* sealedRun(2), yield* openRun(2)];
      const text = (value: string | null) => (value === null ? "null" : literal(value));
      const append = (trace_id: string, index: number, record: string, holder = HOLDER) =>
        `select 1/count(*) from runproof_append_step(array[${literal(trace_id)}], array[${literal(holder)}], array[${index}]::bigint[],
           array[${literal(record)}], array[null]::text[], array[null]::text[], array[null]::text[], array[null]::text[],
           array[null]::text[], array[null]::text[], 1000, 60000)`;
      const many = (trace_id: string, index: number, record: string, holder = HOLDER) =>
        `select 1/count(*) from runproof_append_steps(${literal(trace_id)}, ${literal(holder)}, ${index}, array[${literal(record)}],
           array[null]::text[], array[null]::text[], array[null]::text[], array[null]::text[],
           array[null]::text[], array[null]::text[], 1000, 60000)`;
      // No row is answered: 1/0.
      const NOT_TAKEN = "22012";
      const mine = bareStep(open.trace_id, { step_index: 2 });
      for (const [statement, code] of [
        [append(open.trace_id, 1, bareStep(open.trace_id, { step_index: 1 })), NOT_TAKEN],
        [append(open.trace_id, 2, bareStep(open.trace_id, { step_index: 3 })), NOT_TAKEN],
        [append(open.trace_id, 3, mine), NOT_TAKEN],
        [append(open.trace_id, 2, mine, "another"), NOT_TAKEN],
        [append(closed.trace_id, 2, bareStep(closed.trace_id, { step_index: 2 })), NOT_TAKEN],
        // Another trace's record under one's own lease.
        [append(open.trace_id, 2, bareStep(other.trace_id, { step_index: 2 })), NOT_TAKEN],
        [append(open.trace_id, 2, mine.replace("{", "{ ")), NOT_A_RECORD],
        [append(open.trace_id, 2, "{}"), NOT_TAKEN],
        [many(open.trace_id, 2, bareStep(other.trace_id, { step_index: 2 })), NOT_NEXT],
        [many(open.trace_id, 2, bareStep(open.trace_id, { step_index: 3 })), NOT_NEXT],
        [many(open.trace_id, 2, mine, "another"), NOT_TAKEN],
        [many(open.trace_id, 2, mine.replace("{", "{ ")), NOT_A_RECORD],
      ] as const)
        expect(yield* refused(asApplication, statement), statement).toMatchObject({
          refusal: { code },
        });

      const prepared = prepareSeal(sealInput(open.trace_id, { metadata: undefined }));
      const forged = sealRecordText(prepared, {
        chain_head: closed.sealed.chain_head,
        merkle_root: closed.sealed.merkle_root,
        step_count: 1,
      });
      const [head, tail] = forged.split("all steps") as [string, string];
      const sealing = (
        trace_id: string,
        parts: ReadonlyArray<string>,
        expected: readonly [number | null, string | null] = [null, null],
        holder: string | null = HOLDER,
      ) =>
        `select * from runproof_seal_trace(${literal(trace_id)}, ${text(holder)}, array[${parts.map(literal).join(", ")}], null, null, ${expected[0]}, ${text(expected[1])})`;
      for (const [statement, code] of [
        [sealing(open.trace_id, [head, " ", " ", tail]), NOT_NEXT],
        [sealing(open.trace_id, prepared.parts, [1, null]), NOT_NEXT],
        [sealing(open.trace_id, prepared.parts, [null, "0".repeat(64)]), NOT_NEXT],
        [sealing(open.trace_id, prepared.parts, [null, null], "another"), LEASE_LOST],
        [sealing(open.trace_id, prepared.parts, [null, null], null), LEASE_LOST],
        [sealing(closed.trace_id, prepared.parts), SEALED],
      ] as const)
        expect(yield* refused(asApplication, statement)).toMatchObject({ refusal: { code } });
      yield* record(open.trace_id);
      yield* seal(open.trace_id);
      expect(yield* verify(open)).toMatchObject({
        verification_status: "VERIFIED",
        chain_length: 3,
      });
    }),
  );

  it.effect(
    "reaches the owner's rights only through functions with a search path of their own",
    () =>
      Effect.gen(function* () {
        const functions = yield* asApplication(
          `select proname::text as name, coalesce(array_to_string(proconfig, ';'), '') as settings
         from pg_proc where prosecdef and pronamespace = current_schema()::regnamespace order by 1`,
        );
        expect(functions.length).toBeGreaterThan(5);
        // Without one of its own, whatever temporary object has a name is found first.
        for (const { name, settings } of functions)
          expect(settings, String(name)).toMatch(/^search_path="?public"?, pg_temp(;|$)/u);
      }),
  );

  it.effect(
    "can't put a temporary table or a setting in the place of what its functions read",
    () =>
      Effect.gen(function* () {
        const { sql } = yield* Database;
        const closed: Identity = yield* sealedRun(1);
        const shadowed = Effect.gen(function* () {
          yield* sql.unsafe(
            "create temporary table aos_trace_leases (trace_id text primary key, tenant_id text, run_id text, capture text, holder text, expires_at timestamptz, next_index bigint default 0, link text, peaks bytea[], open_intents bigint[] default '{}', head_index bigint default 0, head_logged_at timestamptz default now())",
          );
          for (const table of ["aos_traces", "aos_trace_steps", "aos_log_queue"])
            yield* sql.unsafe(
              `create temporary table ${table} (like public.${table} including all)`,
            );
          yield* sql.unsafe(
            insertLease(closed.trace_id, { expires_at: "now() + interval '1 hour'" }).replace(
              "aos_trace_leases",
              "pg_temp.aos_trace_leases",
            ),
          );
          yield* sql.unsafe("set local search_path = pg_temp, public");
          const sealing = sql.unsafe(
            `select public.runproof_seal_trace(${literal(closed.trace_id)}, 'test', array['', '', '', ''], null, null, null, null)`,
          );
          // A failure, so that the tables go with the transaction.
          return yield* Effect.fail(yield* refusalOf(sealing));
        });
        const refusal = yield* Effect.flip(sql.withTransaction(shadowed));
        expect(refusal).toMatchObject({ code: SEALED });
      }),
  );
});
