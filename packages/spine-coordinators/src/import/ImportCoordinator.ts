/** Brings in runs that were recorded elsewhere. */
import { basename } from "node:path";
import { type FileFailed, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as FileSystem from "effect/FileSystem";
import * as Layer from "effect/Layer";
import * as Stream from "effect/Stream";
import { LogsBridge } from "../logs/LogsBridge.ts";
import type { ImportFormat, ImportProgress, ImportSettings } from "./ImportSettings.ts";
import {
  type ImportedRun,
  type ImportError,
  makeImportWriter,
  type WrittenRuns,
} from "./internal/ImportWriter.ts";
import { forEachPart } from "./internal/JsonSource.ts";
import { openSource } from "./internal/SourceFile.ts";
import { fingerprinted, type Source, survey } from "./internal/Survey.ts";

export type { ImportedRun, ImportError, ImportFormat, ImportProgress, ImportSettings };

/** What an import wrote, and what it passed over. */
export type ImportResult = WrittenRuns;

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
  const written = yield* transactions.atomically(
    Effect.gen(function* () {
      yield* transactions.afterCommit(settings.onStored ?? Effect.void);
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
  const { runs, skipped, unfinished } = written;
  if (runs.length + skipped.length === 0 && unfinished === null) {
    return yield* new InvalidInput({
      what: "no run in it",
      where: name,
      remedy: "Check the file and its --format.",
    });
  }
  return written;
});
