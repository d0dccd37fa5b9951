/** Opens a file to be read more than once. What can't be, a pipe or a device, is put into a file of its own first. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReadStream, createWriteStream } from "node:fs";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as FileSystem from "effect/FileSystem";
import type { PlatformError } from "effect/PlatformError";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { Source } from "./Survey.ts";

/** Largest pipe that is taken in: the disk of temporary files is not ours alone. */
const SPOOLED_BYTES_MAX = 4 * 1024 ** 3;

/** The path that stands for the standard input. */
const STANDARD_INPUT = "/dev/stdin";

const unreadable = (path: string) => (error: { readonly message: string }) =>
  new FileFailed({ path, what: error.message, remedy: "Name a file that can be read." });

/** A file, or what comes through a pipe; `-` is the standard input. Gone with the scope where it was a pipe. */
export const openSource = (
  files: FileSystem.FileSystem,
  named: string,
): Effect.Effect<Source<FileFailed>, FileFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const path = named === "-" ? STANDARD_INPUT : named;
    const failed = (error: PlatformError) => unreadable(path)(error);
    const { type } = yield* Effect.mapError(files.stat(path), failed);
    const name = named === "-" ? "standard input" : named;
    const readable =
      type === "File" || type === "Directory" ? path : yield* spooled(path, pipeOf(named));
    return { name, bytes: Stream.mapError(files.stream(readable), failed) };
  });

/**
 * The bytes of a pipe. Of the standard input those of the process's own stream: it waits in no thread of the pool, which nothing
 * but the pipe's other end could call back, not even the process's end.
 */
const pipeOf = (named: string) => (): Readable =>
  named === "-" ? process.stdin : createReadStream(named);

/** A file of a pipe's bytes, removed with the scope. */
const spooled = (
  path: string,
  pipe: () => Readable,
): Effect.Effect<string, FileFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-import-"))),
      (made) => Effect.promise(() => rm(made, { recursive: true, force: true })),
    );
    const file = join(folder, "source");
    let bytes = 0;
    const limited = new Transform({
      transform(chunk: Buffer, _, done) {
        bytes += chunk.length;
        if (bytes > SPOOLED_BYTES_MAX)
          done(new Error(`more than ${SPOOLED_BYTES_MAX} bytes through a pipe: name a file`));
        else done(null, chunk);
      },
    });
    yield* Effect.tryPromise({
      try: (signal) =>
        pipeline(pipe(), limited, createWriteStream(file, { mode: 0o600 }), {
          signal,
        }),
      catch: (error) => unreadable(path)(error as Error),
    });
    return file;
  });
