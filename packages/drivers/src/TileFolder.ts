/** A folder that a static host serves as a log, by C2SP tlog-tiles. */
import { dirname, join } from "node:path";
import { FileFailed, type LockHeld } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { fileFailed } from "./internal/file/FileError.ts";
import { makeFolder } from "./internal/file/makeFolder.ts";
import { lockFile } from "./internal/file/LockFile.ts";
import { readBytes, readText } from "./internal/file/readBytes.ts";
import { writeDurably } from "./internal/file/writeDurably.ts";

const CHECKPOINT = "checkpoint";
/** Not served by a host that hides names with a dot; harmless where it is. */
const LOCK = ".export.lock";
/** Everyone may read what is published. */
const PUBLIC_MODE = 0o644;

const READ_REMEDY = "Let this process read what it publishes.";
const WRITE_REMEDY = "Name a folder that this process may write to.";

/** How a published file was found. */
export type FoundFile = "whole" | "missing" | "different";

/** Makes the folder and holds it for this process until the scope closes. */
export const openTiles = (
  folder: string,
): Effect.Effect<void, FileFailed | LockHeld, Scope.Scope> =>
  Effect.andThen(madeFolder(folder), lockFile(join(folder, LOCK)));

/** Reads the checkpoint that the folder publishes; null where it publishes none. */
export const readPublished = (folder: string): Effect.Effect<string | null, FileFailed> =>
  readText(join(folder, CHECKPOINT), READ_REMEDY);

/** Replaces the checkpoint: the last thing to write. */
export const publishCheckpoint = (folder: string, note: string): Effect.Effect<void, FileFailed> =>
  writeFile(join(folder, CHECKPOINT), note);

const madeFolder = (folder: string): Effect.Effect<void, FileFailed> =>
  Effect.try({ try: () => makeFolder(folder), catch: fileFailed(folder, WRITE_REMEDY) });

const writeFile = (path: string, content: string | Uint8Array) =>
  Effect.tryPromise({
    try: () => writeDurably(path, content, { mode: PUBLIC_MODE, replaces: true }),
    catch: fileFailed(path, WRITE_REMEDY),
  });

const findFile = (path: string, bytes: Uint8Array): Effect.Effect<FoundFile, FileFailed> =>
  Effect.map(readBytes(path, READ_REMEDY), (found) =>
    found === null ? "missing" : found.equals(bytes) ? "whole" : "different",
  );

const writeTile = (path: string, bytes: Uint8Array) =>
  Effect.andThen(madeFolder(dirname(path)), writeFile(path, bytes));

/**
 * Writes a tile or bundle of entries, whole and on the disk; answers whether it was missing. One that is there with
 * other bytes is refused: published resources never change.
 */
export function writeTileOnce(
  folder: string,
  path: string,
  bytes: Uint8Array,
): Effect.Effect<boolean, FileFailed> {
  return Effect.gen(function* () {
    const target = join(folder, path);
    const found = yield* findFile(target, bytes);
    if (found === "whole") return false;
    if (found === "different") {
      return yield* new FileFailed({
        path: target,
        what: "is there with other bytes than the log's",
        remedy:
          "If the folder is this log's, repair it with `runproof log export DIR --check`; else export into an empty one.",
      });
    }
    yield* writeTile(target, bytes);
    return true;
  });
}

/** Writes such a file again where it is missing or holds other bytes; answers which it was, `whole` where neither. */
export function restoreTile(
  folder: string,
  path: string,
  bytes: Uint8Array,
): Effect.Effect<FoundFile, FileFailed> {
  return Effect.gen(function* () {
    const target = join(folder, path);
    const found = yield* findFile(target, bytes);
    if (found !== "whole") yield* writeTile(target, bytes);
    return found;
  });
}
