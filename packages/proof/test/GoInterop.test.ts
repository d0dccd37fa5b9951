/**
 * Goal: stock tools verify the log. Method: Go's sumdb/note and tlog, which share no code with ours, check a checkpoint,
 * proofs, tiles and entries; then each of them with one byte changed, which Go must refuse.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildGoVerifier, type GoVerdict, isGoHere } from "@runproof/tooling/GoVerifier";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashBytes } from "../src/Hash.ts";
import { generateSignerKey } from "../src/NoteKey.ts";
import { planConsistency, planInclusion } from "../src/ProofPlan.ts";
import { encodeEntries, entriesPath, newTiles, tilePath } from "../src/Tile.ts";
import { entryAt, Log } from "./LogFixture.ts";

const SIZE = 70_000;
const ORIGIN = "example.com/log";

describe.skipIf(!isGoHere)("Go's sumdb (golang-go and golang-golang-x-mod-dev)", () => {
  let folder: string;
  let run: (input: object) => GoVerdict;
  let input: Record<string, unknown>;

  const verify = (changed: Record<string, unknown> = {}) => run({ ...input, ...changed });

  /** Runs with one byte of a file changed. */
  const verifyWithout = (path: string, at: number) => {
    const file = join(folder, path);
    const bytes = readFileSync(file);
    bytes[at]! ^= 1;
    writeFileSync(file, bytes);
    const result = verify();
    bytes[at]! ^= 1;
    writeFileSync(file, bytes);
    return result;
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "runproof-go-"));
    run = buildGoVerifier(folder);

    const log = new Log();
    log.append(...Array.from({ length: SIZE }, (_, index) => entryAt(index)));
    const write = (path: string, bytes: Uint8Array) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    };
    for (const tile of newTiles(0, SIZE)) {
      const first = tile.index * 256;
      const hashes = Array.from({ length: tile.width }, (_, at) =>
        hashBytes(log.node({ level: 8 * tile.level, index: first + at })),
      );
      write(tilePath(tile), Buffer.concat(hashes));
      if (tile.level === 0)
        write(entriesPath(tile), encodeEntries(log.entries.slice(first, first + tile.width)));
    }
    const key = generateSignerKey(ORIGIN);
    const inclusion = (index: number, size: number) => ({
      index,
      size,
      leaf_hash: log.leaves[index],
      root: log.root(size),
      path: log.read(planInclusion(index, size)),
    });
    const consistency = (old_size: number, new_size: number) => ({
      old_size,
      new_size,
      old_root: log.root(old_size),
      new_root: log.root(new_size),
      path: log.read(planConsistency(old_size, new_size)),
    });
    const sizes = Array.from({ length: 17 }, (_, size) => size + 1);
    input = {
      verifier_key: key.verifier.text,
      signer_key: key.private_text,
      checkpoint: log.checkpoint(ORIGIN, [key]),
      tiles_folder: folder,
      inclusion: [
        ...sizes.flatMap((size) =>
          Array.from({ length: size }, (_, index) => inclusion(index, size)),
        ),
        ...[0, 255, 256, 65_535, 65_536, SIZE - 1].map((index) => inclusion(index, SIZE)),
      ],
      consistency: [
        ...sizes.flatMap((size) => sizes.slice(0, size).map((old) => consistency(old, size))),
        ...[1, 255, 256, 65_535, 65_536, 69_999, SIZE].map((old) => consistency(old, SIZE)),
      ],
    };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("verifies keys, checkpoint, inclusion, consistency, tiles and entries", () => {
    const { status, output } = verify();
    expect(output).toBe(
      "checkpoint of 70000 entries, 159 inclusion proofs, 160 consistency proofs, tiles and entries hold\n",
    );
    expect(status).toBe(0);
  });

  it("refuses each of them with a byte changed", () => {
    const otherKey = generateSignerKey(ORIGIN);
    const [inclusion, consistency] = [input["inclusion"], input["consistency"]] as [
      Array<{ path: Array<string> }>,
      Array<{ path: Array<string> }>,
    ];
    const proof = inclusion.at(-1)!;
    const extension = consistency.at(-2)!;
    const spoilt = <P extends { path: Array<string> }>(of: P): P => ({
      ...of,
      path: of.path.toReversed(),
    });
    for (const [changed, what] of [
      [{ verifier_key: otherKey.verifier.text }, "signer key"],
      [{ verifier_key: otherKey.verifier.text, signer_key: otherKey.private_text }, "checkpoint"],
      [{ checkpoint: String(input["checkpoint"]).replace("70000", "70001") }, "checkpoint"],
      [{ inclusion: [spoilt(proof)] }, "inclusion of 69999"],
      [{ consistency: [spoilt(extension)] }, "consistency from 69999"],
    ] as const) {
      const { status, output } = verify(changed);
      expect([status, output]).toEqual([1, expect.stringContaining(what)]);
    }
    expect(verifyWithout("tile/0/100", 31)).toMatchObject({ status: 1 });
    expect(verifyWithout("tile/1/000", 0)).toMatchObject({ status: 1 });
    expect(verifyWithout("tile/2/000.p/1", 0)).toMatchObject({ status: 1 });
    const entry = verifyWithout("tile/entries/100", 20);
    expect([entry.status, entry.output]).toEqual([1, expect.stringContaining("is not its leaf")]);
    expect(verify().status).toBe(0);
  });
});
