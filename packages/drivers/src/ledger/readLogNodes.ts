import { merkleRoot } from "@runproof/proof/MerkleTree";
import { entryLeafHash } from "@runproof/proof/LogEntry";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import { StoredDataUnreadable, type DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { readLogEntries } from "./readLogEntries.ts";
import {
  readLogTileRoots,
  readLogTiles,
  type TilePlace,
} from "../internal/postgres/readLogTiles.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** By C2SP tlog-tiles: a tile spans eight levels of the tree and holds up to 256 hashes. */
const TILE_HEIGHT = 8;
const TILE_WIDTH = 256;
const HASH_BYTES = 32;

/** Where in the tiles a complete subtree's hashes stand: `count` hashes of one tile from `offset` on. */
interface NodePlace extends TilePlace {
  readonly offset: number;
  readonly count: number;
}

const placeOf = ({ level, index }: TreeNode): NodePlace => {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  const tile_index = Math.floor(first / TILE_WIDTH);
  return { level: tileLevel, tile_index, offset: first - tile_index * TILE_WIDTH, count };
};

const keyOf = ({ level, tile_index }: TilePlace) => `${level}/${tile_index}`;

const hashesOf = (bytes: Uint8Array): ReadonlyArray<string> => {
  const hex = Buffer.from(bytes).toString("hex");
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    hex.slice(at * 64, at * 64 + 64),
  );
};

/** A tile that is not full yet has its hashes in what lies below it. */
const readPartialTile = (
  database: Database["Service"],
  { level, tile_index }: TilePlace,
): Effect.Effect<ReadonlyMap<number, string>, SqlError | DatabaseError> => {
  const from = tile_index * TILE_WIDTH;
  return level === 0
    ? Effect.map(
        readLogEntries(database)({ from, limit: TILE_WIDTH }),
        (entries) =>
          new Map(entries.map((entry) => [entry.log_index - from, entryLeafHash(entry)])),
      )
    : Effect.map(
        readLogTileRoots(database.sql, { level: level - 1, from }),
        (roots) => new Map(roots.map((tile) => [tile.tile_index - from, tile.root])),
      );
};

const readTileHashes = Effect.fnUntraced(function* (
  database: Database["Service"],
  places: ReadonlyArray<TilePlace>,
) {
  const distinct = [...new Map(places.map((place) => [keyOf(place), place])).values()];
  const tiles = new Map<string, ReadonlyMap<number, string>>();
  for (const tile of yield* readLogTiles(database.sql, distinct)) {
    tiles.set(keyOf(tile), new Map(hashesOf(tile.hashes).entries()));
  }
  for (const place of distinct) {
    if (!tiles.has(keyOf(place))) tiles.set(keyOf(place), yield* readPartialTile(database, place));
  }
  return tiles;
});

/** Reads the hashes of complete subtrees of the log, from at most one tile each. */
export const readLogNodes =
  (database: Database["Service"]) =>
  (
    nodes: ReadonlyArray<TreeNode>,
  ): Effect.Effect<ReadonlyArray<string>, DatabaseError | StoredDataUnreadable> =>
    Effect.gen(function* () {
      const failed = databaseError("readLogNodes", database.description);
      const places = nodes.map(placeOf);
      const tiles = yield* readTileHashes(database, places).pipe(
        Effect.mapError((error) => (isSqlError(error) ? failed(error) : error)),
      );
      const hashes: Array<string> = [];
      for (const place of places) {
        const tile = tiles.get(keyOf(place))!;
        const members = Array.from({ length: place.count }, (_, at) => tile.get(place.offset + at));
        const missing = members.indexOf(undefined);
        if (missing >= 0) {
          return yield* new StoredDataUnreadable({
            where: `log tile level ${place.level}, index ${place.tile_index}`,
            what: `hash ${place.offset + missing} is missing: the log lost entries, or is not that large`,
          });
        }
        hashes.push(merkleRoot(members as Array<string>));
      }
      return hashes;
    });
