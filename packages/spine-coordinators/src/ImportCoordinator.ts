/** Brings in runs that were recorded elsewhere. */
import type {
  ChainMismatch,
  FileFailed,
  InvalidInput,
  RunExists,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
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
  /**
   * The id of a run whose source names none: `content` (the default) derives it from the run's content, so that the
   * same run is refused a second time; `random` makes one.
   */
  readonly run_ids?: "content" | "random" | undefined;
  /** Told after each run. */
  readonly onProgress?: ((progress: ImportProgress) => Effect.Effect<void>) | undefined;
}

/** How far an import is. `runs_total` is null where the source is streamed and its length not known. */
export interface ImportProgress {
  readonly runs_done: number;
  readonly runs_total: number | null;
  readonly steps_done: number;
  readonly bytes_done: number;
  readonly bytes_total: number;
}

/** One run that was brought in. */
export interface ImportedRun {
  readonly run_id: string;
  readonly trace_id: string;
  readonly tenant_id: string;
  readonly step_count: number;
  readonly root_hash: string;
  readonly status: "completed" | "failed" | "aborted";
}

/** What an import wrote. */
export interface ImportResult {
  readonly runs: ReadonlyArray<ImportedRun>;
}

/** What stops an import. Nothing of the source was written then. */
export type ImportError = InvalidInput | RunExists | TraceWriteError | ChainMismatch;

/** Imports files and texts, each in one transaction: all of its runs or none. */
export class ImportCoordinator extends Context.Service<
  ImportCoordinator,
  {
    /** Imports a text; `name` stands for it in errors, which name `NAME:LINE`. */
    readonly importText: (
      input: ImportSettings & { readonly name: string; readonly text: string },
    ) => Effect.Effect<ImportResult, ImportError>;
    readonly importFile: (
      input: ImportSettings & { readonly path: string },
    ) => Effect.Effect<ImportResult, ImportError | FileFailed>;
  }
>()("@runproof/spine-coordinators/ImportCoordinator") {
  static readonly layer: Layer.Layer<ImportCoordinator> = Layer.empty as never;
}
