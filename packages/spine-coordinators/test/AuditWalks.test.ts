/** Goal: the pure walks agree with textbook trees whatever the size and wherever they begin. Method: laws over random logs. */
import { entryLeafHash } from "@runproof/proof/LogEntry";
import { sha256 } from "@runproof/proof/Hash";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { planRoot } from "@runproof/proof/ProofPlan";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FROM_THE_FIRST, LogWalk } from "../src/audit/internal/LogWalk.ts";
import { type CompletedTile, TileWalk } from "../src/audit/internal/TileWalk.ts";
import { TraceLog } from "../src/audit/internal/TraceLog.ts";

/** When entries were queued. */
const TIME = "2026-02-10T12:43:41.549430Z";

const digest = (n: number) => sha256(`entry ${n}`);

const entry = (log_index: number) => ({
  log_index,
  kind: 1 + (log_index % 3),
  digest: digest(log_index),
  trace_id: `trace-${log_index}`,
  event_record: null,
  queued_at: TIME,
});

const leaves = (size: number) => Array.from({ length: size }, (_, n) => entryLeafHash(entry(n)));

const peaksOf = (size: number): ReadonlyArray<string> =>
  planRoot(size).nodes.map(({ level, index }) =>
    merkleRoot(leaves(size).slice(index * 2 ** level, (index + 1) * 2 ** level)),
  );

describe("a walk over the log", () => {
  it("gives the root of every size that was asked for, wherever it begins", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 100 }),
        (start, more) => {
          const size = start + more;
          const walk = new LogWalk({ size: start, peaks: peaksOf(start) }, [start, size, size + 1]);
          for (let n = start; n < size; n += 1) expect(walk.add(entry(n)).found).toEqual([]);
          expect(walk.finish(size)).toEqual([]);
          expect(walk.rootAt(start)).toBe(merkleRoot(leaves(start)));
          expect(walk.rootAt(size)).toBe(merkleRoot(leaves(size)));
          expect(walk.rootAt(size + 1)).toBeNull();
          expect(walk.head).toEqual({ size, root_hash: merkleRoot(leaves(size)) });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("names each gap once and has no root behind it", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 10 }),
        (missing) => {
          const walk = new LogWalk(FROM_THE_FIRST, [41]);
          const found = Array.from({ length: 41 }, (_, n) => n)
            .filter((n) => !missing.includes(n))
            .flatMap((n) => walk.add(entry(n)).found);
          found.push(...walk.finish(41));
          const starts = missing.filter((n) => !missing.includes(n - 1)).sort((a, b) => a - b);
          expect(found.map(({ code, log_index }) => [code, log_index])).toEqual(
            starts.map((start) => ["GAP", start]),
          );
          expect(walk.rootAt(41)).toBeNull();
          expect(walk.head.root_hash).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("has no root behind an entry that is none, or there twice", () => {
    const none = new LogWalk(FROM_THE_FIRST, [2]);
    none.add({ ...entry(0), kind: 5 });
    none.add(entry(1));
    expect(none.rootAt(2)).toBeNull();
    const twice = new LogWalk(FROM_THE_FIRST, [2]);
    twice.add(entry(0));
    expect(twice.add(entry(0)).found).toMatchObject([{ code: "FOREIGN_RECORD", log_index: 0 }]);
    twice.add(entry(1));
    expect(twice.rootAt(2)).toBeNull();
  });
});

describe("a walk over tiles", () => {
  const walked = (start: number, end: number): ReadonlyArray<CompletedTile> => {
    const walk = new TileWalk(start);
    return Array.from({ length: end - start }, (_, n) => digest(start + n)).flatMap((leaf) =>
      walk.append(leaf),
    );
  };
  const rootOf = (from: number, to: number) =>
    merkleRoot(Array.from({ length: to - from }, (_, n) => digest(from + n)));

  it("fills the tiles of each level, with their roots", () => {
    const tiles = walked(0, 65_536 + 300);
    expect(tiles.filter(({ level }) => level === 0)).toHaveLength(257);
    expect(tiles.filter(({ level }) => level === 1)).toHaveLength(1);
    const first = tiles.find(({ level }) => level === 1)!;
    expect(first).toMatchObject({ tile_index: 0, root: rootOf(0, 65_536) });
    expect(first.hashes[3]).toBe(rootOf(768, 1024));
    expect(tiles[0]!.hashes[5]).toBe(digest(5));
    expect(tiles.at(-1)).toMatchObject({ level: 0, tile_index: 256, root: rootOf(65_536, 65_792) });
  });

  it("leaves out a tile of which it did not see the beginning", () => {
    const tiles = walked(512, 65_536 + 256);
    expect(tiles.filter(({ level }) => level === 1)).toEqual([]);
    expect(tiles[0]).toMatchObject({ level: 0, tile_index: 2, root: rootOf(512, 768) });
    expect(walked(100, 600).map(({ tile_index }) => tile_index)).toEqual([1]);
  });
});

describe("a trace's entries", () => {
  const facts = { first_links: ["a"], roots: ["z"], is_sealed: true, is_archived: false };
  const logOf = (...entries: ReadonlyArray<readonly [kind: number, digest: string]>) => {
    const log = new TraceLog();
    entries.forEach(([kind, text], log_index) =>
      log.add({
        kind,
        digest: text,
        log_index,
        trace_id: "t",
        event_record: null,
        queued_at: TIME,
      }),
    );
    return log;
  };
  const compared = (log: TraceLog, over: Partial<typeof facts> = {}) =>
    log.compare({ ...facts, ...over }).map(({ code, log_index }) => [code, log_index ?? null]);

  it("match: one start, one seal, each HEAD a link", () => {
    const log = logOf([1, "a"], [3, "k"], [3, "m"], [2, "z"]);
    log.seeLink("m");
    log.seeLink("k");
    expect(compared(log)).toEqual([]);
    expect(log.loggedAt(facts)).toBe(3);
  });

  it("are named where they are missing, others, too many, or early", () => {
    expect(compared(logOf())).toEqual([
      ["NOT_IN_LOG", null],
      ["NOT_IN_LOG", null],
    ]);
    expect(compared(logOf([1, "a"], [2, "y"]))).toEqual([
      ["NOT_IN_LOG", null],
      ["ORPHAN_LOG_ENTRY", 1],
    ]);
    expect(compared(logOf([1, "a"], [1, "a"], [2, "z"]))).toEqual([["ORPHAN_LOG_ENTRY", 1]]);
    expect(compared(logOf([1, "a"], [2, "z"]), { is_sealed: false, roots: [] })).toEqual([
      ["ORPHAN_LOG_ENTRY", 1],
    ]);
    expect(compared(logOf([1, "a"], [3, "k"], [2, "z"]))).toEqual([["ORPHAN_LOG_ENTRY", 1]]);
    expect(logOf([1, "a"], [2, "y"]).loggedAt(facts)).toBeNull();
  });
});
