import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect } from "vitest";
import * as Call from "../src/Call.ts";
import * as File from "../src/File.ts";
import * as Invocation from "../src/Invocation.ts";
import { folder } from "./runproof.ts";

const here = folder();
afterAll(here.remove);

describe("File", () => {
  it.effect("writes through a link to the file behind it, and leaves nothing beside", () =>
    Effect.gen(function* () {
      const real = here.write("real.txt", "before");
      const link = join(here.path, "link.txt");
      symlinkSync(real, link);
      yield* File.write(link, "after");
      expect(readFileSync(real, "utf8")).toBe("after");
      expect(readdirSync(here.path).filter((name) => name.endsWith(".part"))).toEqual([]);
    }),
  );

  it.effect("keeps what was there where the pieces of the new do not all come", () =>
    Effect.gen(function* () {
      const path = here.write("kept.txt", "before");
      const broken = yield* Effect.exit(
        File.writePieces(path, (write) => Effect.andThen(write("half"), Effect.fail("broken"))),
      );
      expect([broken._tag, readFileSync(path, "utf8")]).toEqual(["Failure", "before"]);
      yield* File.writePieces(path, (write) => Effect.andThen(write("the "), write("whole")));
      expect(readFileSync(path, "utf8")).toBe("the whole");
      expect(readdirSync(here.path).filter((name) => name.endsWith(".part"))).toEqual([]);
    }),
  );

  it.effect("writes to a device instead of replacing it", () =>
    Effect.gen(function* () {
      yield* File.write("/dev/null", "x");
      expect(existsSync("/dev/null")).toBe(true);
      expect(yield* File.read("/dev/null")).toBe("");
    }),
  );

  it.effect("says of a path that can't be read or written why, and what to do", () =>
    Effect.gen(function* () {
      mkdirSync(join(here.path, "sub"));
      const nowhere = yield* Effect.flip(File.write(join(here.path, "none", "x"), ""));
      const isFolder = yield* Effect.flip(File.read(join(here.path, "sub")));
      const missing = yield* Effect.flip(File.read(join(here.path, "missing")));
      expect([nowhere.what, isFolder.what, missing.what]).toEqual([
        "no such file or folder",
        "is a folder",
        "no such file or folder",
      ]);
      for (const { remedy } of [nowhere, isFolder, missing]) expect(remedy).not.toBe("");
    }),
  );
});

describe("Call", () => {
  it.each([
    ["http_call", { method: "GET", url: "https://example.com/a/b?c=d" }, "GET /a/b?c=…"],
    ["http_call", { method: "GET", url: "no url" }, null],
    ["http_call", null, null],
    ["search", { method: "GET", url: "https://example.com/" }, null],
  ])("describes %s of %j as %s", (skill_id, params, described) => {
    expect(Call.describe(skill_id, params)).toBe(described);
  });
});

describe("Invocation", () => {
  it("quotes what a shell would take apart", () => {
    expect(["/tmp/a-b_1.json", "a b", "it's", "$(x)"].map(Invocation.quote)).toEqual([
      "/tmp/a-b_1.json",
      "'a b'",
      "'it'\\''s'",
      "'$(x)'",
    ]);
  });
});
