import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { trackedTextViolations } from "../TrackedText.ts";
import { FixtureTree } from "./FixtureTree.ts";

/** A checkout that tracks one file of that text. */
function checkout(text: string): FixtureTree {
  const tree = new FixtureTree({ "notes.md": text });
  execFileSync("git", ["init", "--quiet"], { cwd: tree.root });
  execFileSync("git", ["add", "notes.md"], { cwd: tree.root });
  return tree;
}

/** Joined where the tests run, so that this file does not hold them itself. */
const join = (...parts: ReadonlyArray<string>) => parts.join("");

describe("tracked text", () => {
  it.each([
    ["a private key", join("-----BEGIN ", "PRIVATE KEY-----\n", "A".repeat(64), "\n")],
    ["a note signer's key", join("PRIVATE+", "KEY+log.example+8d3ef0a1+", "A".repeat(44))],
    ["an access token", join("npm", "_", "a1".repeat(18))],
    ["an access token", join("ghp", "_", "a1".repeat(18))],
    ["a registry's token", join("//host/:_auth", "Token=abcdefgh12")],
    ["a registry's address", join("https:/", "/registry.example.org/left-pad")],
    ["a registry's address", join("npm config set registry registry", ".npmjs.org")],
    ["a path in root's home", join("see /", "root/notes")],
  ])("may not hold %s", (what, text) => {
    using tree = checkout(`first\n${text}`);
    expect(trackedTextViolations(tree.root)).toEqual([`notes.md:2: holds ${what}`]);
  });

  it("may not hold the checkout's own path", () => {
    using tree = checkout("");
    tree.write("notes.md", `run ${tree.root}/bin/runproof`);
    expect(trackedTextViolations(tree.root)).toEqual(["notes.md:1: holds a path of this machine"]);
  });

  it("may hold addresses and paths that tell nothing", () => {
    using tree = checkout(
      "https://www.npmjs.com/package/effect $HOME/root/x /home/of/runs /usr/lib/postgresql packages/root/x the npm registry",
    );
    expect(trackedTextViolations(tree.root)).toEqual([]);
  });
});
