/** What an attacker who knows the format does to rows: every hash is recomputed that can be. Pure; all rows are JSON. */
import { parseJson } from "@runproof/proof/JsonText";
import { canonicalize, type JsonObject, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import { firstLink, leafHash, nextLink, rootHash } from "@runproof/proof/Chain";
import { CompactRange, merkleRoot } from "@runproof/proof/MerkleTree";
import type { Change, EvidenceRows } from "../AttackLab.ts";

/** The rows of one run. */
export interface RunRows {
  readonly trace: JsonObject;
  /** In the order of their index. */
  readonly steps: ReadonlyArray<JsonObject>;
}

/** A column that holds a text. */
export const text = (row: JsonObject, column: string): string => {
  const value = row[column];
  return typeof value === "string" ? value : JSON.stringify(value);
};

/** The rows of every run, by the id of its trace. */
export const runsOf = (rows: EvidenceRows): ReadonlyMap<string, RunRows> => {
  const steps = Map.groupBy(rows.aos_trace_steps, (step) => text(step, "trace_id"));
  return new Map(
    rows.aos_traces.map((trace) => {
      const id = text(trace, "trace_id");
      return [id, { trace, steps: steps.get(id) ?? [] }];
    }),
  );
};

/** A record's text with some fields changed, in canonical form. */
export const editRecord = (record: string, changes: JsonObject): string =>
  canonicalize({ ...(parseJson(record) as JsonObject), ...changes }, PARSED_LIMITS);

/** The rows with leaves, links and subtrees that follow from their records. */
export const relink = ({ trace, steps }: RunRows): RunRows => {
  const leaf_hash = leafHash(text(trace, "record"));
  let link = firstLink(leaf_hash);
  const tree = new CompactRange();
  tree.append(leaf_hash);
  return {
    trace: { ...trace, leaf_hash, link },
    steps: steps.map((step) => {
      const leaf = leafHash(text(step, "record"));
      link = nextLink(link, leaf);
      const completed = tree.append(leaf);
      const subtrees =
        completed.length === 0 ? null : `\\x${Buffer.concat(completed).toString("hex")}`;
      return { ...step, leaf_hash: leaf, link, subtrees };
    }),
  };
};

/** The rows with leaves, links and a seal that follow from their records. */
export const reseal = (run: RunRows): RunRows => {
  const { trace, steps } = relink(run);
  const facts = {
    chain_head: text(steps.at(-1) ?? trace, "link"),
    merkle_root: merkleRoot([trace, ...steps].map((row) => text(row, "leaf_hash"))),
    step_count: steps.length,
  };
  const seal_record = editRecord(text(trace, "seal_record"), facts);
  const root_hash = rootHash(facts.chain_head, seal_record);
  return { trace: { ...trace, ...facts, seal_record, root_hash }, steps };
};

const changedColumns = (before: JsonObject, after: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(after).filter(([column, value]) => before[column] !== value));

const updateOf = (
  table: "aos_traces" | "aos_trace_steps",
  where: JsonObject,
  set: JsonObject,
): ReadonlyArray<Change> => (Object.keys(set).length === 0 ? [] : [{ update: table, where, set }]);

/** The changes that bring one run's rows from one state to another; steps that the other has not are deleted. */
export const changesBetween = (before: RunRows, after: RunRows): ReadonlyArray<Change> => {
  const trace_id = before.trace["trace_id"]!;
  const kept = new Map(after.steps.map((step) => [step["step_index"], step]));
  return [
    ...updateOf("aos_traces", { trace_id }, changedColumns(before.trace, after.trace)),
    ...before.steps.flatMap((step): ReadonlyArray<Change> => {
      const where = { trace_id, step_index: step["step_index"]! };
      const then = kept.get(step["step_index"]);
      return then === undefined
        ? [{ delete: "aos_trace_steps", where }]
        : updateOf("aos_trace_steps", where, changedColumns(step, then));
    }),
  ];
};

/** The hashes that the log may hold of one state of a run, each with what it is in another. */
export const digestsBetween = (before: RunRows, after: RunRows): ReadonlyMap<string, string> =>
  new Map([
    [text(before.trace, "link"), text(after.trace, "link")],
    [text(before.trace, "root_hash"), text(after.trace, "root_hash")],
    ...before.steps.flatMap((step, at) => {
      const then = after.steps[at];
      return then === undefined ? [] : [[text(step, "link"), text(then, "link")] as const];
    }),
  ]);

/** The changes that put other digests into the log's entries. Its tiles are made anew by `rebuildTiles`. */
export const rewriteEntries = (
  rows: EvidenceRows,
  digests: ReadonlyMap<string, string>,
): ReadonlyArray<Change> =>
  rows.aos_log_entries.flatMap((entry): ReadonlyArray<Change> => {
    const digest = digests.get(text(entry, "digest"));
    if (digest === undefined || digest === entry["digest"]) return [];
    const where = { log_index: entry["log_index"]! };
    return [{ update: "aos_log_entries", where, set: { digest } }];
  });

/** Forgets the tree's hashes; the sequencer then makes them of the entries that are there. */
export const forgetTiles: Change = { delete: "aos_log_tiles", where: {} };

/** The statement that has the sequencer make the tiles. */
export const REBUILD_TILES = "select runproof_sequence_log(5000)";

/** The changes that take entries out of the log and close the gaps behind them. */
export const closeGaps = (
  rows: EvidenceRows,
  isRemoved: (entry: JsonObject) => boolean,
): ReadonlyArray<Change> => {
  const removed = rows.aos_log_entries.filter(isRemoved);
  const kept = rows.aos_log_entries.filter((entry) => !isRemoved(entry));
  return [
    ...removed.map((entry): Change => ({
      delete: "aos_log_entries",
      where: { log_index: entry["log_index"]! },
    })),
    // In order: the index that an entry takes has been left.
    ...kept.flatMap((entry, log_index): ReadonlyArray<Change> =>
      entry["log_index"] === log_index
        ? []
        : [
            {
              update: "aos_log_entries",
              where: { log_index: entry["log_index"]! },
              set: { log_index },
            },
          ],
    ),
  ];
};
