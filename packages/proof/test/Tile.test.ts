/** Goal: tiles have the paths and widths of C2SP tlog-tiles. Method: the specification's figures, and growth step by step. */
import { describe, expect, it } from "vitest";
import { sha256 } from "../src/Hash.ts";
import { entryBytes, entryLeafHash, eventDigest, isLogEntry, parseEntry } from "../src/LogEntry.ts";
import { leafHash } from "../src/Chain.ts";
import { decodeEntries, encodeEntries, entriesPath, newTiles, tilePath } from "../src/Tile.ts";
import { entryAt } from "./LogFixture.ts";

describe("entries", () => {
  it("are a kind and a digest, 33 bytes", () => {
    const entry = entryAt(1);
    expect(entryBytes(entry)).toEqual(
      Buffer.concat([Buffer.of(2), Buffer.from(entry.digest, "hex")]),
    );
    expect(parseEntry(entryBytes(entry))).toEqual(entry);
    expect(entryLeafHash(entry)).toBe(sha256(Buffer.concat([Buffer.of(0), entryBytes(entry)])));
    expect(eventDigest("{}")).toBe(leafHash("{}"));
  });

  it("of another kind or length are none", () => {
    for (const kind of [0, 5, 255]) {
      expect(parseEntry(Buffer.concat([Buffer.of(kind), Buffer.alloc(32)]))).toBeNull();
      expect(isLogEntry({ kind, digest: sha256("") })).toBe(false);
    }
    for (const length of [0, 1, 32, 34]) expect(parseEntry(Buffer.alloc(length, 1))).toBeNull();
    expect(isLogEntry({ kind: 1.5, digest: sha256("") })).toBe(false);
    expect(isLogEntry({ kind: 1, digest: "ab" })).toBe(false);
  });

  it("go into a bundle and out of it, and no other bytes do", () => {
    const entries = Array.from({ length: 256 }, (_, index) => entryAt(index));
    const bundle = encodeEntries(entries);
    expect(bundle).toHaveLength(256 * 35);
    expect(decodeEntries(bundle)).toEqual(entries);
    expect(decodeEntries(Buffer.alloc(0))).toEqual([]);
    for (const bytes of [
      bundle.subarray(1),
      bundle.subarray(0, -1),
      Buffer.concat([bundle, Buffer.of(0)]),
      Buffer.of(0, 0),
      Buffer.of(0, 33),
    ]) {
      expect(decodeEntries(bytes)).toBeNull();
    }
  });
});

describe("tiles", () => {
  it.each([
    [0, 0, 256, "tile/0/000"],
    [0, 273, 112, "tile/0/273.p/112"],
    [1, 1_234_067, 256, "tile/1/x001/x234/067"],
    [2, 1000, 1, "tile/2/x001/000.p/1"],
  ])("of level %i, index %i and width %i stand at %s", (level, index, width, path) => {
    expect(tilePath({ level, index, width })).toBe(path);
    expect(entriesPath({ index, width })).toBe(path.replace(/tile\/\d+/u, "tile/entries"));
  });

  it("of a tree of 70,000 are those of the specification", () => {
    const tiles = newTiles(0, 70_000);
    const partial = (tiles_: typeof tiles) => tiles_.filter(({ width }) => width < 256);
    expect(tiles.filter(({ level, width }) => level === 0 && width === 256)).toHaveLength(273);
    expect(tiles.filter(({ level, width }) => level === 1 && width === 256)).toHaveLength(1);
    expect(partial(tiles)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ]);
    expect(newTiles(0, 256)).toEqual([
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 },
    ]);
    expect(newTiles(0, 0)).toEqual([]);
  });

  it("are all there after growing by any steps, and none is written twice", () => {
    for (const steps of [
      [1, 255, 256, 257],
      [300, 300, 65_536, 65_537, 70_000],
      [512, 131_072],
    ]) {
      const written = new Set<string>();
      let size = 0;
      for (const next of steps) {
        for (const tile of newTiles(size, next)) {
          expect(written.has(tilePath(tile))).toBe(false);
          written.add(tilePath(tile));
        }
        size = next;
        for (const tile of newTiles(0, size))
          expect(written.has(tilePath(tile)), tilePath(tile)).toBe(true);
      }
    }
  });
});
