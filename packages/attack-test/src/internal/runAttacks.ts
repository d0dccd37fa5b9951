/** Attacks on the rows of a run: rows 1 to 9 and 18 of the table, as far as one run's rows are changed. */
import { parseJson } from "@runproof/proof/JsonText";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { leafHash, nextLink } from "@runproof/proof/Chain";
import { sha256 } from "@runproof/proof/Hash";
import type { Change } from "../AttackLab.ts";
import type { Expected, RunAttack } from "./Attack.ts";
import { changesBetween, editRecord, relink, reseal, type RunRows, text } from "./Forgery.ts";
import type { SeededRandom } from "./SeededRandom.ts";

const idOf = ({ trace }: RunRows): string => text(trace, "trace_id");

const setStep = (step: JsonObject, set: JsonObject): Change => ({
  update: "aos_trace_steps",
  where: { trace_id: step["trace_id"]!, step_index: step["step_index"]! },
  set,
});

const setTrace = (run: RunRows, set: JsonObject): Change => ({
  update: "aos_traces",
  where: { trace_id: idOf(run) },
  set,
});

const deleteStep = (step: JsonObject): Change => ({
  delete: "aos_trace_steps",
  where: { trace_id: step["trace_id"]!, step_index: step["step_index"]! },
});

/** A value that a field did not have. */
const another = (value: JsonValue | undefined, random: SeededRandom): JsonValue => {
  if (typeof value === "number") return value + random.between(1, 1000);
  if (typeof value === "boolean") return !value;
  return `${typeof value === "string" ? value : ""}${random.pick(["x", "0", "é", "!"])}`;
};

const stepFields = [
  "skill_id",
  "skill_name",
  "outcome_category",
  "outcome_code",
  "idempotency_key",
  "duration_ms",
  "cost_cents",
  "retry_count",
] as const;

const traceFields = ["run_id", "tenant_id", "correlation_id", "agent_id", "redaction"] as const;

const stepColumns = [
  ...stepFields,
  "run_id",
  "tenant_id",
  "source",
  "status",
  "level",
  "replay_behavior",
  "synthetic_scenario_id",
  "is_synthetic",
  "params_commitment",
] as const;

const at = (run: RunRows, step_index: number | null, code: Expected["code"]): Expected => ({
  code,
  trace_id: idOf(run),
  step_index,
});

const hashOf = (random: SeededRandom): string => sha256(`forged ${random.below(2 ** 31)}`);

/** A step that is not the last, and its place. */
const innerStep = (run: RunRows, random: SeededRandom) => {
  const index = random.below(run.steps.length - 1);
  return { index, step: run.steps[index]! };
};

const anyStep = (run: RunRows, random: SeededRandom) => {
  const index = random.below(run.steps.length);
  return { index, step: run.steps[index]! };
};

const contentOf = (step: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(step).filter(([column]) => !["trace_id", "step_index"].includes(column)),
  );

/** The rows of a run whose last steps are gone, and how many are left. */
const cutTail = (run: RunRows, random: SeededRandom) => {
  const left = random.between(1, run.steps.length - 1);
  return { left, cut: { ...run, steps: run.steps.slice(0, left) } };
};

const editRecords: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 1,
    way: "a field of a step's record",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const record = text(step, "record");
      const field = random.pick(stepFields);
      const value = another((parseJson(record) as JsonObject)[field], random);
      return {
        changes: [setStep(step, { record: editRecord(record, { [field]: value }) })],
        expected: [at(run, index, "CONTENT_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 1,
    way: "a field of the trace record",
    plan: (victims, random) => {
      const run = victims.sealed();
      const record = text(run.trace, "record");
      const field = random.pick(traceFields);
      const value = another((parseJson(record) as JsonObject)[field], random);
      return {
        changes: [setTrace(run, { record: editRecord(record, { [field]: value }) })],
        expected: [at(run, null, "CONTENT_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 1,
    way: "a field of the seal record",
    plan: (victims, random) => {
      const run = victims.sealed();
      const record = text(run.trace, "seal_record");
      const edit = random.pick([
        { status: "failed", reason: "it failed" },
        { reason: "changed later" },
        { completed_at: "2020-01-01T00:00:00.000000Z" },
        { step_count: run.steps.length + 1 },
        { chain_head: hashOf(random) },
        { merkle_root: hashOf(random) },
      ] as ReadonlyArray<JsonObject>);
      return {
        changes: [setTrace(run, { seal_record: editRecord(record, edit) })],
        expected: [at(run, null, "SEAL_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 1,
    way: "a payload",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const params = parseJson(text(step, "params")) as JsonObject;
      const forged = editRecord(text(step, "params"), {
        amount_cents: Number(params["amount_cents"]) + random.between(1, 9999),
      });
      return {
        changes: [setStep(step, { params: forged })],
        expected: [at(run, index, "PAYLOAD_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 1,
    way: "white space in a step's record",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const record = text(step, "record");
      const spaced = random.pick([` ${record}`, `${record}\n`, record.replace(",", ", ")]);
      return {
        changes: [setStep(step, { record: spaced })],
        expected: [at(run, index, "NOT_CANONICAL")],
      };
    },
  },
];

const editColumns: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 2,
    way: "a step's column",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const column = random.pick(stepColumns);
      return {
        changes: [setStep(step, { [column]: another(step[column], random) })],
        expected: [at(run, index, "COLUMN_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 2,
    way: "a trace's column",
    plan: (victims, random) => {
      const run = victims.sealed();
      const column = random.pick([
        ...traceFields,
        "origin_system_id",
        "incident_id",
        "is_synthetic",
        "plan_commitment",
      ]);
      return {
        changes: [setTrace(run, { [column]: another(run.trace[column], random) })],
        expected: [at(run, null, "COLUMN_MISMATCH")],
        // The row of the run is beside none then.
        also: [orphaned(run)],
      };
    },
  },
  {
    kind: "run",
    row: 2,
    way: "the status, or another column of the seal",
    plan: (victims, random) => {
      const run = victims.sealed();
      const set = random.pick<JsonObject>([
        { status: "failed" },
        { status: "aborted" },
        { reason: "changed later" },
        { completed_at: "2020-01-01T00:00:00Z" },
        { metadata_commitment: `sha256:${hashOf(random)}` },
      ]);
      return { changes: [setTrace(run, set)], expected: [at(run, null, "COLUMN_MISMATCH")] };
    },
  },
  {
    kind: "run",
    row: 2,
    way: "the seal's count, head or root",
    plan: (victims, random) => {
      const run = victims.sealed();
      const set = random.pick<JsonObject>([
        { step_count: run.steps.length - 1 },
        { chain_head: hashOf(random) },
        { merkle_root: hashOf(random) },
        { root_hash: hashOf(random) },
      ]);
      return { changes: [setTrace(run, set)], expected: [at(run, null, "SEAL_MISMATCH")] };
    },
  },
  {
    kind: "run",
    row: 2,
    way: "a stored leaf hash",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      return {
        changes: [setStep(step, { leaf_hash: hashOf(random) })],
        expected: [at(run, index, "CONTENT_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 2,
    way: "a stored link",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      return {
        changes: [setStep(step, { link: hashOf(random) })],
        expected: [at(run, index, "LINK_BROKEN")],
      };
    },
  },
];

const moveSteps: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 3,
    way: "a step is deleted",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = innerStep(run, random);
      return { changes: [deleteStep(step)], expected: [at(run, index, "GAP")] };
    },
  },
  {
    kind: "run",
    row: 3,
    way: "a step is deleted and the later ones renumbered",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = innerStep(run, random);
      const later = run.steps.slice(index + 1);
      return {
        changes: [
          deleteStep(step),
          ...later.map((each, nth) => setStep(each, { step_index: index + nth })),
        ],
        expected: [
          at(run, index, "GAP"),
          ...later.map((_, nth) => at(run, index + nth + 1, "COLUMN_MISMATCH")),
        ],
      };
    },
  },
  {
    kind: "run",
    row: 3,
    way: "a step is put in again",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      return {
        changes: [{ insert: "aos_trace_steps", row: { ...step, step_index: run.steps.length } }],
        expected: [at(run, index, "FOREIGN_RECORD")],
      };
    },
  },
  {
    kind: "run",
    row: 3,
    way: "a step of the attacker's own is added behind the seal's count",
    plan: (victims) => {
      const run = victims.sealed();
      const last = run.steps.at(-1)!;
      const step_index = run.steps.length;
      const record = editRecord(text(last, "record"), { step_index });
      const leaf_hash = leafHash(record);
      const link = nextLink(text(last, "link"), leaf_hash);
      return {
        changes: [
          { insert: "aos_trace_steps", row: { ...last, step_index, record, leaf_hash, link } },
        ],
        expected: [at(run, step_index, "FOREIGN_RECORD")],
      };
    },
  },
  {
    kind: "run",
    row: 3,
    way: "two steps change places",
    plan: (victims, random) => {
      const run = victims.sealed();
      const [a, b] = random.pair(run.steps.length);
      const [first, second] = [run.steps[a]!, run.steps[b]!];
      const between = { ...first, step_index: -1 };
      return {
        changes: [
          setStep(first, { step_index: -1 }),
          setStep(second, { step_index: a }),
          setStep(between, { step_index: b }),
        ],
        expected: [at(run, a, "REORDERED"), at(run, b, "REORDERED")],
      };
    },
  },
];

const confuseRecords: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 4,
    way: "bytes move from one field to the next",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const [id, name] = [text(step, "skill_id"), text(step, "skill_name")];
      const moved = random.between(1, id.length - 1);
      const edit = {
        skill_id: id.slice(0, -moved),
        skill_name: id.slice(-moved) + name,
      };
      return {
        changes: [setStep(step, { ...edit, record: editRecord(text(step, "record"), edit) })],
        expected: [at(run, index, "CONTENT_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 4,
    way: "the trace record stands as a step, its leaf hash too",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const { record, leaf_hash } = run.trace;
      const set: JsonObject =
        random.below(2) === 0 ? { record: record! } : { record: record!, leaf_hash: leaf_hash! };
      return {
        changes: [setStep(step, set)],
        expected: [at(run, index, "FOREIGN_RECORD")],
      };
    },
  },
  {
    kind: "run",
    row: 4,
    way: "a step record stands as the trace record",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { step } = anyStep(run, random);
      return {
        changes: [setTrace(run, { record: step["record"]! })],
        expected: [at(run, null, "FOREIGN_RECORD")],
      };
    },
  },
];

const moveToOthers: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 5,
    way: "a step's content takes the place of another run's",
    plan: (victims, random) => {
      const [from, to] = [victims.sealed(), victims.sealed()];
      const { step } = anyStep(from, random);
      const { index, step: target } = anyStep(to, random);
      return {
        changes: [setStep(target, contentOf(step))],
        expected: [at(to, index, "FOREIGN_RECORD")],
      };
    },
  },
  {
    kind: "run",
    row: 5,
    way: "a step's row moves to another run",
    plan: (victims, random) => {
      const [from, to] = [victims.sealed(), victims.sealed()];
      const { index, step } = innerStep(from, random);
      const place = { trace_id: idOf(to), step_index: to.steps.length };
      return {
        changes: [setStep(step, place)],
        expected: [at(from, index, "GAP"), at(to, place.step_index, "FOREIGN_RECORD")],
      };
    },
  },
  {
    kind: "run",
    row: 5,
    way: "a run is given to another tenant by its columns",
    plan: (victims) => {
      const run = victims.sealed();
      const tenant_id = "tenant-of-the-attacker";
      return {
        changes: [
          setTrace(run, { tenant_id }),
          ...run.steps.map((step) => setStep(step, { tenant_id })),
        ],
        expected: [
          at(run, null, "COLUMN_MISMATCH"),
          ...run.steps.map((_, index) => at(run, index, "COLUMN_MISMATCH")),
        ],
        also: [orphaned(run)],
      };
    },
  },
  {
    kind: "run",
    row: 5,
    way: "a run is given to another tenant by its columns and its record",
    plan: (victims) => {
      const run = victims.sealed();
      const tenant_id = "tenant-of-the-attacker";
      const record = editRecord(text(run.trace, "record"), { tenant_id });
      return {
        changes: [
          setTrace(run, { tenant_id, record }),
          ...run.steps.map((step) => setStep(step, { tenant_id })),
        ],
        expected: [at(run, null, "CONTENT_MISMATCH")],
        also: [orphaned(run), { code: "COLUMN_MISMATCH", object: "runs" }],
      };
    },
  },
];

const cutTails: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 6,
    way: "the last steps are deleted",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { left } = cutTail(run, random);
      return {
        changes: run.steps.slice(left).map(deleteStep),
        expected: [at(run, left, "TRUNCATED")],
      };
    },
  },
];

/** What the log says of a run whose seal is another now. */
const sealedAnew = (run: RunRows): ReadonlyArray<Expected> => [
  { code: "NOT_IN_LOG", trace_id: idOf(run) },
  { code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) },
];

const forgeSeals: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 7,
    way: "the last steps are deleted and the seal forged",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { cut } = cutTail(run, random);
      return { changes: changesBetween(run, reseal(cut)), expected: sealedAnew(run) };
    },
  },
  {
    kind: "run",
    row: 7,
    way: "a step is rewritten, with every hash up to the root",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const edit = { skill_name: text(step, "skill_name") + "x" };
      const forged = { ...step, ...edit, record: editRecord(text(step, "record"), edit) };
      const steps = run.steps.with(index, forged);
      return {
        changes: changesBetween(run, reseal({ ...run, steps })),
        expected: sealedAnew(run),
      };
    },
  },
  {
    kind: "run",
    row: 7,
    way: "the trace record is rewritten, with every hash up to the root",
    plan: (victims) => {
      const run = victims.sealed();
      const edit = { agent_id: "another-agent" };
      const record = editRecord(text(run.trace, "record"), edit);
      return {
        changes: changesBetween(run, reseal({ ...run, trace: { ...run.trace, ...edit, record } })),
        expected: sealedAnew(run),
      };
    },
  },
  {
    kind: "run",
    row: 7,
    way: "the last steps are deleted and the seal taken away",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { left } = cutTail(run, random);
      return {
        changes: [...run.steps.slice(left).map(deleteStep), ...openAgain(run, left)],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) }],
      };
    },
  },
];

const SEAL_COLUMNS = [
  "reason",
  "completed_at",
  "sealed_at",
  "step_count",
  "chain_head",
  "merkle_root",
  "metadata_commitment",
  "seal_record",
  "root_hash",
  "metadata",
  "metadata_salt",
];

/** Makes a sealed run look as if it still ran. */
export const openAgain = (run: RunRows, left = run.steps.length): ReadonlyArray<Change> => [
  setTrace(run, {
    ...Object.fromEntries(SEAL_COLUMNS.map((column) => [column, null])),
    status: "running",
  }),
  { insert: "aos_trace_leases", row: leaseOver({ ...run, steps: run.steps.slice(0, left) }) },
  {
    update: "runs",
    where: { trace_id: idOf(run) },
    set: { status: "running", completed_at: null },
  },
];

/** What an audit says of the row of a run whose trace is not that run's any more. */
const orphaned = (run: RunRows): Expected => ({ code: "ORPHAN_ROWS", trace_id: idOf(run) });

/** A lease that says of an open run what is there, as one who knows how it is made would put it in. */
const leaseOver = ({ trace, steps }: RunRows): JsonObject => {
  const last = steps.at(-1) ?? trace;
  return {
    trace_id: text(trace, "trace_id"),
    tenant_id: text(trace, "tenant_id"),
    run_id: text(trace, "run_id"),
    capture: text(trace, "capture"),
    holder: "attacker",
    expires_at: inMs(LEASE_MS),
    next_index: steps.length,
    link: text(last, "link"),
    peaks: peaksOf([trace, ...steps].map((row) => text(row, "leaf_hash"))),
    open_intents: [],
    head_index: 0,
    head_logged_at: inMs(0),
  };
};

/** The roots of the complete subtrees over leaves, the largest first, as the database writes bytes. */
const peaksOf = (leaves: ReadonlyArray<string>): ReadonlyArray<string> => {
  const peaks: Array<string> = [];
  let rest = leaves;
  while (rest.length > 0) {
    const size = 2 ** Math.floor(Math.log2(rest.length));
    peaks.push(`\\x${merkleRoot(rest.slice(0, size))}`);
    rest = rest.slice(size);
  }
  return peaks;
};

/** Moves an open run's lease to where its rows stand now. */
export const moveLease = (run: RunRows): Change => {
  const { next_index, link, peaks } = leaseOver(run);
  return setLease(run, { next_index: next_index!, link: link!, peaks: peaks! });
};

/** As long as an honest lease may be. */
const LEASE_MS = 1_800_000;

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

const setLease = (run: RunRows, set: JsonObject): Change => ({
  update: "aos_trace_leases",
  where: { trace_id: idOf(run) },
  set,
});

/** Steps that bring a HEAD entry. */
const HEADED_STEPS = 1000;

/** A run with more steps of the attacker's own, each with the hashes that follow. */
const grown = (run: RunRows, count: number): RunRows => {
  const last = run.steps.at(-1)!;
  const more = Array.from({ length: count }, (_, nth) => {
    const step_index = run.steps.length + nth;
    return { ...last, step_index, record: editRecord(text(last, "record"), { step_index }) };
  });
  return relink({ ...run, steps: [...run.steps, ...more] });
};

const editLeases: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 8,
    way: "the lease says that a HEAD entry is not due yet",
    plan: (victims, random) => {
      const run = victims.open();
      const set = random.pick<JsonObject>([
        { head_index: 1_000_000_000 },
        { head_index: 1 },
        { head_logged_at: "2999-01-01T00:00:00Z" },
      ]);
      return {
        changes: [setLease(run, set)],
        expected: [{ ...at(run, null, "COLUMN_MISMATCH"), object: "aos_trace_leases" }],
      };
    },
  },
  {
    kind: "run",
    row: 8,
    way: "HEAD entries were kept out of the log while steps came",
    plan: (victims) => {
      const run = victims.open();
      const { steps } = grown(run, HEADED_STEPS);
      return {
        changes: [
          ...steps
            .slice(run.steps.length)
            .map((row): Change => ({ insert: "aos_trace_steps", row })),
          moveLease({ ...run, steps }),
        ],
        expected: [{ code: "NOT_IN_LOG", trace_id: idOf(run) }],
      };
    },
  },
  {
    kind: "run",
    row: 17,
    way: "a dead run's lease is made to end never",
    plan: (victims) => {
      const run = victims.open();
      return {
        changes: [setLease(run, { expires_at: "2999-01-01T00:00:00Z" })],
        expected: [{ ...at(run, null, "COLUMN_MISMATCH"), object: "aos_trace_leases" }],
      };
    },
  },
  {
    kind: "run",
    row: 17,
    way: "a run is left open behind its lease's end",
    plan: (victims) => {
      const run = victims.open();
      return {
        changes: [setLease(run, { expires_at: inMs(-LEASE_MS) })],
        expected: [at(run, null, "UNSEALED_PAST_LEASE")],
      };
    },
  },
];

const editRuns: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 2,
    way: "the row of a run beside its trace",
    plan: (victims, random) => {
      const run = victims.sealed();
      const where = { tenant_id: text(run.trace, "tenant_id"), run_id: text(run.trace, "run_id") };
      return {
        changes: [
          random.pick<Change>([
            { update: "runs", where, set: { status: random.pick(["failed", "running"]) } },
            { update: "runs", where, set: { status: "queued", trace_id: null } },
            { update: "runs", where, set: { created_at: inMs(LEASE_MS) } },
            { update: "runs", where, set: { started_at: inMs(-LEASE_MS) } },
            { update: "runs", where, set: { completed_at: null } },
            { update: "runs", where, set: { deleted_at: inMs(0) } },
            { delete: "runs", where },
          ]),
        ],
        expected: [{ ...at(run, null, "COLUMN_MISMATCH"), object: "runs" }],
      };
    },
  },
];

const cutOpenTails: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 8,
    way: "before the next HEAD entry",
    is_undetectable: true,
    plan: (victims, random) => {
      const run = victims.open();
      const { left } = cutTail(run, random);
      const cut = { ...run, steps: run.steps.slice(0, left) };
      return { changes: [...run.steps.slice(left).map(deleteStep), moveLease(cut)], expected: [] };
    },
  },
  {
    kind: "run",
    row: 8,
    way: "what a HEAD entry covers",
    plan: (victims, random) => {
      const run = victims.headed();
      const { left } = cutTail({ ...run, steps: run.steps.slice(0, -1) }, random);
      return {
        changes: [
          ...run.steps.slice(left).map(deleteStep),
          moveLease({ ...run, steps: run.steps.slice(0, left) }),
        ],
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) }],
      };
    },
  },
];

/** Deletes everything of a run but its log entries. */
export const deleteRun = (run: RunRows): ReadonlyArray<Change> => {
  const where = { trace_id: idOf(run) };
  return [
    { delete: "aos_trace_steps", where },
    { delete: "aos_trace_leases", where },
    { delete: "aos_traces", where },
    { delete: "runs", where },
  ];
};

const deleteRuns: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 9,
    way: "every row of a sealed run",
    plan: (victims) => {
      const run = victims.sealed();
      return {
        changes: deleteRun(run),
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) }],
      };
    },
  },
  {
    kind: "run",
    row: 9,
    way: "every row of an open run",
    plan: (victims) => {
      const run = victims.open();
      return {
        changes: deleteRun(run),
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) }],
      };
    },
  },
  {
    kind: "run",
    row: 9,
    way: "the trace's row alone",
    plan: (victims) => {
      const run = victims.sealed();
      const trace_id = idOf(run);
      return {
        changes: [{ delete: "aos_traces", where: { trace_id } }],
        expected: [
          { code: "ORPHAN_LOG_ENTRY", trace_id },
          { code: "ORPHAN_ROWS", trace_id },
        ],
      };
    },
  },
];

const eraseUnrecorded: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 18,
    way: "a payload is erased",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      const erased_at = random.below(2) === 0 ? { erased_at: "2026-02-11T00:00:00Z" } : {};
      return {
        changes: [setStep(step, { params: null, params_salt: null, ...erased_at })],
        expected: [at(run, index, "PAYLOAD_MISSING")],
      };
    },
  },
  {
    kind: "run",
    row: 18,
    way: "a payload's salt is erased",
    plan: (victims, random) => {
      const run = victims.sealed();
      const { index, step } = anyStep(run, random);
      return {
        changes: [setStep(step, { params_salt: null })],
        expected: [at(run, index, "PAYLOAD_MISSING")],
      };
    },
  },
  {
    kind: "run",
    row: 18,
    way: "a run is marked as archived",
    plan: (victims) => {
      const run = victims.sealed();
      return {
        changes: [setTrace(run, { archived_at: "2026-02-11T00:00:00Z" })],
        expected: [at(run, null, "COLUMN_MISMATCH")],
      };
    },
  },
  {
    kind: "run",
    row: 18,
    way: "a run is deleted",
    plan: (victims) => {
      const run = victims.sealed();
      return {
        changes: deleteRun(run),
        expected: [{ code: "ORPHAN_LOG_ENTRY", trace_id: idOf(run) }],
      };
    },
  },
];

const lies: ReadonlyArray<RunAttack> = [
  {
    kind: "run",
    row: 20,
    way: "a step says what did not happen",
    is_undetectable: true,
    plan: (victims) => {
      // Recorded as it was reported: there is nothing to change, and nothing to find.
      victims.sealed();
      return { changes: [], expected: [] };
    },
  },
];

/** All attacks on a run's rows. */
export const runAttacks: ReadonlyArray<RunAttack> = [
  ...editRecords,
  ...editColumns,
  ...moveSteps,
  ...confuseRecords,
  ...moveToOthers,
  ...cutTails,
  ...forgeSeals,
  ...cutOpenTails,
  ...editLeases,
  ...editRuns,
  ...deleteRuns,
  ...eraseUnrecorded,
  ...lies,
];
