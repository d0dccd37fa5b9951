/** Goal: an anchor that was kept is not lost to another log's. Method: real keys and files, and the real command. */
import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { generateSignerKey } from "@runproof/proof/NoteKey";
import * as Effect from "effect/Effect";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as CheckpointFile from "../src/CheckpointFile.ts";
import { folder, runproof } from "./runproof.ts";

const here = folder();
afterAll(() => here.remove());

const note = (origin: string, tree_size: number, root = "ab") =>
  signCheckpoint({ origin, tree_size, root_hash: root.repeat(32) }, [generateSignerKey(origin)]);

const write = (path: string, text: string) => Effect.runPromise(CheckpointFile.write(path, text));

describe("a kept checkpoint", () => {
  it("gives way to a larger tree of its log, and to itself", async () => {
    const path = join(here.path, "grows.txt");
    for (const size of [3, 3, 4]) {
      const text = note("example.com/log", size);
      await write(path, text);
      expect(readFileSync(path, "utf8")).toBe(text);
    }
  });

  it.each([
    ["another log's", note("localhost/runproof/1", 9), "the log example.com/log (7 entries)"],
    ["one of a smaller tree", note("example.com/log", 6), "over 7 entries of example.com/log"],
    ["one of another history", note("example.com/log", 7, "cd"), "another root"],
  ])("does not give way to %s", async (_, text, what) => {
    const held = note("example.com/log", 7);
    const path = here.write("held.txt", held);
    await expect(write(path, text)).rejects.toThrow(what);
    expect(readFileSync(path, "utf8")).toBe(held);
  });

  it("takes the place of an empty file, and of nothing else that is no checkpoint", async () => {
    const empty = here.write("empty.txt", "");
    await write(empty, note("example.com/log", 1));
    expect(readFileSync(empty, "utf8")).toContain("example.com/log");
    const other = here.write("plan.json", "{}\n");
    await expect(write(other, note("example.com/log", 1))).rejects.toThrow("holds no checkpoint");
    expect(readFileSync(other, "utf8")).toBe("{}\n");
  });

  it("survives a command that lost its environment, which makes no database and looks at none", async () => {
    const lost = join(here.path, "lost");
    mkdirSync(lost);
    const held = note("example.com/log", 4929);
    const path = here.write("kept.txt", held);
    const ended = await runproof(["checkpoint", "--out", path], {}, lost);
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).toContain("DATABASE_URL");
    expect(readFileSync(path, "utf8")).toBe(held);
    expect(readdirSync(lost)).toEqual([]);
  });
});
