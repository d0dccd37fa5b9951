/** Tiles of C2SP tlog-tiles: which files a static host serves for a log of some size, and what is in them. */
import { entryBytes, parseEntry, type LogEntry } from "./LogEntry.ts";

/** Hashes of a full tile, and entries of a full bundle. */
export const TILE_WIDTH = 256;
const PATH_DIGITS = 3;
const LENGTH_BYTES = 2;

/** A tile; `level` is that of the tile, eight tree levels each, and `width` below 256 where it is not full. */
export interface TilePlace {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

const indexPath = (index: number): string => {
  const last = String(index % 1000).padStart(PATH_DIGITS, "0");
  let path = last;
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(PATH_DIGITS, "0")}/${path}`;
  }
  return path;
};

const widthPath = (width: number): string => (width === TILE_WIDTH ? "" : `.p/${width}`);

/** The path of a tile of hashes. */
export const tilePath = ({ level, index, width }: TilePlace): string =>
  `tile/${level}/${indexPath(index)}${widthPath(width)}`;

/** The path of a bundle of entries. */
export const entriesPath = ({ index, width }: Omit<TilePlace, "level">): string =>
  `tile/entries/${indexPath(index)}${widthPath(width)}`;

/** What a path of C2SP tlog-tiles names: a tile of hashes or, of level 0, the bundle of its entries; null where it is no such path. */
export const parseTilePath = (
  path: string,
): { readonly place: TilePlace; readonly isEntries: boolean } | null => {
  const found = /^tile\/(\d+|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/u.exec(path);
  if (found === null) return null;
  const [, level, index, width] = found as unknown as [string, string, string, string?];
  const isEntries = level === "entries";
  const place = {
    level: isEntries ? 0 : Number(level),
    index: Number(index.replaceAll(/[x/]/gu, "")),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  // Each tile has one path: no leading zero, no empty tile, no full one that is called partial.
  const own = isEntries ? entriesPath(place) : tilePath(place);
  return own === path && place.width >= 1 && place.width <= TILE_WIDTH
    ? { place, isEntries }
    : null;
};

/** Whether a tree of that many leaves has all hashes of a tile. */
export const holdsTile = (tree_size: number, { level, index, width }: TilePlace): boolean => {
  const hashes = Math.floor(tree_size / TILE_WIDTH ** level);
  return index * TILE_WIDTH + width <= hashes;
};

/** Lists the tiles of a tree of `newSize` leaves that a tree of `oldSize` did not have, level by level. */
export const newTiles = (oldSize: number, newSize: number): ReadonlyArray<TilePlace> => {
  const tiles: Array<TilePlace> = [];
  let [before, after] = [oldSize, newSize];
  for (let level = 0; after > 0; level += 1) {
    const first = Math.floor(before / TILE_WIDTH);
    for (let index = first; index * TILE_WIDTH < after; index += 1) {
      const width = Math.min(TILE_WIDTH, after - index * TILE_WIDTH);
      const isKnown = oldSize > 0 && before === after;
      if (!isKnown) tiles.push({ level, index, width });
    }
    before = Math.floor(before / TILE_WIDTH);
    after = Math.floor(after / TILE_WIDTH);
  }
  return tiles;
};

/** The bytes of an entry bundle: each entry behind its length, a big-endian uint16. */
export const encodeEntries = (entries: ReadonlyArray<LogEntry>): Buffer =>
  Buffer.concat(
    entries.flatMap((entry) => {
      const bytes = entryBytes(entry);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(bytes.length);
      return [length, bytes];
    }),
  );

/** Reads an entry bundle; null where it is none, or holds an entry of another form. */
export const decodeEntries = (bundle: Uint8Array): ReadonlyArray<LogEntry> | null => {
  const bytes = Buffer.from(bundle);
  const entries: Array<LogEntry> = [];
  for (let at = 0; at < bytes.length;) {
    if (at + LENGTH_BYTES > bytes.length) return null;
    const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
    const entry = end > bytes.length ? null : parseEntry(bytes.subarray(at + LENGTH_BYTES, end));
    if (entry === null) return null;
    entries.push(entry);
    at = end;
  }
  return entries;
};
