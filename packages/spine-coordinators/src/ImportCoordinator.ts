/** Brings in runs that were recorded elsewhere. */
import { basename } from "node:path";
import {
  type ChainMismatch,
  FileFailed,
  InvalidInput,
  type RunExists,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as FileSystem from "effect/FileSystem";
import * as Layer from "effect/Layer";
import type { PlatformError } from "effect/PlatformError";
import * as Stream from "effect/Stream";
import { ImportsBridge } from "./ImportsBridge.ts";
import { makeImportWriter } from "./internal/import/ImportWriter.ts";
import { forEachPart } from "./internal/import/JsonSource.ts";
import type { LogsBridge } from "./LogsBridge.ts";

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
  static readonly layer: Layer.Layer<
    ImportCoordinator,
    never,
    LogsBridge | ImportsBridge | FileSystem.FileSystem
  > = Layer.effect(
    ImportCoordinator,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem;
      const context = yield* Effect.context<LogsBridge | ImportsBridge>();
      return ImportCoordinator.of({
        importText: (input) => Effect.provideContext(importText(input), context),
        importFile: (input) => Effect.provideContext(importFile(files, input), context),
      });
    }),
  );
}

const importText = Effect.fn("ImportCoordinator.importText")(function* (
  input: ImportSettings & { readonly name: string; readonly text: string },
) {
  const { name, text } = input;
  if (!text.isWellFormed()) {
    return yield* new InvalidInput({
      what: "a lone surrogate, which is not valid Unicode",
      where: name,
      remedy: "Replace it with U+FFFD.",
    });
  }
  const bytes = new TextEncoder().encode(text);
  return yield* importSource(input, { name, bytes: Stream.make(bytes), bytes_total: bytes.length });
});

const importFile = Effect.fn("ImportCoordinator.importFile")(function* (
  files: FileSystem.FileSystem,
  input: ImportSettings & { readonly path: string },
) {
  const { path } = input;
  const failed = ({ message }: PlatformError) =>
    new FileFailed({ path, what: message, remedy: "Name a file that can be read." });
  const { size } = yield* Effect.mapError(files.stat(path), failed);
  const bytes = Stream.mapError(files.stream(path), failed);
  return yield* importSource(input, { name: path, bytes, bytes_total: Number(size) });
});

/** Writes all runs of a source in one transaction. */
const importSource = Effect.fnUntraced(function* <E>(
  settings: ImportSettings,
  source: {
    readonly name: string;
    readonly bytes: Stream.Stream<Uint8Array, E>;
    readonly bytes_total: number;
  },
): Effect.fn.Return<ImportResult, E | ImportError, LogsBridge | ImportsBridge> {
  const { name, bytes, bytes_total } = source;
  const { format, onProgress } = settings;
  const { atomically } = yield* ImportsBridge;
  const runs = yield* atomically(
    Effect.gen(function* () {
      const writer = yield* makeImportWriter(settings, basename(name));
      yield* forEachPart({ name, format, bytes }, ({ where, events, bytes_done, runs_total }) =>
        Effect.gen(function* () {
          const { runs_done } = writer.progress();
          yield* Effect.forEach(events, (event) => writer.write(event, where), { discard: true });
          const progress = { ...writer.progress(), runs_total, bytes_done, bytes_total };
          if (progress.runs_done > runs_done) yield* onProgress?.(progress) ?? Effect.void;
        }),
      );
      return yield* writer.finish();
    }),
  );
  if (runs.length === 0) {
    return yield* new InvalidInput({
      what: "no run in it",
      where: name,
      remedy: "Check the file and its --format.",
    });
  }
  return { runs };
});
