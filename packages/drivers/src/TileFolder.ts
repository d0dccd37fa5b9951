/** A folder that a static host serves as a log, by C2SP tlog-tiles. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileFailed, type LockHeld } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Scope from "effect/Scope";
import { fileFailed } from "./internal/file/FileError.ts";
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

/** Reads and writes such folders. */
export class TileFolder extends Context.Service<
  TileFolder,
  {
    /** Makes the folder and holds it for this process until the scope closes. */
    readonly open: (folder: string) => Effect.Effect<void, FileFailed | LockHeld, Scope.Scope>;
    /** The checkpoint that the folder publishes; null where it publishes none. */
    readonly checkpoint: (folder: string) => Effect.Effect<string | null, FileFailed>;
    /**
     * Writes a tile or bundle of entries, whole and on the disk; answers whether it was missing. One that is there with
     * other bytes is refused: published resources never change.
     */
    readonly write: (
      folder: string,
      path: string,
      bytes: Uint8Array,
    ) => Effect.Effect<boolean, FileFailed>;
    /** Replaces the checkpoint: the last thing to write. */
    readonly publish: (folder: string, note: string) => Effect.Effect<void, FileFailed>;
  }
>()("@runproof/drivers/TileFolder") {
  static readonly layer: Layer.Layer<TileFolder> = Layer.succeed(
    TileFolder,
    TileFolder.of({
      open: (folder) => Effect.andThen(makeFolder(folder), lockFile(join(folder, LOCK))),
      checkpoint: (folder) => readText(join(folder, CHECKPOINT), READ_REMEDY),
      write: writeOnce,
      publish: (folder, note) => writeFile(join(folder, CHECKPOINT), note),
    }),
  );
}

const makeFolder = (folder: string): Effect.Effect<void, FileFailed> =>
  Effect.asVoid(
    Effect.tryPromise({
      try: () => mkdir(folder, { recursive: true }),
      catch: fileFailed(folder, WRITE_REMEDY),
    }),
  );

const writeFile = (path: string, content: string | Uint8Array) =>
  Effect.tryPromise({
    try: () => writeDurably(path, content, { mode: PUBLIC_MODE, replaces: true }),
    catch: fileFailed(path, WRITE_REMEDY),
  });

function writeOnce(
  folder: string,
  path: string,
  bytes: Uint8Array,
): Effect.Effect<boolean, FileFailed> {
  return Effect.gen(function* () {
    const target = join(folder, path);
    const found = yield* readBytes(target, READ_REMEDY);
    if (found !== null) {
      if (found.equals(bytes)) return false;
      return yield* new FileFailed({
        path: target,
        what: "is there with other bytes than the log's",
        remedy: "Export into an empty folder: this one holds another log, or was changed.",
      });
    }
    yield* makeFolder(dirname(target));
    yield* writeFile(target, bytes);
    return true;
  });
}
