/** How an import is asked for, and how far it is. */
import type * as Effect from "effect/Effect";

/** `ndjson`: runs, steps and ends, one JSON object a line. `openai-messages`: transcripts of chat messages with tool calls. */
export type ImportFormat = "ndjson" | "openai-messages";

/** How the runs of a source are taken in. */
export interface ImportSettings {
  readonly format: ImportFormat;
  readonly tenant_id: string;
  /** For runs whose source names none. */
  readonly agent_id?: string | undefined;
  readonly origin_system_id?: string | undefined;
  /** Marks every run of the source that says nothing of it. */
  readonly is_synthetic?: boolean | undefined;
  /** Required where `is_synthetic` is true. */
  readonly synthetic_scenario_id?: string | undefined;
  /**
   * The id of a run whose source names none: `content` (the default) derives it from the run's content, so that the
   * same run is refused a second time; `random` makes one.
   */
  readonly run_ids?: "content" | "random" | undefined;
  /**
   * What a run is whose id is taken: refused with all of the source (the default), or skipped where it is stored with the same
   * number of steps and the same end. Then a last run without an end is left out as well: a growing file may yet say it.
   */
  readonly existing?: "refuse" | "skip" | undefined;
  /** Told after each run. */
  readonly onProgress?: ((progress: ImportProgress) => Effect.Effect<void>) | undefined;
  /** Run once all of the source is stored, though the import be interrupted then. Until it is, nothing is. */
  readonly onStored?: Effect.Effect<void> | undefined;
}

/** How far an import is. `runs_total` is null where the source is streamed and its length not known. */
export interface ImportProgress {
  readonly runs_done: number;
  readonly runs_total: number | null;
  readonly steps_done: number;
  readonly bytes_done: number;
  readonly bytes_total: number;
}
