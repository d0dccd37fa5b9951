/** How a recorded run ended. */

/** A sealed run, by its identity, its ending and the root that its seal fixes. */
export interface RunOutcome {
  readonly run_id: string;
  readonly trace_id: string;
  readonly tenant_id: string;
  readonly status: "completed" | "failed" | "aborted";
  /** Why, for `failed` and `aborted`; null for `completed`. Everyone who gets evidence of the run may read it. */
  readonly reason: string | null;
  /** What the error says that ended it, from the seal's metadata: only for those who may read the run's payloads. */
  readonly detail: string | null;
  /** 64 lower-case hex digits, recomputed here from what was sent and found equal to the database's. */
  readonly root_hash: string;
  readonly step_count: number;
  /** RFC 3339 in UTC with microseconds, as `completed_at`. */
  readonly started_at: string;
  readonly completed_at: string;
}
