import { describe, expect, it } from "vitest";
import { releaseNoteViolations } from "../ReleaseNotes.ts";
import { FixtureTree } from "./FixtureTree.ts";

const changeset = (header: string, summary = "It proves.") => `---\n${header}\n---\n\n${summary}\n`;

const files = {
  ".changeset/README.md": "No changeset.\n",
  ".changeset/first.md": changeset('"@runproof/proof": minor'),
  "packages/proof/package.json": '{ "name": "@runproof/proof" }',
  "packages/hidden/package.json": '{ "name": "@runproof/hidden", "private": true }',
};

describe("release notes", () => {
  it("are in order with a changeset for each published package", () => {
    using tree = new FixtureTree(files);
    expect(releaseNoteViolations(tree.root)).toEqual([]);
  });

  it("are in order with a CHANGELOG and no changeset", () => {
    using tree = new FixtureTree({ ...files, "packages/proof/CHANGELOG.md": "# proof\n" });
    tree.remove(".changeset/first.md");
    expect(releaseNoteViolations(tree.root)).toEqual([]);
  });

  it.each([
    [
      "a package that is not there",
      changeset('"@runproof/prof": minor'),
      "@runproof/prof is not published",
    ],
    [
      "a private package",
      changeset('"@runproof/hidden": minor'),
      "@runproof/hidden is not published",
    ],
    ["an unknown bump", changeset('"@runproof/proof": huge'), '"huge" is not major, minor, patch'],
    ["no package", changeset(""), "names no package"],
    ["no sentence", changeset('"@runproof/proof": minor', ""), "says nothing"],
    ["no header", "It proves.\n", "names no package"],
  ])("may not name %s", (_what, text, says) => {
    using tree = new FixtureTree({ ...files, ".changeset/second.md": text });
    expect(releaseNoteViolations(tree.root)).toContain(`.changeset/second.md: ${says}`);
  });

  it("may not be missing", () => {
    using tree = new FixtureTree(files);
    tree.remove(".changeset/first.md");
    expect(releaseNoteViolations(tree.root)).toEqual([
      "@runproof/proof has neither a CHANGELOG.md nor a changeset",
    ]);
  });
});
