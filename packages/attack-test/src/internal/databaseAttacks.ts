/** Attacks on the whole database: the log rewritten with the rows, an old backup, the schema itself. */
import { canonicalize, type JsonObject } from "@runproof/proof/CanonicalJson";
import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { entryLeafHash, eventDigest, LogEntryKind } from "@runproof/proof/LogEntry";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { generateSignerKey } from "@runproof/proof/NoteKey";
import type { Change, EvidenceRows } from "../AttackLab.ts";
import { STORED_SOURCE } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import type {
  DatabaseAttack,
  DatabasePlan,
  Expected,
  HonestDatabase,
  PassingAttack,
} from "./Attack.ts";
import {
  changesBetween,
  closeGaps,
  digestsBetween,
  editRecord,
  forgetTiles,
  REBUILD_TILES,
  relink,
  reseal,
  rewriteEntries,
  type RunRows,
  text,
} from "./Forgery.ts";
import { deleteRun, moveLease, openAgain } from "./runAttacks.ts";
import type { SeededRandom } from "./SeededRandom.ts";

/** How the audit of the attack test calls the checkpoint that its attackers can't reach. */
export const KEPT_SOURCE = "a checkpoint kept elsewhere";

const idOf = ({ trace }: RunRows): string => text(trace, "trace_id");

/** A run with one step rewritten, and every hash that follows. */
const rewritten = (run: RunRows, random: SeededRandom): RunRows => {
  const index = random.below(run.steps.length);
  const step = run.steps[index]!;
  const edit = { skill_name: `${text(step, "skill_name")} ${random.below(1000)}` };
  const forged = { ...step, ...edit, record: editRecord(text(step, "record"), edit) };
  return reseal({ ...run, steps: run.steps.with(index, forged) });
};

/** A run without its last step, sealed as if it never had one. */
const cutAndSealed = (run: RunRows): RunRows => reseal({ ...run, steps: run.steps.slice(0, -1) });

/** A run that is open with one step rewritten, and every link that follows. */
const rewrittenOpen = (run: RunRows, random: SeededRandom): RunRows => {
  const { steps } = rewritten({ ...run, trace: { ...run.trace, seal_record: "{}" } }, random);
  return relink({ ...run, steps });
};

/** The changes that rewrite the rows of every run, sealed or open, and all their log entries, tiles too. */
const rewriteEvery = (
  { rows, runs }: HonestDatabase,
  random: SeededRandom,
): ReadonlyArray<Change> => {
  const pairs = [...runs.values()].map((run) => {
    const isOpen = run.trace["seal_record"] === null;
    return [run, isOpen ? rewrittenOpen(run, random) : rewritten(run, random)] as const;
  });
  const digests = new Map(pairs.flatMap(([before, after]) => [...digestsBetween(before, after)]));
  return [
    ...pairs.flatMap(([before, after]) => changesBetween(before, after)),
    ...pairs.flatMap(([before, after]) =>
      before.trace["seal_record"] === null ? [moveLease(after)] : [],
    ),
    ...rewriteEntries(rows, digests),
    forgetTiles,
  ];
};

/** The changes that rewrite a run's rows and its log entries alike, tiles too. */
const rewriteAll = (rows: EvidenceRows, before: RunRows, after: RunRows): ReadonlyArray<Change> => [
  ...changesBetween(before, after),
  ...rewriteEntries(rows, digestsBetween(before, after)),
  forgetTiles,
];

const forgetCheckpoints: Change = { delete: "aos_checkpoints", where: {} };

const forked = (source: string): Expected => ({ code: "LOG_FORKED", object: source });
const shrunk = (source: string): Expected => ({ code: "LOG_SHRUNK", object: source });

const entriesOf = (rows: EvidenceRows, trace_id: string) =>
  rows.aos_log_entries.filter((entry) => entry["trace_id"] === trace_id);

/** The entry's row with what an attacker gives it, at an index. */
const entryAt = (
  log_index: number,
  entry: { readonly kind: number; readonly digest: string; readonly trace_id: string | null },
  event_record: string | null = null,
): Change => ({
  insert: "aos_log_entries",
  row: {
    log_index,
    ...entry,
    event_record,
    queued_at: "2026-02-11T00:00:00Z",
    sequenced_at: "2026-02-11T00:00:00Z",
  },
});

/** A sealed run whose entries are not the last ones of the log. */
const innerRun = ({ rows, sealed }: HonestDatabase, random: SeededRandom): RunRows => {
  const size = rows.aos_log_entries.length;
  const inner = sealed.filter((run) =>
    entriesOf(rows, idOf(run)).every((entry) => Number(entry["log_index"]) < size - 2),
  );
  return random.pick(inner);
};

const rewriteLog: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 7,
    way: "the seal forged and its log entry rewritten, tiles too",
    plan: ({ rows, sealed }, random) => {
      const run = random.pick(sealed);
      return {
        changes: rewriteAll(rows, run, cutAndSealed(run)),
        statements: [REBUILD_TILES],
        expected: [forked(KEPT_SOURCE), forked(STORED_SOURCE)],
        signer_refuses: "LogForked",
      };
    },
  },
  {
    kind: "database",
    row: 7,
    way: "the seal forged and an entry for it appended to the log",
    plan: ({ rows, sealed }, random) => {
      const run = random.pick(sealed);
      const forged = cutAndSealed(run);
      const digest = text(forged.trace, "root_hash");
      const trace_id = idOf(run);
      const entry = { kind: LogEntryKind.SEALED, digest, trace_id };
      return {
        changes: [...changesBetween(run, forged), entryAt(rows.aos_log_entries.length, entry)],
        statements: [REBUILD_TILES],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
        also: [{ code: "COLUMN_MISMATCH", trace_id, object: "runs" }],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "every row of a run and its log entries",
    plan: (target, random) => {
      const run = innerRun(target, random);
      const entries = entriesOf(target.rows, idOf(run));
      return {
        changes: [...deleteRun(run), { delete: "aos_log_entries", where: { trace_id: idOf(run) } }],
        expected: gapsAt(entries),
        also: [forked(KEPT_SOURCE), forked(STORED_SOURCE)],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "every row of a run and its log entries, the later ones renumbered, tiles too",
    plan: (target, random) => {
      const run = random.pick(target.sealed);
      return {
        changes: [
          ...deleteRun(run),
          ...closeGaps(target.rows, (entry) => entry["trace_id"] === idOf(run)),
          forgetTiles,
        ],
        statements: [REBUILD_TILES],
        expected: [shrunk(KEPT_SOURCE), shrunk(STORED_SOURCE)],
        signer_refuses: "LogShrunk",
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "the same, and the log filled up again with entries of a run that was made up",
    plan: (target, random) => {
      const run = random.pick(target.sealed);
      const trace_id = crypto.randomUUID();
      const digests = [random.below(2 ** 31), random.below(2 ** 31)].map((n) =>
        eventDigest(String(n)),
      );
      const size = target.rows.aos_log_entries.length - entriesOf(target.rows, idOf(run)).length;
      return {
        changes: [
          ...deleteRun(run),
          ...closeGaps(target.rows, (entry) => entry["trace_id"] === idOf(run)),
          entryAt(size, { kind: LogEntryKind.OPENED, digest: digests[0]!, trace_id }),
          entryAt(size + 1, { kind: LogEntryKind.SEALED, digest: digests[1]!, trace_id }),
          forgetTiles,
        ],
        statements: [REBUILD_TILES],
        expected: [
          forked(KEPT_SOURCE),
          forked(STORED_SOURCE),
          { code: "ORPHAN_LOG_ENTRY", trace_id },
        ],
        signer_refuses: "LogForked",
      };
    },
  },
  {
    kind: "database",
    row: 10,
    way: "the rows of every run, log entries and tiles rewritten, the stored checkpoints deleted",
    plan: (target, random) => ({
      changes: [...rewriteEvery(target, random), forgetCheckpoints],
      statements: [REBUILD_TILES],
      expected: [forked(KEPT_SOURCE)],
      signer_refuses: "LogForked",
    }),
  },
  {
    kind: "database",
    row: 10,
    way: "the same, and a checkpoint signed with the attacker's own key",
    plan: (target, random) => {
      const changes = rewriteEvery(target, random);
      return {
        changes: [...changes, forgetCheckpoints, ownCheckpoint(target.rows, changes)],
        statements: [REBUILD_TILES],
        expected: [forked(KEPT_SOURCE), { code: "KEY_UNTRUSTED", object: STORED_SOURCE }],
        signer_refuses: "LogForked",
      };
    },
  },
];

/** The gaps that entries leave: one for each run of them. */
const gapsAt = (entries: ReadonlyArray<JsonObject>): ReadonlyArray<Expected> => {
  const indexes = entries.map((entry) => Number(entry["log_index"])).sort((a, b) => a - b);
  return indexes
    .filter((index, at) => index !== (indexes[at - 1] ?? -2) + 1)
    .map((log_index) => ({ code: "GAP", log_index }));
};

/** The row of a checkpoint over the entries as they are after some changes, signed by a key that nobody trusts. */
const ownCheckpoint = (rows: EvidenceRows, changes: ReadonlyArray<Change>): Change => {
  const rewrittenAt = new Map(
    changes.flatMap((change) =>
      "update" in change && change.update === "aos_log_entries"
        ? [[change.where["log_index"], change.set["digest"]] as const]
        : [],
    ),
  );
  const leaves = rows.aos_log_entries.map((entry) => {
    const rewritten = rewrittenAt.get(entry["log_index"]);
    return entryLeafHash({
      kind: Number(entry["kind"]),
      digest: typeof rewritten === "string" ? rewritten : text(entry, "digest"),
    });
  });
  const key = generateSignerKey("runproof.localhost");
  const head = {
    origin: key.verifier.name,
    tree_size: leaves.length,
    root_hash: merkleRoot(leaves),
  };
  return {
    insert: "aos_checkpoints",
    row: {
      checkpoint_id: 1_000_000,
      ...head,
      note: signCheckpoint(head, [key]),
      stored_at: "2026-02-11T00:00:00Z",
    },
  };
};

/** What an older backup of the database held: everything of the log below an index, and nothing that came later. */
const backupBefore = (target: HonestDatabase, size: number): ReadonlyArray<Change> => {
  const { rows, runs } = target;
  const later = rows.aos_log_entries.slice(size);
  const idsOf = (kind: number) =>
    later.filter((entry) => entry["kind"] === kind).map((entry) => text(entry, "trace_id"));
  const notYetOpened = new Set(idsOf(LogEntryKind.OPENED));
  const notYetSealed = idsOf(LogEntryKind.SEALED).filter((id) => !notYetOpened.has(id));
  const there = (id: string) => runs.get(id);
  return [
    ...later.map((entry): Change => ({
      delete: "aos_log_entries",
      where: { log_index: entry["log_index"]! },
    })),
    forgetTiles,
    forgetCheckpoints,
    ...[...notYetOpened].flatMap((id) => {
      const run = there(id);
      return run === undefined
        ? (["runs", "aos_traces_archive", "aos_trace_steps_archive"] as const).map((table) => ({
            delete: table,
            where: { trace_id: id },
          }))
        : deleteRun(run);
    }),
    ...notYetSealed.flatMap((id) => {
      const run = there(id);
      return run === undefined ? [] : openAgain(run);
    }),
  ];
};

const restoreBackups: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 12,
    way: "the state of an earlier time",
    plan: (target, random) => {
      const runEntries = target.rows.aos_log_entries.findIndex(
        (entry) => entry["kind"] === LogEntryKind.EVENT || entry["kind"] === LogEntryKind.HEAD,
      );
      const size = random.between(1, runEntries - 1);
      return {
        changes: backupBefore(target, size),
        statements: [REBUILD_TILES],
        expected: [shrunk(KEPT_SOURCE)],
        signer_refuses: "LogShrunk",
      };
    },
  },
];

const eventOf = (event: string, trace_id: string, detail: JsonObject): string =>
  canonicalize({
    type: "runproof/event@v1",
    event,
    trace_id,
    occurred_at: "2026-02-11T00:00:00.000000Z",
    actor: "attacker",
    reason: "none",
    detail,
  });

const forgeEvents: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 18,
    way: "a run is deleted, with a deletion of another root appended to the log",
    plan: ({ rows, sealed }, random) => {
      const run = random.pick(sealed);
      const trace_id = idOf(run);
      const record = eventOf("deletion", trace_id, {
        root_hash: eventDigest(String(random.below(2 ** 31))),
      });
      const entry = { kind: LogEntryKind.EVENT, digest: eventDigest(record), trace_id };
      return {
        changes: [...deleteRun(run), entryAt(rows.aos_log_entries.length, entry, record)],
        statements: [REBUILD_TILES],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
      };
    },
  },
  {
    kind: "database",
    row: 18,
    way: "a recorded erasure is rewritten to cover another payload",
    plan: ({ rows, erased }, random) => {
      const step = random.pick(erased);
      const trace_id = text(step, "trace_id");
      const entry = entriesOf(rows, trace_id).find((each) => each["kind"] === LogEntryKind.EVENT)!;
      const log_index = Number(entry["log_index"]);
      const record = eventOf("erasure", trace_id, {
        payloads: `step ${text(step, "step_index")}:outcome_data`,
      });
      return {
        changes: [
          {
            update: "aos_log_entries",
            where: { log_index },
            set: { event_record: record },
          },
          {
            update: "aos_trace_steps",
            where: { trace_id, step_index: step["step_index"]! },
            set: { outcome_data: null, outcome_data_salt: null },
          },
        ],
        expected: [
          { code: "CONTENT_MISMATCH", log_index },
          { code: "PAYLOAD_MISSING", trace_id },
        ],
      };
    },
  },
];

const TRIGGERS = [
  "aos_traces s6_insert",
  "aos_traces s6_update",
  "aos_traces s6_delete",
  "aos_traces s6_truncate",
  "aos_trace_steps s6_insert",
  "aos_trace_steps s6_update",
  "aos_trace_steps s6_delete",
  "aos_trace_steps s6_truncate",
  "aos_log_entries s6_change",
  "aos_log_tiles s6_change",
  "aos_checkpoints s6_change",
  "runs s6_update",
].map((names) => names.split(" ") as [string, string]);

const GUARDS = [
  "runproof_guard_trace_update",
  "runproof_judge_steps",
  "runproof_guard_step_update",
  "runproof_guard_delete",
  "runproof_refuse",
];

/** Tables whose updates are guarded, and by what. */
const UPDATE_GUARDS = [
  ["aos_traces", "runproof_guard_trace_update"],
  ["aos_trace_steps", "runproof_guard_step_update"],
] as const;

/** Functions that others call, and nobody else may. */
const INNER_FUNCTIONS = [
  ["runproof_is_payload", "text, text, text, text"],
  ["runproof_require_record", "text, text, text"],
  ["runproof_refuse_closed", "text"],
  ["runproof_archive_traces", "text[], text[], timestamptz"],
] as const;

/** Makes a trigger's function that lets everything pass. */
const PASSES = (name: string): string =>
  `create function ${name}() returns trigger language plpgsql as $$ begin return new; end $$`;

/** Makes the guard of a table's updates anew, with another head. */
const triggerAgain = (table: string, event: string, rest: string): ReadonlyArray<string> => [
  `drop trigger s6_update on ${table}`,
  `create trigger s6_update ${event} on ${table} for each ${event.endsWith("truncate") ? "statement" : "row"} ${rest}`,
  `alter table ${table} enable always trigger s6_update`,
];

/** A statement on the database itself, whose name is another each time. */
const onDatabase = (statement: string): string =>
  `do $$ begin execute format('${statement}', current_database()); end $$`;

const GIVE_ALL = `do $$
declare
  each text;
begin
  for each in
    select format('table %s', oid::regclass) from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'
    union all select format('function %s', oid::regprocedure) from pg_proc
      where pronamespace = 'public'::regnamespace
  loop
    execute format('alter %s owner to runproof_app', each);
  end loop;
end
$$`;

const TABLES = [
  "aos_traces",
  "aos_trace_steps",
  "aos_log_entries",
  "aos_log_tiles",
  "aos_checkpoints",
] as const;

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

interface SchemaChange {
  readonly way: string;
  readonly plan: (
    target: HonestDatabase,
    random: SeededRandom,
  ) => Pick<DatabasePlan, "statements" | "expected" | "also">;
}

const drift = (object: string): Expected => ({ code: "CATALOG_DRIFT", object });

/** Everything that may be found of a run that was hidden or rewritten. */
const consequences = (trace_id: string): ReadonlyArray<Expected> =>
  (["ORPHAN_LOG_ENTRY", "ORPHAN_ROWS", "TRUNCATED", "COLUMN_MISMATCH"] as const).map((code) => ({
    code,
    trace_id,
  }));

const schemaChanges: ReadonlyArray<SchemaChange> = [
  {
    way: "a trigger is disabled",
    plan: (_, random) => {
      const [table, trigger] = random.pick(TRIGGERS);
      return {
        statements: [`alter table ${table} disable trigger ${trigger}`],
        expected: [drift(`${table}.${trigger}`)],
      };
    },
  },
  {
    way: "a trigger is no longer ENABLE ALWAYS",
    plan: (_, random) => {
      const [table, trigger] = random.pick(TRIGGERS);
      return {
        statements: [`alter table ${table} enable trigger ${trigger}`],
        expected: [drift(`${table}.${trigger}`)],
      };
    },
  },
  {
    way: "a trigger is dropped",
    plan: (_, random) => {
      const [table, trigger] = random.pick(TRIGGERS);
      return {
        statements: [`drop trigger ${trigger} on ${table}`],
        expected: [drift(`${table}.${trigger}`)],
      };
    },
  },
  {
    way: "a trigger of the attacker's own",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      return {
        statements: [
          `create function eat() returns trigger language plpgsql as $$ begin return null; end $$`,
          `create trigger a_first before insert on ${table} for each row execute function eat()`,
        ],
        expected: [drift(`${table}.a_first`)],
      };
    },
  },
  {
    way: "a guard's body is replaced",
    plan: (_, random) => {
      const name = random.pick(GUARDS);
      return {
        statements: [
          `create or replace function ${name}() returns trigger language plpgsql set search_path from current as $$ begin return coalesce(new, old); end $$`,
        ],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a rule eats inserts",
    plan: (_, random) => {
      const table = random.pick([...TABLES, "aos_log_queue"]);
      return {
        statements: [`create rule eat as on insert to ${table} do instead nothing`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "a policy hides a run from the verifier",
    plan: ({ sealed }, random) => {
      const trace_id = idOf(random.pick(sealed));
      const table = random.pick(["aos_traces", "aos_trace_steps"]);
      return {
        statements: [
          `alter table ${table} enable row level security`,
          `create policy hide on ${table} using (trace_id <> ${literal(trace_id)})`,
        ],
        expected: [drift(table)],
        also: consequences(trace_id),
      };
    },
  },
  {
    way: "a table is renamed and another put in its place, without a run",
    plan: ({ sealed }, random) => {
      const trace_id = idOf(random.pick(sealed));
      const table = random.pick(["aos_traces", "aos_trace_steps"]);
      return {
        statements: [
          `alter table ${table} rename to aos_swapped`,
          `create table ${table} (like aos_swapped including all)`,
          `insert into ${table} select * from aos_swapped where trace_id <> ${literal(trace_id)}`,
          `grant select on ${table} to runproof_app`,
        ],
        expected: [drift(`${table}.s6_insert`)],
        also: [{ code: "CATALOG_DRIFT" }, ...consequences(trace_id)],
      };
    },
  },
  {
    way: "a table becomes a view",
    plan: (_, random) => {
      const table = random.pick(["aos_traces", "aos_trace_steps", "aos_checkpoints"]);
      return {
        statements: [
          `alter table ${table} rename to aos_swapped`,
          `create view ${table} as select * from aos_swapped`,
          `grant select on ${table} to runproof_app`,
        ],
        expected: [drift(table)],
        also: [{ code: "CATALOG_DRIFT" }],
      };
    },
  },
  {
    way: "ALTER COLUMN TYPE USING rewrites a column of every row",
    plan: ({ runs }, random) => {
      const column = random.pick(["skill_name", "skill_id", "outcome_category", "source"]);
      const all = [...runs.values()].flatMap((run) => run.steps);
      return {
        statements: [
          `alter table aos_trace_steps alter column ${column} type text using ${column} || 'x'`,
        ],
        expected: all.map((step) => ({
          code: "COLUMN_MISMATCH",
          trace_id: text(step, "trace_id"),
          step_index: Number(step["step_index"]),
        })),
      };
    },
  },
  {
    way: "a key is dropped",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      return {
        statements: [`alter table ${table} drop constraint ${table}_pkey`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "the application may write",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      const right = random.pick(["insert", "update", "delete", "truncate"]);
      return {
        statements: [`grant ${right} on ${table} to runproof_app`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "the application owns a table",
    plan: (_, random) => {
      const table = random.pick(["aos_trace_steps", "aos_log_entries", "aos_log_tiles"]);
      return {
        statements: [`alter table ${table} owner to runproof_app`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "another table inherits from one",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      return {
        statements: [`create table more () inherits (${table})`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "a function of the same name",
    plan: (_, random) => {
      const name = random.pick(GUARDS);
      return {
        statements: [
          `create function ${name}(more integer) returns integer language sql as $$ select 1 $$`,
        ],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a trigger calls another function",
    plan: (_, random) => {
      const [table] = random.pick(UPDATE_GUARDS);
      return {
        statements: [
          PASSES("public.pass"),
          ...triggerAgain(table, "before update", "execute function public.pass()"),
        ],
        expected: [drift(`${table}.s6_update`)],
      };
    },
  },
  {
    way: "a trigger calls a function of the same name in another schema",
    plan: (_, random) => {
      const [table, guard] = random.pick(UPDATE_GUARDS);
      return {
        statements: [
          "create schema evil",
          PASSES(`evil.${guard}`),
          ...triggerAgain(table, "before update", `execute function evil.${guard}()`),
        ],
        expected: [drift(`${table}.s6_update`)],
      };
    },
  },
  {
    way: "a trigger fires on another event",
    plan: (_, random) => {
      const [table, guard] = random.pick(UPDATE_GUARDS);
      const event = random.pick(["after update", "before truncate"]);
      return {
        statements: triggerAgain(table, event, `execute function ${guard}()`),
        expected: [drift(`${table}.s6_update`)],
      };
    },
  },
  {
    way: "a trigger fires under a condition",
    plan: (_, random) => {
      const [table, guard] = random.pick(UPDATE_GUARDS);
      const [event, when] = random.pick([
        ["before update", "when (false)"],
        ["before update of run_id", ""],
      ] as const);
      return {
        statements: triggerAgain(table, event, `${when} execute function ${guard}()`),
        expected: [drift(`${table}.s6_update`)],
      };
    },
  },
  {
    way: "a table's triggers are switched off in pg_class",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      return {
        statements: [`update pg_class set relhastriggers = false where oid = '${table}'::regclass`],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "a key's index is switched off in pg_index",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      const flag = random.pick(["indisunique", "indisvalid", "indisready", "indislive"]);
      return {
        statements: [
          `update pg_index set ${flag} = false where indexrelid = '${table}_pkey'::regclass`,
        ],
        expected: [drift(table)],
      };
    },
  },
  {
    way: "a column is added, or loses what holds it",
    plan: (_, random) => {
      const [table, change] = random.pick([
        ["aos_traces", "add column note text"],
        ["aos_traces", "alter column status drop not null"],
        ["aos_log_entries", "alter column sequenced_at drop default"],
        ["aos_log_queue", "alter column transaction_id set default 0"],
      ] as const);
      return {
        statements: [`alter table ${table} ${change}`],
        expected: [drift(table)],
        also: [{ code: "UNREADABLE" }],
      };
    },
  },
  {
    way: "a table is no longer logged",
    plan: (_, random) => {
      const table = random.pick(TABLES);
      return { statements: [`alter table ${table} set unlogged`], expected: [drift(table)] };
    },
  },
  {
    way: "the application owns the schema",
    plan: () => ({
      statements: ["alter schema public owner to runproof_app"],
      expected: [drift("schema public")],
    }),
  },
  {
    way: "the application owns the database",
    plan: () => ({
      statements: [onDatabase("alter database %I owner to runproof_app")],
      expected: [drift("the database")],
    }),
  },
  {
    way: "the application owns the database, and so its schema",
    plan: () => ({
      statements: [
        "alter schema public owner to pg_database_owner",
        onDatabase("alter database %I owner to runproof_app"),
      ],
      expected: [drift("schema public"), drift("the database")],
    }),
  },
  {
    way: "the application owns all tables and functions",
    plan: () => ({
      statements: [GIVE_ALL],
      expected: [drift("aos_traces")],
      also: [{ code: "CATALOG_DRIFT" }],
    }),
  },
  {
    way: "the application owns a function",
    plan: (_, random) => {
      const name = random.pick(GUARDS);
      return {
        statements: [`alter function ${name}() owner to runproof_app`],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "the application, or everyone, may create in the schema",
    plan: (_, random) => ({
      statements: [`grant create on schema public to ${random.pick(["runproof_app", "public"])}`],
      expected: [drift("schema public")],
    }),
  },
  {
    way: "the application, or everyone, may create schemas",
    plan: (_, random) => ({
      statements: [
        onDatabase(`grant create on database %I to ${random.pick(["runproof_app", "public"])}`),
      ],
      expected: [drift("the database")],
    }),
  },
  {
    way: "the application reads who holds a lease",
    plan: () => ({
      statements: ["grant select (holder) on aos_trace_leases to runproof_app"],
      expected: [drift("aos_trace_leases")],
    }),
  },
  {
    way: "a function that is not for it may be executed by the application, or by everyone",
    plan: (_, random) => {
      const [name, parameters] = random.pick(INNER_FUNCTIONS);
      const role = random.pick(["runproof_app", "public"]);
      return {
        statements: [`grant execute on function ${name}(${parameters}) to ${role}`],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a function runs with other rights",
    plan: (_, random) => {
      const [name, parameters] = random.pick(INNER_FUNCTIONS);
      return {
        statements: [
          `alter function ${name}(${parameters}) security ${name === "runproof_archive_traces" ? "invoker" : "definer"}`,
        ],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a function passes over nulls",
    plan: (_, random) => {
      const [name, parameters] = random.pick(INNER_FUNCTIONS);
      return {
        statements: [`alter function ${name}(${parameters}) strict`],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a function's volatility is another",
    plan: () => ({
      statements: ["alter function runproof_lock_trace(text) stable"],
      expected: [drift("runproof_lock_trace")],
    }),
  },
  {
    way: "a function's body is read as another language",
    plan: (_, random) => {
      const name = random.pick(GUARDS);
      return {
        statements: [
          `update pg_proc set prolang = (select oid from pg_language where lanname = 'sql')
           where oid = 'public.${name}'::regproc`,
        ],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a function looks for names elsewhere",
    plan: (_, random) => {
      const name = random.pick(GUARDS);
      const path = random.pick(["evil, public, pg_temp", "public", '"public, pg_temp"']);
      return {
        statements: [`alter function ${name}() set search_path = ${path}`],
        expected: [drift(name)],
      };
    },
  },
  {
    way: "a function of the same name among the built-in ones, which are found first",
    plan: (_, random) => {
      const [name, parameters] = random.pick(INNER_FUNCTIONS);
      return {
        statements: [
          `create function pg_catalog.${name}(${parameters}) returns text language sql as $$ select '' $$`,
        ],
        expected: [drift(`pg_catalog.${name}`)],
      };
    },
  },
  {
    way: "an operator that fits better than the built-in one",
    plan: (_, random) => {
      const [name, left, right] = random.pick([
        ["*", "integer", "interval"],
        ["||", "text", "bigint"],
        ["=", "text", "bigint"],
      ] as const);
      return {
        statements: [
          `create function public.instead(${left}, ${right}) returns ${right} language sql as $$ select $2 $$`,
          `create operator public.${name} (leftarg = ${left}, rightarg = ${right}, function = public.instead)`,
        ],
        expected: [drift(`operator ${name}(${left}, ${right})`)],
      };
    },
  },
  {
    way: "a function that fits better than the built-in one",
    plan: () => ({
      statements: [
        "create function public.to_json(text) returns json language sql as $$ select null::json $$",
      ],
      expected: [drift("function to_json(text)")],
    }),
  },
];

const SEQUENCES = ["aos_log_queue_queue_id_seq", "aos_checkpoints_checkpoint_id_seq"];

/** Orders texts backwards, in an index that the built-in comparisons are answered from. */
const BACKWARDS: ReadonlyArray<string> = [
  "create function public.backwards(text, text) returns integer immutable language sql as $$ select -bttextcmp($1, $2) $$",
  `create operator class public.backwards_ops for type text using btree as
     operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 public.backwards(text, text)`,
];

const PEEK =
  "create function public.peek(text) returns text immutable language sql as $$ select $1 $$";

/** What stands in for PostgreSQL's own in what is read. */
const standIns: ReadonlyArray<Pick<PassingAttack, "way" | "plan">> = [
  {
    way: "operators of another schema, and a search path that finds them first",
    plan: (random) => {
      const operator = random.pick([">=", "<=", ">", "<", "="]);
      return {
        statements: [
          "create schema evil",
          "create function evil.denies(text, text) returns boolean language sql as $$ select false $$",
          `create operator evil.${operator} (leftarg = text, rightarg = text, function = evil.denies)`,
          onDatabase("alter database %I set search_path = public, evil, pg_catalog"),
        ],
        object: `operator evil.${operator}(text, text)`,
        others: ["the settings of the database"],
      };
    },
  },
  {
    way: "an index of an operator class that orders ids otherwise",
    plan: (random) => {
      const [table, column] = random.pick([
        ["aos_traces", "trace_id"],
        ["aos_trace_steps", "trace_id"],
        ["aos_log_entries", "trace_id"],
      ] as const);
      return {
        statements: [
          ...BACKWARDS,
          `create index aside on ${table} (${column} public.backwards_ops)`,
        ],
        object: table,
        others: ["operator class public.backwards_ops"],
      };
    },
  },
  {
    way: "the database or a role sets how statements are planned, or whether triggers fire",
    plan: (random) => {
      const setting = random.pick([
        "enable_seqscan = off",
        "enable_indexscan = off",
        "session_replication_role = replica",
      ]);
      const [statement, object] = random.pick([
        [onDatabase(`alter database %I set ${setting}`), "the settings of the database"],
        [`alter role runproof_app set ${setting}`, "the settings of the role runproof_app"],
      ] as const);
      return { statements: [statement], object };
    },
  },
  {
    way: "a cast prints values of a built-in type otherwise",
    plan: (random) => {
      const [type, printed] = random.pick([
        ["timestamptz", "timestamp with time zone"],
        ["regrole", "regrole"],
        ["bigint", "bigint"],
      ] as const);
      return {
        statements: [
          `create function public.printed(${type}) returns text immutable language sql as $$ select 'as before'::text $$`,
          `create cast (${type} as text) with function public.printed(${type})`,
        ],
        object: `cast (${printed} as text)`,
      };
    },
  },
];

/** What is added to the tables, or leads to them. */
const waysIn: ReadonlyArray<Pick<PassingAttack, "way" | "plan">> = [
  {
    way: "a check, a foreign key or an exclusion constraint is added",
    plan: (random) => {
      const table = random.pick(["aos_traces", "aos_trace_steps"]);
      const constraint = random.pick([
        "check (tenant_id <> 'tenant-0') not valid",
        "foreign key (tenant_id) references known not valid",
        "exclude using btree (trace_id with =) where (tenant_id = 'nobody')",
      ]);
      return {
        statements: [
          "create table known (tenant_id text primary key)",
          `alter table ${table} add constraint added ${constraint}`,
        ],
        object: table,
      };
    },
  },
  {
    way: "an index or statistics run a function over a table",
    plan: (random) => {
      const statement = random.pick([
        "create index aside on aos_traces (public.peek(tenant_id))",
        "create statistics aside on (public.peek(tenant_id)), (lower(tenant_id)) from aos_traces",
      ]);
      return { statements: [PEEK, statement], object: "aos_traces" };
    },
  },
  {
    way: "a sequence is granted, or numbers otherwise",
    plan: (random) => {
      const sequence = random.pick(SEQUENCES);
      const statement = random.pick([
        `grant update on sequence ${sequence} to runproof_app`,
        `alter sequence ${sequence} increment by -1 minvalue -1000`,
      ]);
      return { statements: [statement], object: sequence };
    },
  },
  {
    way: "a table inherits from another",
    plan: () => ({
      statements: [
        "create table base (level smallint not null)",
        "alter table aos_log_tiles inherit base",
      ],
      object: "aos_log_tiles",
    }),
  },
  {
    way: "a view over a table is given to the application, or to everyone",
    plan: (random) => {
      const table = random.pick(TABLES);
      const role = random.pick(["runproof_app", "runproof_tenant", "public"]);
      const right = random.pick(["select", "insert", "update", "delete"]);
      return {
        statements: [
          `create view door as select * from ${table}`,
          `grant ${right} on door to ${role}`,
        ],
        object: "door",
      };
    },
  },
  {
    way: "a function with the owner's rights is given to the application, or to everyone",
    plan: (random) => ({
      statements: [
        "create function door(text) returns void language sql security definer as $$ delete from aos_trace_leases where trace_id = $1 $$",
        `grant execute on function door(text) to ${random.pick(["runproof_app", "public"])}`,
      ],
      object: "function door(text)",
    }),
  },
  {
    way: "a rule or a trigger of another table acts on one with the owner's rights",
    plan: (random) => ({
      statements: [
        "create table door (trace_id text)",
        "grant insert on door to public",
        ...random.pick([
          [
            "create rule through as on insert to door do instead delete from aos_trace_leases l where l.trace_id = new.trace_id",
          ],
          [
            "create function public.through() returns trigger language plpgsql security definer as $$ begin return new; end $$",
            "create trigger through before insert on door for each row execute function public.through()",
          ],
        ]),
      ],
      object: "door",
    }),
  },
  {
    way: "the operator's role gets the rights of another",
    plan: (random) => ({
      statements: [
        random.pick([
          "alter role runproof_operator superuser",
          "grant pg_write_all_data to runproof_operator",
        ]),
      ],
      object: "runproof_operator",
    }),
  },
];

/** What is looked at from inside: roles, and a column's sort order, after which open sessions can't run their statements again. */
export const passingAttacks: ReadonlyArray<PassingAttack> = [
  {
    kind: "passing",
    row: 15,
    way: "an id's collation takes different ids for one",
    plan: (random) => {
      const table = random.pick(["aos_traces", "aos_trace_steps", "aos_log_entries"]);
      return {
        statements: [
          "create collation alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
          `alter table ${table} alter trace_id type text collate alike`,
        ],
        object: table,
      };
    },
  },
  {
    kind: "passing",
    row: 15,
    way: "another login owns a table",
    plan: (random) => {
      const table = random.pick(TABLES.slice(1));
      return {
        statements: ["create role mallory login", `alter table ${table} owner to mallory`],
        object: table,
        // What numbers its rows goes with it.
        others: SEQUENCES.filter((sequence) => sequence.startsWith(table)),
      };
    },
  },
  {
    kind: "passing",
    row: 15,
    way: "another login owns the schema",
    plan: () => ({
      statements: ["create role mallory login", "alter schema public owner to mallory"],
      object: "schema public",
    }),
  },
  {
    kind: "passing",
    row: 15,
    way: "the application's role gets an attribute",
    plan: (random) => {
      const attributes = ["superuser", "bypassrls", "createrole", "createdb", "replication"];
      return {
        statements: [`alter role runproof_app ${random.pick(attributes)}`],
        object: "runproof_app",
      };
    },
  },
  {
    kind: "passing",
    row: 15,
    way: "the application's role gets the rights of another",
    plan: (random) => {
      const roles = ["pg_write_all_data", "pg_read_all_data", "pg_execute_server_program"];
      return {
        statements: [`grant ${random.pick(roles)} to runproof_app`],
        object: "runproof_app",
      };
    },
  },
  ...[...standIns, ...waysIn].map((trick) => ({ kind: "passing" as const, row: 15, ...trick })),
];

const changeSchema: ReadonlyArray<DatabaseAttack> = schemaChanges.map(({ way, plan }) => ({
  kind: "database",
  row: 15,
  way,
  plan: (target, random) => ({
    changes: [],
    changes_schema: true,
    ...plan(target, random),
  }),
}));

/** All attacks on the whole database. */
export const databaseAttacks: ReadonlyArray<DatabaseAttack> = [
  ...rewriteLog,
  ...restoreBackups,
  ...forgeEvents,
  ...changeSchema,
];
