/** Attacks on what no hash covers: whose an entry says it is, what waits, tiles, checkpoints, rows beside the evidence. */
import { parseJson } from "@runproof/proof/JsonText";
import { canonicalize, type JsonObject } from "@runproof/proof/CanonicalJson";
import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { entryLeafHash, eventDigest, LogEntryKind } from "@runproof/proof/LogEntry";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { generateSignerKey, parseVerifierKey } from "@runproof/proof/NoteKey";
import type { Change, EvidenceRows } from "../AttackLab.ts";
import { STORED_SOURCE } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import type { DatabaseAttack, HonestDatabase } from "./Attack.ts";
import { REBUILD_TILES, type RunRows, text } from "./Forgery.ts";
import { deleteRun, moveLease } from "./runAttacks.ts";
import type { SeededRandom } from "./SeededRandom.ts";

const TIME = "2026-02-11T00:00:00Z";

const idOf = ({ trace }: RunRows): string => text(trace, "trace_id");

const isEvent =
  (event: string) =>
  (entry: JsonObject): boolean =>
    entry["kind"] === LogEntryKind.EVENT &&
    (parseJson(text(entry, "event_record")) as JsonObject)["event"] === event;

/** The trace that its owner deleted as recorded. */
const deletedTrace = ({ rows }: HonestDatabase): string =>
  text(rows.aos_log_entries.find(isEvent("deletion"))!, "trace_id");

const eventOf = (event: string, trace_id: string | null, detail: JsonObject): string =>
  canonicalize({
    type: "runproof/event@v1",
    event,
    trace_id,
    occurred_at: "2026-02-11T00:00:00.000000Z",
    actor: "attacker",
    reason: "none",
    detail,
  });

/** An EVENT of the attacker's own behind the last entry. */
const appendEvent = (
  { aos_log_entries }: EvidenceRows,
  trace_id: string | null,
  event_record: string,
): Change => ({
  insert: "aos_log_entries",
  row: {
    log_index: aos_log_entries.length,
    kind: LogEntryKind.EVENT,
    digest: eventDigest(event_record),
    trace_id,
    event_record,
    queued_at: TIME,
    sequenced_at: TIME,
  },
});

const retarget = (where: JsonObject, trace_id: string | null): Change => ({
  update: "aos_log_entries",
  where,
  set: { trace_id },
});

const runRow = (run_id: string, status: string, trace_id: string | null): Change => ({
  insert: "runs",
  row: { tenant_id: "tenant-0", run_id, status, trace_id, created_at: TIME },
});

const hashOf = (random: SeededRandom): string => eventDigest(String(random.below(2 ** 31)));

const hideBehindDeletions: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 9,
    way: "every row of some runs, whose entries then name a run that was deleted as recorded",
    plan: (target, random) => {
      const trace_id = deletedTrace(target);
      const first = random.below(target.sealed.length - 3);
      const runs = target.sealed.slice(first, first + random.between(1, 3));
      return {
        changes: runs.flatMap((run) => [
          ...deleteRun(run),
          retarget({ trace_id: idOf(run) }, trace_id),
        ]),
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
        also: [{ code: "ORPHAN_ROWS", trace_id }],
      };
    },
  },
  {
    kind: "database",
    row: 8,
    way: "what a HEAD entry covers, and the entry then names a run that was deleted as recorded",
    plan: (target, random) => {
      const run = random.pick(target.headed);
      const trace_id = deletedTrace(target);
      return {
        changes: [
          ...run.steps.slice(1).map((step): Change => ({
            delete: "aos_trace_steps",
            where: { trace_id: idOf(run), step_index: step["step_index"]! },
          })),
          { update: "aos_trace_leases", where: { trace_id: idOf(run) }, set: { head_index: 0 } },
          moveLease({ ...run, steps: run.steps.slice(0, 1) }),
          retarget({ trace_id: idOf(run), kind: LogEntryKind.HEAD }, trace_id),
        ],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
        also: [{ code: "ORPHAN_ROWS", trace_id }],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "runs' rows that name a run that was deleted as recorded",
    plan: (target) => {
      const trace_id = deletedTrace(target);
      return {
        changes: ["one", "two"].map((run_id) => runRow(run_id, "succeeded", trace_id)),
        expected: [{ code: "ORPHAN_ROWS", trace_id }],
      };
    },
  },
];

const nameOthers: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 7,
    way: "a run's entry in the log names no trace any more",
    plan: ({ rows, sealed }, random) => {
      const trace_id = idOf(random.pick(sealed));
      const entries = rows.aos_log_entries.filter((entry) => entry["trace_id"] === trace_id);
      const log_index = Number(random.pick(entries)["log_index"]);
      return {
        changes: [retarget({ log_index }, null)],
        expected: [
          { code: "ORPHAN_LOG_ENTRY", log_index },
          { code: "NOT_IN_LOG", trace_id },
        ],
      };
    },
  },
  {
    kind: "database",
    row: 18,
    way: "a recorded erasure names another run",
    plan: ({ rows, sealed, erased }, random) => {
      const log_index = Number(rows.aos_log_entries.find(isEvent("erasure"))!["log_index"]);
      return {
        changes: [retarget({ log_index }, idOf(random.pick(sealed)))],
        expected: [
          { code: "COLUMN_MISMATCH", log_index },
          { code: "PAYLOAD_MISSING", trace_id: text(erased[0]!, "trace_id") },
        ],
      };
    },
  },
  {
    kind: "database",
    row: 18,
    way: "an archival or deletion that was never made is appended to the log",
    plan: ({ rows, sealed }, random) => {
      const run = random.pick(sealed);
      const trace_id = idOf(run);
      const event = random.pick(["archival", "deletion"]);
      const detail = event === "deletion" ? { root_hash: text(run.trace, "root_hash") } : {};
      return {
        changes: [appendEvent(rows, trace_id, eventOf(event, trace_id, detail))],
        statements: [REBUILD_TILES],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id, log_index: rows.aos_log_entries.length }],
      };
    },
  },
  {
    kind: "database",
    row: 18,
    way: "an event that names no run is appended to the log",
    plan: ({ rows }, random) => {
      const event = random.pick(["erasure", "archival", "deletion"]);
      return {
        changes: [appendEvent(rows, null, eventOf(event, null, {}))],
        statements: [REBUILD_TILES],
        expected: [{ code: "ORPHAN_LOG_ENTRY", log_index: rows.aos_log_entries.length }],
      };
    },
  },
  {
    kind: "database",
    row: 18,
    way: "an erasure of a step that never was is appended to the log",
    plan: ({ rows, sealed }, random) => {
      const run = random.pick(sealed);
      const trace_id = idOf(run);
      const payloads = `step ${run.steps.length + random.below(10)}:params`;
      return {
        changes: [appendEvent(rows, trace_id, eventOf("erasure", trace_id, { payloads }))],
        statements: [REBUILD_TILES],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "an entry of a run that never was waits for its index",
    plan: (_, random) => {
      const trace_id = crypto.randomUUID();
      return {
        changes: [
          {
            insert: "aos_log_queue",
            row: {
              queue_id: 1_000_000,
              kind: random.pick([LogEntryKind.OPENED, LogEntryKind.SEALED, LogEntryKind.HEAD]),
              digest: hashOf(random),
              trace_id,
              queued_at: TIME,
              transaction_id: 1,
            },
          },
        ],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id }],
        // It says that it came long ago.
        also: [{ code: "LOG_STALLED", object: "aos_log_queue" }],
      };
    },
  },
];

const keptBeside: ReadonlyArray<DatabaseAttack> = [
  {
    kind: "database",
    row: 10,
    way: "a stored hash of the log's tree, and nothing else",
    plan: ({ rows }, random) => {
      const tile = rows.aos_log_tiles[0]!;
      const column = random.pick(["hashes", "root"]);
      const value = text(tile, column);
      const last = value.endsWith("0") ? "1" : "0";
      const { level, tile_index } = tile;
      return {
        changes: [
          {
            update: "aos_log_tiles",
            where: { level: level!, tile_index: tile_index! },
            set: { [column]: `${value.slice(0, -1)}${last}` },
          },
        ],
        expected: [{ code: "TILE_MISMATCH", object: "tile 0/0" }],
      };
    },
  },
  {
    kind: "database",
    row: 10,
    way: "a column of the stored checkpoint",
    plan: ({ rows }, random) => {
      const set = random.pick<JsonObject>([
        { origin: "attacker.example/log" },
        { tree_size: rows.aos_log_entries.length + 1 },
        { root_hash: hashOf(random) },
      ]);
      return {
        changes: [{ update: "aos_checkpoints", where: {}, set }],
        expected: [{ code: "COLUMN_MISMATCH", object: STORED_SOURCE }],
      };
    },
  },
  {
    kind: "database",
    row: 10,
    way: "a change of the log's key to the attacker's is appended, under a checkpoint that only that key signed",
    plan: ({ rows, vkey }) => {
      const key = generateSignerKey(parseVerifierKey(vkey).name);
      const log_index = rows.aos_log_entries.length;
      const detail = { old_vkey: vkey, new_vkey: key.verifier.text };
      const record = eventOf("key_added", null, detail);
      const entries = [
        ...rows.aos_log_entries.map((entry) => ({
          kind: Number(entry["kind"]),
          digest: text(entry, "digest"),
        })),
        { kind: LogEntryKind.EVENT, digest: eventDigest(record) },
      ];
      const head = {
        origin: key.verifier.name,
        tree_size: entries.length,
        root_hash: merkleRoot(entries.map(entryLeafHash)),
      };
      return {
        changes: [
          appendEvent(rows, null, record),
          {
            insert: "aos_checkpoints",
            row: {
              checkpoint_id: 1_000_000,
              ...head,
              note: signCheckpoint(head, [key]),
              stored_at: TIME,
            },
          },
        ],
        statements: [REBUILD_TILES],
        expected: [
          { code: "KEY_UNTRUSTED", log_index },
          { code: "KEY_UNTRUSTED", object: STORED_SOURCE },
        ],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "a lease or a run's row that names a run which never was",
    plan: (_, random) => {
      const trace_id = crypto.randomUUID();
      const lease: Change = {
        insert: "aos_trace_leases",
        row: {
          trace_id,
          tenant_id: "tenant-0",
          run_id: "never",
          capture: "inline",
          holder: "",
          expires_at: TIME,
          next_index: 0,
          link: "",
          peaks: [],
          open_intents: [],
          head_index: 0,
          head_logged_at: TIME,
        },
      };
      return {
        changes: [random.pick([lease, runRow("never", "succeeded", trace_id)])],
        expected: [{ code: "ORPHAN_ROWS", trace_id }],
      };
    },
  },
  {
    kind: "database",
    row: 9,
    way: "a run's row that says it ended, and names no trace",
    plan: (_, random) => ({
      changes: [runRow("ended", random.pick(["running", "succeeded", "failed"]), null)],
      expected: [{ code: "ORPHAN_ROWS", trace_id: null }],
    }),
  },
  {
    kind: "database",
    row: 15,
    way: "a trace's id is taken away, and the key that forbids it",
    plan: ({ sealed }, random) => {
      const trace_id = idOf(random.pick(sealed));
      return {
        changes: [],
        changes_schema: true,
        statements: [
          "alter table aos_traces disable trigger user",
          "alter table aos_traces drop constraint aos_traces_pkey",
          "alter table aos_traces alter column trace_id drop not null",
          `update aos_traces set trace_id = null where trace_id = '${trace_id}'`,
        ],
        expected: [
          { code: "ORPHAN_ROWS", trace_id: null },
          { code: "ORPHAN_ROWS", trace_id },
          { code: "ORPHAN_LOG_ENTRY", trace_id },
          { code: "CATALOG_DRIFT", object: "aos_traces" },
        ],
        also: [{ code: "CATALOG_DRIFT" }],
      };
    },
  },
];

/** All attacks on what no hash covers. */
export const logAttacks: ReadonlyArray<DatabaseAttack> = [
  ...hideBehindDeletions,
  ...nameOthers,
  ...keptBeside,
];
