/** Brings in runs that were recorded elsewhere. */
import { basename } from "node:path";
import {
  type ChainMismatch,
  type FileFailed,
  InvalidInput,
  type RunExists,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as FileSystem from "effect/FileSystem";
import * as Layer from "effect/Layer";
import * as Stream from "effect/Stream";
import { LogsBridge } from "../logs/LogsBridge.ts";
import { makeImportWriter } from "./internal/ImportWriter.ts";
import { forEachPart } from "./internal/JsonSource.ts";
import { openSource } from "./internal/SourceFile.ts";
import { fingerprinted, type Source, survey } from "./internal/Survey.ts";

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
    /** Imports a file, or what comes through a pipe; `-` is the standard input. */
    readonly importFile: (
      input: ImportSettings & { readonly path: string },
    ) => Effect.Effect<ImportResult, ImportError | FileFailed>;
  }
>()("@runproof/spine-coordinators/import/ImportCoordinator") {
  static readonly layer: Layer.Layer<ImportCoordinator, never, LogsBridge | FileSystem.FileSystem> =
    Layer.effect(
      ImportCoordinator,
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem;
        const context = yield* Effect.context<LogsBridge>();
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
  const bytes = Stream.make(new TextEncoder().encode(text));
  return yield* importSource(input, { name, bytes });
});

const importFile = Effect.fn("ImportCoordinator.importFile")(function* (
  files: FileSystem.FileSystem,
  input: ImportSettings & { readonly path: string },
) {
  return yield* importSource(input, yield* openSource(files, input.path));
}, Effect.scoped);

/** Writes all runs of a source in one transaction, once all of it was read. */
const importSource = Effect.fnUntraced(function* <E>(
  settings: ImportSettings,
  source: Source<E>,
): Effect.fn.Return<ImportResult, E | ImportError, LogsBridge> {
  const { name } = source;
  const { format, onProgress } = settings;
  const { transactions } = yield* LogsBridge;
  const surveyed = yield* survey(source, format);
  const { bytes, fingerprint } = fingerprinted(source.bytes);
  const runs = yield* transactions.atomically(
    Effect.gen(function* () {
      const writer = yield* makeImportWriter(settings, basename(name), surveyed);
      yield* forEachPart({ name, format, bytes }, ({ where, events, bytes_done, runs_total }) =>
        Effect.gen(function* () {
          const { runs_done } = writer.progress();
          yield* Effect.forEach(events, (event) => writer.write(event, where), { discard: true });
          const bytes_total = surveyed.bytes;
          const progress = { ...writer.progress(), runs_total, bytes_done, bytes_total };
          if (progress.runs_done > runs_done) yield* onProgress?.(progress) ?? Effect.void;
        }),
      );
      const written = yield* writer.finish();
      if (fingerprint().sha256 !== surveyed.sha256) {
        return yield* new InvalidInput({
          what: "it was changed while it was read",
          where: name,
          remedy: "Import it again once nothing writes to it.",
        });
      }
      return written;
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
