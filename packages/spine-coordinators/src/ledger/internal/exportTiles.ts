import { parseCheckpoint, type TreeHead } from "@runproof/proof/Checkpoint";
import { entriesPath, newTiles, tilePath, type TilePlace } from "@runproof/proof/Tile";
import {
  type DatabaseError,
  type FileFailed,
  InvalidInput,
  LogEntryNotFound,
  type LockHeld,
  type LogForked,
  type LogShrunk,
  type StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LedgerBridge, type SignerError } from "../LedgerBridge.ts";
import { invalidInput, refusable } from "../../internal/refused.ts";
import { checkedTiles } from "./checkedTiles.ts";
import { latestHead, noHead } from "./latestHead.ts";
import { checkedConsistency, requireTree } from "./LoggedTree.ts";

/** Tiles of one round trip: some thousand entries. */
const TILES_AT_ONCE = 16;

/** What an export did. */
export interface ExportedLog extends TreeHead {
  /** What the folder published before; 0 where nothing. */
  readonly previous_size: number;
  /** Tiles and bundles of entries that were missing, or were not the log's. */
  readonly files_written: number;
  /** Tiles and bundles that were compared with the log; null where only those were that the folder did not publish yet. */
  readonly files_checked: number | null;
  /** Which of those held other bytes than the log's, and were written again. */
  readonly files_replaced: ReadonlyArray<string>;
}

/** What to export, and where to. */
export interface ExportTiles {
  readonly folder: string;
  /** Whether what is published already is read back too, and repaired. */
  readonly checks: boolean;
  /** Told how many tiles of how many are in place. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>;
}

type ExportError =
  | DatabaseError
  | FileFailed
  | InvalidInput
  | LockHeld
  | LogEntryNotFound
  | LogForked
  | LogShrunk
  | StoredDataUnreadable
  | SignerError;

/** What the folder publishes now: it must be an older tree of this log. */
const publishedHead = (folder: string, head: TreeHead) =>
  Effect.gen(function* () {
    const note = yield* Effect.flatMap(LedgerBridge, ({ tiles }) => tiles.checkpoint(folder));
    if (note === null) return null;
    const published = yield* refusable(() => parseCheckpoint(note)).pipe(
      Effect.mapError((refusal) => invalidInput(refusal, `the checkpoint in ${folder}`)),
    );
    if (published.origin !== head.origin) {
      return yield* new InvalidInput({
        what: `it publishes the log ${published.origin}, and this is ${head.origin}`,
        where: folder,
        remedy: "Export each log into a folder of its own.",
      });
    }
    yield* requireTree(published, `the checkpoint in ${folder}, whose signature is not checked,`);
    return { ...published, note };
  });

/** Where tiles are written to, and what came of it so far. */
interface TileWriter {
  readonly put: (path: string, bytes: Uint8Array) => Effect.Effect<void, FileFailed>;
  written: number;
  checked: number;
  readonly replaced: Array<string>;
}

/** A file that is not the log's is refused, and replaced only where the folder is being checked. */
const tileWriter = ({ folder, checks }: Pick<ExportTiles, "folder" | "checks">) =>
  Effect.map(LedgerBridge, ({ tiles }) => {
    const writer: TileWriter = {
      put: Effect.fnUntraced(function* (path, bytes) {
        const found = checks
          ? yield* tiles.restore(folder, path, bytes)
          : (yield* tiles.write(folder, path, bytes))
            ? "missing"
            : "whole";
        writer.checked += 1;
        if (found !== "whole") writer.written += 1;
        if (found === "different") writer.replaced.push(path);
      }),
      written: 0,
      checked: 0,
      replaced: [],
    };
    return writer;
  });

/** Writes some tiles of one level. */
const writeTiles = (writer: TileWriter, places: ReadonlyArray<TilePlace>) =>
  Effect.gen(function* () {
    for (const { place, hashes, entries } of yield* checkedTiles(places)) {
      if (entries !== null) yield* writer.put(entriesPath(place), entries);
      yield* writer.put(tilePath(place), hashes);
    }
  });

/** Cuts the tiles of a list into runs of one level. */
const batchesOf = (places: ReadonlyArray<TilePlace>): ReadonlyArray<ReadonlyArray<TilePlace>> => {
  const batches: Array<Array<TilePlace>> = [];
  for (const place of places) {
    const batch = batches.at(-1);
    const isFull = batch === undefined || batch.length === TILES_AT_ONCE;
    if (isFull || batch[0]!.level !== place.level) batches.push([place]);
    else batch.push(place);
  }
  return batches;
};

/** Whether a published note lacks a line of the checkpoint that was signed. Others may have added signatures of theirs. */
const lacksLines = (published: string, note: string): boolean => {
  const lines = new Set(published.split("\n"));
  return note.split("\n").some((line) => !lines.has(line));
};

/**
 * Writes the tree of the latest checkpoint into a folder for a static host, as far as it is not there yet. The
 * checkpoint comes last, so that whoever reads the folder at any moment finds every tile that it needs, and an export
 * that was cut off is taken up by the next.
 */
export const exportTiles = ({
  folder,
  checks,
  onProgress,
}: ExportTiles): Effect.Effect<ExportedLog, ExportError, LedgerBridge> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { tiles } = yield* LedgerBridge;
      const latest = yield* latestHead;
      if (latest === null) {
        return yield* new LogEntryNotFound({
          what: yield* noHead,
          remedy: "Run `runproof checkpoint` first.",
        });
      }
      const { note, ...head } = latest;
      yield* requireTree(head, "the latest checkpoint");
      yield* tiles.open(folder);
      const published = yield* publishedHead(folder, head);
      const previous_size = published?.tree_size ?? 0;
      const isNewer = published === null || previous_size < head.tree_size;
      if (published !== null && isNewer) yield* checkedConsistency(published, head);
      const { tree_size, root_hash } = isNewer ? head : published;
      const writer = yield* tileWriter({ folder, checks });
      const places = newTiles(checks ? 0 : previous_size, tree_size);
      let done = 0;
      for (const batch of batchesOf(places)) {
        yield* onProgress(done, places.length);
        yield* writeTiles(writer, batch);
        done += batch.length;
      }
      if (places.length > 0) yield* onProgress(done, places.length);
      if (isNewer) yield* tiles.publish(folder, note);
      else if (checks && tree_size === head.tree_size && lacksLines(published.note, note)) {
        yield* tiles.publish(folder, note);
        writer.written += 1;
        writer.replaced.push("checkpoint");
      }
      return {
        origin: head.origin,
        tree_size,
        root_hash,
        previous_size,
        files_written: writer.written,
        files_checked: checks ? writer.checked : null,
        files_replaced: writer.replaced,
      };
    }),
  );
