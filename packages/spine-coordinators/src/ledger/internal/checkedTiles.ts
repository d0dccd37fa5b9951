import { entryLeafHash, isLogEntry } from "@runproof/proof/LogEntry";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { encodeEntries, TILE_WIDTH, type TilePlace } from "@runproof/proof/Tile";
import { StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LedgerBridge, type StoredLogEntry } from "../LedgerBridge.ts";
import type { TreeError } from "./LoggedTree.ts";

/** Levels of the tree in one tile, by C2SP tlog-tiles. */
const TILE_HEIGHT = 8;

/** A tile as it is published. */
export interface PublishedTile {
  readonly place: TilePlace;
  readonly hashes: Uint8Array;
  /** The bundle of its entries, of a tile of level 0. */
  readonly entries: Uint8Array | null;
}

const unreadable = (where: string, what: string) => new StoredDataUnreadable({ where, what });

/** Where in a tile the first entry is that the tree's leaf does not say; -1 where there is none. */
const strayEntry = (
  entries: ReadonlyArray<StoredLogEntry>,
  from: number,
  hashes: ReadonlyArray<string>,
): number =>
  hashes.findIndex((hash, at) => {
    const entry = entries[at];
    return (
      entry === undefined ||
      entry.log_index !== from + at ||
      !isLogEntry(entry) ||
      entryLeafHash(entry) !== hash
    );
  });

/** The hashes of some tiles of one level, each tile's followed by the hash that the level above has of it if it is full. */
const readTiles = (places: ReadonlyArray<TilePlace>) =>
  Effect.gen(function* () {
    const { log } = yield* LedgerBridge;
    const nodes = places.flatMap(({ level, index, width }) => [
      ...Array.from({ length: width }, (_, at) => ({
        level: level * TILE_HEIGHT,
        index: index * TILE_WIDTH + at,
      })),
      ...(width === TILE_WIDTH ? [{ level: (level + 1) * TILE_HEIGHT, index }] : []),
    ]);
    const hashes = yield* log.nodes(nodes);
    let at = 0;
    return places.map((place) => {
      const own = hashes.slice(at, (at += place.width));
      const above = place.width === TILE_WIDTH ? hashes[at++]! : null;
      return { place, hashes: own, above };
    });
  });

/** Some neighbouring tiles of one level, each checked against its entries and the level above. */
export const checkedTiles = (
  places: ReadonlyArray<TilePlace>,
): Effect.Effect<ReadonlyArray<PublishedTile>, TreeError, LedgerBridge> =>
  Effect.gen(function* () {
    const { log } = yield* LedgerBridge;
    const [first] = places;
    const read = yield* readTiles(places);
    const from = first!.index * TILE_WIDTH;
    const entries =
      first!.level === 0 ? yield* log.entries({ from, limit: places.length * TILE_WIDTH }) : [];
    const published: Array<PublishedTile> = [];
    for (const { place, hashes, above } of read) {
      const { level, index, width } = place;
      if (above !== null && merkleRoot(hashes) !== above) {
        return yield* unreadable(
          `log tile level ${level}, index ${index}`,
          "its hashes contradict the level above",
        );
      }
      const start = index * TILE_WIDTH;
      const own = entries.slice(start - from, start - from + width);
      const stray = level === 0 ? strayEntry(own, start, hashes) : -1;
      if (stray >= 0) {
        return yield* unreadable(
          `log entry ${start + stray}`,
          "it is missing, or is not what the log's tree says",
        );
      }
      published.push({
        place,
        hashes: Buffer.from(hashes.join(""), "hex"),
        entries: level === 0 ? encodeEntries(own) : null,
      });
    }
    return published;
  });
