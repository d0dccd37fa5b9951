import { merkleRoot } from "@runproof/proof/MerkleTree";
import { TILE_WIDTH } from "@runproof/proof/Tile";

/** A tile that is full and whose hashes are all known. */
export interface CompletedTile {
  readonly level: number;
  readonly tile_index: number;
  readonly hashes: ReadonlyArray<string>;
  readonly root: string;
}

interface Level {
  /** The index of the next hash on this level. */
  next: number;
  /** Those of the tile that is being filled; null where a hash was never seen. */
  hashes: Array<string | null>;
}

/** Makes the full tiles of the log's tree from its leaves, as they come. */
export class TileWalk {
  readonly #levels: Array<Level> = [];
  readonly #start: number;

  /** Begins at a leaf: a tile that began before it is never complete. */
  constructor(start: number) {
    this.#start = start;
  }

  #level(level: number): Level {
    const known = this.#levels[level];
    if (known !== undefined) return known;
    const next = Math.floor(this.#start / TILE_WIDTH ** level);
    const made: Level = { next, hashes: Array.from({ length: next % TILE_WIDTH }, () => null) };
    this.#levels[level] = made;
    return made;
  }

  /** Adds a leaf hash; gives the tiles that it fills, the lowest first. */
  append(leaf_hash: string): ReadonlyArray<CompletedTile> {
    const completed: Array<CompletedTile> = [];
    let hash: string | null = leaf_hash;
    for (let level = 0; ; level += 1) {
      const row = this.#level(level);
      row.hashes.push(hash);
      row.next += 1;
      if (row.hashes.length < TILE_WIDTH) return completed;
      const { hashes } = row;
      row.hashes = [];
      const known = hashes.filter((each) => each !== null);
      hash = known.length === TILE_WIDTH ? merkleRoot(known) : null;
      if (hash !== null) {
        const tile_index = row.next / TILE_WIDTH - 1;
        completed.push({ level, tile_index, hashes: known, root: hash });
      }
    }
  }
}
