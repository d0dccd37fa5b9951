/** A table that holds evidence, or defends it. */
export type EvidenceTable = (typeof evidenceTables)[number];

/** All of them. */
export const evidenceTables = [
  "runs",
  "aos_traces",
  "aos_trace_steps",
  "aos_traces_archive",
  "aos_trace_steps_archive",
  "aos_trace_leases",
  "aos_log_queue",
  "aos_log_entries",
  "aos_log_tiles",
  "aos_checkpoints",
] as const;

/** The columns that a table's rows are told apart by. */
export const keysOf: Readonly<Record<EvidenceTable, ReadonlyArray<string>>> = {
  runs: ["tenant_id", "run_id"],
  aos_traces: ["trace_id"],
  aos_trace_steps: ["trace_id", "step_index"],
  aos_traces_archive: ["trace_id"],
  aos_trace_steps_archive: ["trace_id", "step_index"],
  aos_trace_leases: ["trace_id"],
  aos_log_queue: ["queue_id"],
  aos_log_entries: ["log_index"],
  aos_log_tiles: ["level", "tile_index"],
  aos_checkpoints: ["checkpoint_id"],
};
