/** Files that the user names. A failure says what the system said of it, and is a wrong argument. */
import { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { createReadStream } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { printable } from "./Screen.ts";

/** Larger inputs are refused before they are read: a JavaScript string holds no more than about half a gigabyte. */
export const INPUT_BYTES_MAX = 256 * 1024 * 1024;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a folder",
  ENOTDIR: "a part of the path is no folder",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
};

const failed = (path: string, remedy: string) => (cause: unknown) => {
  const error = cause as NodeJS.ErrnoException;
  return new FileFailed({
    path: printable(path),
    what: reasons[error.code ?? ""] ?? error.message,
    remedy,
  });
};

/** How many bytes a file holds. Null where there is no file, or a pipe or device: nothing is lost there. */
export const bytesOf = (path: string) =>
  Effect.promise(() =>
    stat(path).then(
      (entry) => (entry.isFile() ? entry.size : null),
      () => null,
    ),
  );

/** What to read a file by that the user names: `-` is the standard input. */
const source = (path: string): string => (path === "-" ? "/dev/stdin" : path);

const tooLong = (path: string, what: string) =>
  new FileFailed({
    path: printable(path),
    what: `${what}, and no more than ${INPUT_BYTES_MAX} bytes are read`,
    remedy: "split the file",
  });

/** All of a file or pipe; null where there is more than is read. How much a pipe brings is not known before. */
const readBounded = async (named: string): Promise<Buffer | null> => {
  const pieces: Array<Buffer> = [];
  let size = 0;
  // A thread that waits for a silent pipe would keep the process from ending; its own stream waits in none.
  const stream: Readable = named === "-" ? process.stdin : createReadStream(named);
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > INPUT_BYTES_MAX) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
};

/** Reads UTF-8 text from a file, or from the standard input where the path is `-`. */
export const read = Effect.fnUntraced(function* (named: string) {
  const path = source(named);
  const refuse = failed(path, "check the path and that you may read it");
  const { size } = yield* Effect.tryPromise({ try: () => stat(path), catch: refuse });
  if (size > INPUT_BYTES_MAX) return yield* tooLong(path, `has ${size} bytes`);
  const bytes = yield* Effect.tryPromise({ try: () => readBounded(named), catch: refuse });
  if (bytes === null) return yield* tooLong(path, "goes on");
  return yield* Effect.try({
    // A byte order mark is kept, for the parser to refuse: it is no part of JSON.
    try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    catch: () =>
      new FileFailed({
        path: printable(path),
        what: "is not UTF-8 text",
        remedy: "save it as UTF-8",
      }),
  });
});

/** The file to write: behind a link, the one that it leads to. Null for a pipe or a device, which can't be replaced. */
const replaceable = async (path: string): Promise<string | null> => {
  const target = await realpath(path).catch(() => null);
  if (target === null) return path;
  return (await stat(target)).isFile() ? target : null;
};

/** A new name is on the disk once its folder is; some file systems can't be asked. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, "r");
  try {
    await folder.sync().catch(() => {});
  } finally {
    await folder.close();
  }
};

/**
 * Writes a file whole or not at all, and on the disk: beside it first, then in its place, once `make` has written its last
 * piece and succeeded. What is no file gets the pieces as they come.
 */
export const writePieces = <A, E, R>(
  path: string,
  make: (write: (piece: string) => Effect.Effect<void, FileFailed>) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | FileFailed, R> => {
  const attempt = <B>(act: () => Promise<B>) =>
    Effect.tryPromise({
      try: act,
      catch: failed(path, "name a file in a folder that exists and that you may write to"),
    });
  return Effect.gen(function* () {
    const target = yield* attempt(() => replaceable(path));
    const written = target === null ? path : `${target}.${process.pid}.part`;
    return yield* Effect.acquireUseRelease(
      attempt(() => open(written, "w")),
      (file) =>
        Effect.gen(function* () {
          const made = yield* make((piece) => attempt(() => file.writeFile(piece)));
          if (target === null) return made;
          yield* attempt(async () => {
            await file.sync();
            await rename(written, target);
            await syncFolder(dirname(target));
          });
          return made;
        }),
      (file) =>
        Effect.promise(async () => {
          await file.close();
          if (target !== null) await rm(written, { force: true });
        }),
    );
  });
};

/** Writes a text as a file, whole or not at all. */
export const write = (path: string, content: string): Effect.Effect<void, FileFailed> =>
  writePieces(path, (piece) => piece(content));
