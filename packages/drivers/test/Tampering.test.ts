/**
 * What a superuser can do to stored evidence with triggers off and constraints dropped, and what is found of it. Each attack
 * has a run of its own; two others of the same tenant, recorded before and after it, must stay VERIFIED.
 */
import { expect } from "@effect/vitest";
import { canonicalize, type JsonObject } from "@runproof/proof/CanonicalJson";
import type { Finding } from "@runproof/schemas/Finding";
import { SEAL_RECORD_KEYS } from "@runproof/schemas/SealRecord";
import { STEP_RECORD_KEYS } from "@runproof/schemas/StepRecord";
import { TRACE_RECORD_KEYS } from "@runproof/schemas/TraceRecord";
import * as Effect from "effect/Effect";
import { asApplication, asSuperuser, literal, onEachDatabase } from "./Databases.ts";
import { freshIdentity, type Identity, read, sealedRun, verdictOf, verify } from "./Evidence.ts";

const STEPS = 4;
const TENANT = "the attacked tenant";
/** Stands for the id of the attacked trace in an attack's statements. */
const TRACE = "$trace";
/** The step that most attacks are on: it has neighbours on both sides. */
const VICTIM = 1;

/** Makes room for any edit: what constraints forbid, a superuser can allow himself. */
const dropConstraints = Effect.gen(function* () {
  const constraints = yield* asSuperuser(
    `select conrelid::regclass::text as "table", conname::text as name from pg_constraint
     where conrelid in ('aos_traces'::regclass, 'aos_trace_steps'::regclass) and contype in ('p', 'u', 'c')`,
  );
  for (const { table, name } of constraints)
    yield* asSuperuser(`alter table ${String(table)} drop constraint ${String(name)}`);
  const required = yield* asSuperuser(
    `select table_name::text as "table", column_name::text as name from information_schema.columns
     where table_schema = current_schema() and table_name in ('aos_traces', 'aos_trace_steps') and is_nullable = 'NO'`,
  );
  for (const { table, name } of required)
    yield* asSuperuser(`alter table ${String(table)} alter column "${String(name)}" drop not null`);
});

const disable = ["aos_traces", "aos_trace_steps"].map(
  (t) => `alter table ${t} disable trigger all`,
);
const enable = ["aos_traces", "aos_trace_steps"].flatMap((t) =>
  ["s6_insert", "s6_update", "s6_delete", "s6_truncate"].map(
    (trigger) => `alter table ${t} enable always trigger ${trigger}`,
  ),
);

const attack = ({ trace_id }: Identity, statements: ReadonlyArray<string>) =>
  asSuperuser(
    ...disable,
    ...statements.map((statement) => statement.replaceAll(TRACE, literal(trace_id))),
    ...enable,
  );

const attackedRun = Effect.suspend(() => sealedRun(STEPS, freshIdentity(TENANT)));

const stepWhere = (index: number) => `where trace_id = ${TRACE} and step_index = ${index}`;
const traceWhere = `where trace_id = ${TRACE}`;

/** The findings as `CODE@index`, with `CODE` alone for the trace's and the seal's. */
const brief = (findings: ReadonlyArray<Finding>) =>
  findings.map(({ code, step_index }) => (step_index === null ? code : `${code}@${step_index}`));

/** What an attack's run answers, in one line: what was found, or why nothing could be verified. */
const answerTo = (identity: Identity) =>
  Effect.match(verify(identity), {
    onSuccess: ({ verification_status, findings }) =>
      [verification_status, ...brief(findings)].join(" "),
    onFailure: (error) => error._tag,
  });

type Edit = "changed" | "null" | "infinity" | "BC";

/** What an edit of a column of a row is found as, beside the rule: a copy of a field of the record is `COLUMN_MISMATCH`. */
const expectedCode = (table: string, column: string, edit: Edit): string => {
  if (column === "record") return "NOT_CANONICAL";
  if (column === "leaf_hash") return "CONTENT_MISMATCH";
  if (column === "link") return "LINK_BROKEN";
  if (/^(plan|attributes|params|outcome_data|metadata)(_salt)?$/u.test(column))
    return edit === "null" ? "PAYLOAD_MISSING" : "PAYLOAD_MISMATCH";
  if (column === "seal_record") return "NOT_CANONICAL";
  if (/^(root_hash|step_count|chain_head|merkle_root)$/u.test(column)) return "SEAL_MISMATCH";
  // The row is not among those of its trace any more.
  if (table === "aos_trace_steps" && column === "trace_id") return "GAP";
  return "COLUMN_MISMATCH";
};

/** Edits by the type of a column; a time may be told apart from another only past the millisecond. */
const editsOf = (column: string, type: string): ReadonlyArray<readonly [Edit, string]> => {
  switch (type) {
    case "text":
      return [["changed", `coalesce(${column}, '') || 'x'`]];
    case "bytea":
      return [["changed", "sha256('other')"]];
    case "boolean":
      return [["changed", `not ${column}`]];
    case "timestamp with time zone":
      return [
        ["changed", `coalesce(${column} + interval '1 microsecond', now())`],
        ["infinity", "'infinity'"],
        [
          "BC",
          `(coalesce(to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '2026-01-01') || '+00 BC')::timestamptz`,
        ],
      ];
    default:
      return [["changed", `coalesce(${column}, 0) + 1`]];
  }
};

/** Tables whose rows are no part of one run's evidence, and who looks at them instead. */
const NOT_OF_A_RUN: Readonly<Record<string, string>> = {
  runs: "says what was asked for; it helps to find a run, and no verdict reads it",
  aos_trace_leases: "who keeps an open trace alive; gone once it is sealed",
  aos_log_queue: "compared with the traces by an audit",
  aos_log_entries: "compared with the traces by an audit",
  aos_log_tiles: "recomputed from the entries by an audit",
  aos_checkpoints: "signed",
  aos_traces_archive: "read as one with aos_traces",
  aos_trace_steps_archive: "read as one with aos_trace_steps",
  aos_audit_ledger: "who did what; append-only, and no verdict reads it",
  aos_holds: "what may not go; no verdict reads it",
  aos_policies: "what runs may call; no verdict reads it",
  aos_limits: "how much runs may use; no verdict reads it",
  aos_incidents: "what was prevented or refused; no verdict reads it",
  aos_prevention_records: "what was prevented; no verdict reads it",
  aos_limit_breaches: "which limit was hit; no verdict reads it",
  aos_idempotency_keys: "which request began which run; no verdict reads it",
  aos_tenants: "who may send; no verdict reads it",
  aos_api_keys: "by which key; no verdict reads it",
  aos_retentions: "how long evidence is kept; no verdict reads it",
  aos_schema_migrations: "compared with the code whenever a database is opened",
};

/** Edits that contradict nothing, and why. */
const HARMLESS: Readonly<Record<string, string>> = {
  "aos_trace_steps.intent_index null": "it is null already",
  "aos_trace_steps.erased_at null": "it is null already",
  "aos_trace_steps.subtrees null":
    "it is null already: no subtree ends with the second step's leaf",
  "aos_traces.erased_at null": "it is null already",
  "aos_traces.archived_at null": "it is null already",
};

/** Attacks on the rows of a run, with what they must be found as. */
const ATTACKS: ReadonlyArray<readonly [string, string, ...ReadonlyArray<string>]> = [
  ["delete the first step", "FAILED GAP@0", `delete from aos_trace_steps ${stepWhere(0)}`],
  ["delete a step", "FAILED GAP@1", `delete from aos_trace_steps ${stepWhere(1)}`],
  ["delete the last step", "FAILED TRUNCATED@3", `delete from aos_trace_steps ${stepWhere(3)}`],
  [
    "cut the tail",
    "FAILED TRUNCATED@2",
    `delete from aos_trace_steps ${traceWhere} and step_index >= 2`,
  ],
  ["cut all steps", "FAILED TRUNCATED@0", `delete from aos_trace_steps ${traceWhere}`],
  [
    "delete a step and renumber the others",
    "FAILED GAP@1 COLUMN_MISMATCH@2 COLUMN_MISMATCH@3",
    `delete from aos_trace_steps ${stepWhere(1)}`,
    `update aos_trace_steps set step_index = step_index - 1 ${traceWhere} and step_index > 1`,
  ],
  [
    "insert a step twice",
    "FAILED FOREIGN_RECORD@1",
    `insert into aos_trace_steps select * from aos_trace_steps ${stepWhere(1)}`,
  ],
  ...[4, -1, -7, null, 1_000_000].map(
    (index) =>
      [
        `insert a copied row as step ${index}`,
        expect.stringMatching(/^FAILED .*FOREIGN_RECORD@1/u) as unknown as string,
        `insert into aos_trace_steps select (copy).* from (
           select jsonb_populate_record(s, '{"step_index": ${index}}') as copy from aos_trace_steps s ${stepWhere(1)}
         ) as copies`,
      ] as const,
  ),
  [
    "move a step to another run",
    "FAILED GAP@1",
    `update aos_trace_steps set trace_id = 'elsewhere', run_id = 'elsewhere', tenant_id = 'elsewhere' ${stepWhere(1)}`,
  ],
  [
    "swap two steps by their index",
    "FAILED REORDERED@1 REORDERED@2",
    `update aos_trace_steps set step_index = 3 - step_index ${traceWhere} and step_index in (1, 2)`,
  ],
  [
    "swap two records with their hashes",
    "FAILED REORDERED@1 REORDERED@2",
    `update aos_trace_steps a set record = b.record, leaf_hash = b.leaf_hash from aos_trace_steps b
     where a.trace_id = ${TRACE} and b.trace_id = a.trace_id and a.step_index in (1, 2) and b.step_index = 3 - a.step_index`,
  ],
  [
    "swap the payloads of two steps",
    "FAILED PAYLOAD_MISMATCH@1 PAYLOAD_MISMATCH@2",
    `update aos_trace_steps a set params = b.params, params_salt = b.params_salt from aos_trace_steps b
     where a.trace_id = ${TRACE} and b.trace_id = a.trace_id and a.step_index in (1, 2) and b.step_index = 3 - a.step_index`,
  ],
  [
    "swap two payloads of a step",
    "FAILED PAYLOAD_MISMATCH@1 PAYLOAD_MISMATCH@1",
    `update aos_trace_steps set params = outcome_data, params_salt = outcome_data_salt,
       outcome_data = params, outcome_data_salt = params_salt ${stepWhere(1)}`,
  ],
  [
    "take a payload away with its salt",
    "FAILED PAYLOAD_MISSING@1",
    `update aos_trace_steps set params = null, params_salt = null ${stepWhere(1)}`,
  ],
  [
    "take a payload away and call it erased",
    "FAILED PAYLOAD_MISSING@1",
    `update aos_trace_steps set params = null, params_salt = null, erased_at = now() ${stepWhere(1)}`,
  ],
  [
    "take a payload away and log an erasure that is none",
    "FAILED PAYLOAD_MISSING@1",
    `update aos_trace_steps set params = null, params_salt = null, erased_at = now() ${stepWhere(1)}`,
    ...['{"payloads":"step 1:params"}', "[]", "7", '{"event":"erasure","detail":null}'].map(
      (text) =>
        `insert into aos_log_queue (kind, digest, trace_id, event_record) values (4, runproof_hash('\\x00', '${text}'), ${TRACE}, '${text}')`,
    ),
  ],
  [
    // The text says an erasure of this payload, and the digest that the log would hold is another's.
    "take a payload away and put an erasure under another entry's digest",
    "FAILED PAYLOAD_MISSING@1",
    `update aos_trace_steps set params = null, params_salt = null, erased_at = now() ${stepWhere(1)}`,
    "alter table aos_log_queue disable trigger s6_insert",
    `insert into aos_log_queue (kind, digest, trace_id, event_record)
     select 4, repeat('0', 64), ${TRACE},
            '{"actor":"a","detail":{"payloads":"step 1:params"},"event":"erasure","occurred_at":"2026-02-11T00:00:00.000000Z","reason":"r","trace_id":"' || ${TRACE} || '","type":"runproof/event@v1"}'`,
    "alter table aos_log_queue enable always trigger s6_insert",
  ],
  [
    "edit a record with its column",
    "FAILED CONTENT_MISMATCH@1",
    `update aos_trace_steps set record = replace(record, 'step number 1', 'step number 9'), skill_name = 'step number 9' ${stepWhere(1)}`,
  ],
  [
    "edit a record with its column and leaf",
    "FAILED LINK_BROKEN@1",
    `update aos_trace_steps set record = replace(record, 'step number 1', 'step number 9'), skill_name = 'step number 9' ${stepWhere(1)}`,
    `update aos_trace_steps set leaf_hash = runproof_hash('\\x00', record) ${stepWhere(1)}`,
  ],
  [
    "edit a record with its column, leaf and link",
    "FAILED LINK_BROKEN@2",
    `update aos_trace_steps set record = replace(record, 'step number 1', 'step number 9'), skill_name = 'step number 9' ${stepWhere(1)}`,
    `update aos_trace_steps set leaf_hash = runproof_hash('\\x00', record) ${stepWhere(1)}`,
    `update aos_trace_steps set link = runproof_link((select link from aos_trace_steps ${stepWhere(0)}), leaf_hash) ${stepWhere(1)}`,
  ],
  [
    "edit the last record with its column, leaf and link",
    "FAILED SEAL_MISMATCH SEAL_MISMATCH",
    `update aos_trace_steps set record = replace(record, 'step number 3', 'step number 9'), skill_name = 'step number 9' ${stepWhere(3)}`,
    `update aos_trace_steps set leaf_hash = runproof_hash('\\x00', record) ${stepWhere(3)}`,
    `update aos_trace_steps set link = runproof_link((select link from aos_trace_steps ${stepWhere(2)}), leaf_hash) ${stepWhere(3)}`,
  ],
  [
    "edit the trace record with its column, leaf and link",
    "FAILED LINK_BROKEN@0",
    `update aos_traces set record = replace(record, 'agent-7', 'agent-9'), agent_id = 'agent-9' ${traceWhere}`,
    `update aos_traces set leaf_hash = runproof_hash('\\x00', record) ${traceWhere}`,
    `update aos_traces set link = runproof_link(repeat('0', 64), leaf_hash) ${traceWhere}`,
  ],
  [
    "edit the seal with its column",
    "FAILED SEAL_MISMATCH",
    `update aos_traces set seal_record = replace(seal_record, 'completed"', 'failed"'), status = 'failed' ${traceWhere}`,
  ],
  [
    "cut the tail and the seal's count",
    "FAILED SEAL_MISMATCH",
    `delete from aos_trace_steps ${traceWhere} and step_index >= 2`,
    `update aos_traces set step_count = 2, seal_record = replace(seal_record, '"step_count":4', '"step_count":2') ${traceWhere}`,
  ],
  [
    "give it another run's seal",
    "FAILED FOREIGN_RECORD",
    `update aos_traces t set (seal_record, root_hash, chain_head, merkle_root, metadata, metadata_salt, metadata_commitment)
       = (select seal_record, root_hash, chain_head, merkle_root, metadata, metadata_salt, metadata_commitment
          from aos_traces o where o.trace_id <> t.trace_id and o.step_count = ${STEPS} limit 1) ${traceWhere}`,
  ],
  [
    "give it another run's trace record",
    "FAILED FOREIGN_RECORD",
    `update aos_traces t set (record, leaf_hash, link)
       = (select record, leaf_hash, link from aos_traces o where o.trace_id <> t.trace_id limit 1) ${traceWhere}`,
  ],
  [
    "give it a step of another run",
    "FAILED FOREIGN_RECORD@1",
    `update aos_trace_steps t set (record, leaf_hash, link, params, params_salt)
       = (select record, leaf_hash, link, params, params_salt from aos_trace_steps o
          where o.trace_id <> t.trace_id and o.step_index = 1 limit 1) ${stepWhere(1)}`,
  ],
  [
    "take the seal away and leave the status",
    "FAILED SEAL_MISMATCH",
    `update aos_traces set seal_record = null, root_hash = null, chain_head = null, merkle_root = null, metadata = null,
       metadata_salt = null, metadata_commitment = null, reason = null, completed_at = null, sealed_at = null, step_count = null
     ${traceWhere}`,
  ],
  [
    // An open trace proves nothing, so this gains the attacker no more; the log's SEALED entry tells.
    "take the seal away and the status back",
    "UNSUPPORTED",
    `update aos_traces set seal_record = null, root_hash = null, chain_head = null, merkle_root = null, metadata = null,
       metadata_salt = null, metadata_commitment = null, reason = null, completed_at = null, sealed_at = null, step_count = null,
       status = 'running' ${traceWhere}`,
  ],
  ["delete the trace row", "StoredDataUnreadable", `delete from aos_traces ${traceWhere}`],
  [
    "delete the run, all but what was asked for",
    "StoredDataUnreadable",
    `delete from aos_traces ${traceWhere}`,
    `delete from aos_trace_steps ${traceWhere}`,
  ],
  [
    "give the run to another tenant",
    "FAILED COLUMN_MISMATCH COLUMN_MISMATCH@0 COLUMN_MISMATCH@1 COLUMN_MISMATCH@2 COLUMN_MISMATCH@3",
    `update aos_traces set tenant_id = 'another' ${traceWhere}`,
    `update aos_trace_steps set tenant_id = 'another' ${traceWhere}`,
  ],
  ...["NaN", "Infinity"].map(
    (cost) =>
      [
        `set a cost to ${cost}`,
        "FAILED COLUMN_MISMATCH@1",
        `update aos_trace_steps set cost_cents = '${cost}' ${stepWhere(1)}`,
      ] as const,
  ),
  [
    "archive it without a word",
    "FAILED COLUMN_MISMATCH",
    `update aos_traces set archived_at = now() ${traceWhere}`,
  ],
];

onEachDatabase("a superuser with triggers off", (it) => {
  it.effect("is found at every column of a step, of the trace and of the seal", () =>
    Effect.gen(function* () {
      const tables = yield* asApplication(
        `select table_name::text as name from information_schema.tables where table_schema = current_schema()`,
      );
      expect(new Set(tables.map(({ name }) => name))).toEqual(
        new Set(["aos_traces", "aos_trace_steps", ...Object.keys(NOT_OF_A_RUN)]),
      );
      const columns = yield* asApplication(
        `select table_name::text as table, column_name::text as column, data_type::text as type
         from information_schema.columns
         where table_schema = current_schema() and table_name in ('aos_traces', 'aos_trace_steps')
         order by table_name, ordinal_position`,
      );
      expect(columns.length).toBeGreaterThan(70);
      yield* dropConstraints;
      const before = yield* sealedRun(STEPS, freshIdentity(TENANT));
      for (const { table, column, type } of columns as ReadonlyArray<Record<string, string>>) {
        const edits = [...editsOf(`"${column}"`, type!), ["null", "null"] as const];
        for (const [edit, value] of edits) {
          const identity = yield* attackedRun;
          const where = table === "aos_traces" ? traceWhere : stepWhere(VICTIM);
          yield* attack(identity, [`update ${table} set "${column}" = ${value} ${where}`]);
          const name = `${table}.${column} ${edit}`;
          if (HARMLESS[name] !== undefined) {
            expect(yield* answerTo(identity), name).toBe("VERIFIED");
            continue;
          }
          const code = expectedCode(table!, column!, edit);
          const at = table === "aos_traces" ? "" : `@${VICTIM}`;
          const wanted =
            name === "aos_traces.trace_id null"
              ? "StoredDataUnreadable"
              : name === "aos_traces.trace_id changed"
                ? "FAILED COLUMN_MISMATCH TRUNCATED@0"
                : `FAILED ${code}${at}`;
          expect(yield* answerTo(identity), name).toBe(wanted);
        }
      }
      const after = yield* sealedRun(STEPS, freshIdentity(TENANT));
      for (const neighbour of [before, after]) expect(yield* answerTo(neighbour)).toBe("VERIFIED");
    }),
  );

  it.effect("is found at every field of every record", () =>
    Effect.gen(function* () {
      const other = (value: unknown): JsonObject[string] => {
        if (typeof value === "string") return `${value}x`;
        return typeof value === "boolean" ? !value : typeof value === "number" ? value + 1 : "x";
      };
      const records = [
        [TRACE_RECORD_KEYS, "aos_traces", "record", traceWhere],
        [STEP_RECORD_KEYS, "aos_trace_steps", "record", stepWhere(VICTIM)],
        [SEAL_RECORD_KEYS, "aos_traces", "seal_record", traceWhere],
      ] as const;
      for (const [keys, table, column, where] of records)
        for (const key of keys) {
          const identity = yield* attackedRun;
          const stored = yield* read(identity);
          const text =
            column === "seal_record"
              ? stored.seal!.record
              : table === "aos_traces"
                ? stored.trace.record
                : stored.steps[VICTIM]!.record;
          const parsed = JSON.parse(text) as JsonObject;
          const edited = canonicalize({ ...parsed, [key]: other(parsed[key]) });
          yield* attack(identity, [`update ${table} set ${column} = ${literal(edited)} ${where}`]);
          const code = column === "seal_record" ? "SEAL_MISMATCH" : "CONTENT_MISMATCH";
          const at = table === "aos_traces" ? "" : `@${VICTIM}`;
          expect(yield* answerTo(identity), `${table}.${column}: ${key}`).toBe(
            `FAILED ${code}${at}`,
          );
        }
    }),
  );

  it.effect("is found whatever rows are deleted, inserted, swapped or cut", () =>
    Effect.gen(function* () {
      yield* dropConstraints;
      const before = yield* sealedRun(STEPS, freshIdentity(TENANT));
      for (const [name, wanted, ...statements] of ATTACKS) {
        const identity = yield* attackedRun;
        yield* attack(identity, statements);
        expect(yield* answerTo(identity), name).toEqual(wanted);
      }
      const after = yield* sealedRun(STEPS, freshIdentity(TENANT));
      for (const neighbour of [before, after]) {
        expect(yield* answerTo(neighbour)).toBe("VERIFIED");
        expect(verdictOf(yield* read(neighbour)).chain_length).toBe(STEPS);
      }
    }),
  );
});
