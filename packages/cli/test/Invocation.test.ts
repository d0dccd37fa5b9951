/**
 * Goal: how the command is called, and where its words go.
 * Method: the real process, with no database anywhere.
 */
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as ExitCode from "../src/ExitCode.ts";
import { folder, runproof } from "./runproof.ts";

const here = folder();
afterAll(here.remove);

describe("runproof", () => {
  it("prints its help on stdout, with every exit code, alone and on request", async () => {
    const [bare, asked] = await Promise.all([runproof([]), runproof(["--help"])]);
    expect(bare).toEqual({ code: 0, stdout: asked.stdout, stderr: "" });
    expect(asked).toMatchObject({ code: 0, stderr: "" });
    for (const [code, meaning] of ExitCode.meanings) {
      expect(asked.stdout).toContain(`${String(code).padStart(5)}  ${meaning}\n`);
    }
  });

  it("calls no flag required that may be left out", async () => {
    for (const [command, flags] of [
      ["audit", ["checkpoint", "vkey"]],
      ["verify", ["vkey"]],
      ["attack-test", ["row"]],
    ] as const) {
      const { stdout } = await runproof([command, "--help"]);
      for (const flag of flags) expect(stdout).toContain(`--${flag} `);
      expect(stdout).not.toContain("(required)");
    }
  });

  it("lists the exit codes in the help of a subcommand too, within 80 columns", async () => {
    const { stdout } = await runproof(["traces", "list", "--help"]);
    expect(stdout).toContain("EXIT CODES");
    expect(stdout).toContain("Tenant that the run belongs to [RUNPROOF_TENANT_ID]");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("prints the version of its package", async () => {
    const path = new URL("../package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
    expect(await runproof(["--version"])).toEqual({
      code: 0,
      stdout: `runproof ${version}\n`,
      stderr: "",
    });
  });

  it.each([
    [["proof", "r-1", "--tenant", "t"], "Unrecognized flag: --tenant"],
    [["proof", "r-1"], "Missing required flag: --tenant-id"],
    [["proof", "--tenant-id", "t"], "Missing required argument: RUN_ID"],
    [["proof", "r-1", "--tenant-id", ""], "tenant-id"],
    [["proof", "r-1", "--tenant-id", "t", "--model", "MD5"], "MD5"],
    [["import", "x", "--format", "csv", "--tenant-id", "t"], "csv"],
    [["traces", "list", "--tenant-id", "t", "--limit", "many"], "many"],
    [["prof"], "proof"],
    [["traces"], "a subcommand is missing"],
    [["verify", "a", "b"], "Unexpected positional argument"],
  ])("refuses %j with 2, on stderr alone, and says where the help is", async (args, said) => {
    const { code, stdout, stderr } = await runproof(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^error: /u);
    expect(stderr).toMatch(/\n {2}try: runproof.* --help\n$/u);
  });

  it("says an error as one JSON document on stderr where --json was given", async () => {
    const { code, stdout, stderr } = await runproof(["proof", "--json"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 2, tag: "InvalidInvocation" } });
  });

  it.each(["bash", "zsh", "fish"])("completes in %s", async (shell) => {
    const { code, stdout } = await runproof(["--completions", shell], {}, tmpdir());
    expect(code).toBe(0);
    for (const word of ["traces", "tenant-id", "include-payloads", "openai-messages"])
      expect(stdout).toContain(word);
  });

  it("reads no more of a pipe that never ends than of a file", async () => {
    const { code, stderr } = await runproof(["verify", "/dev/zero"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("no more than 268435456 bytes are read"),
    ]);
  });

  it("takes no colour to a pipe unless it is forced, and none where NO_COLOR is set", async () => {
    const [plain, forced, refused] = await Promise.all([
      runproof(["--help"]),
      runproof(["--help"], { FORCE_COLOR: "1" }),
      runproof(["--help"], { FORCE_COLOR: "1", NO_COLOR: "1" }),
    ]);
    expect(plain.stdout).not.toContain("\u001b[");
    expect(forced.stdout).toContain("\u001b[");
    expect(refused.stdout).toBe(plain.stdout);
  });

  it.runIf(existsSync("/dev/full"))("never ends well when its output was lost", async () => {
    const { code, stderr } = await runproof(["--help"], {}, here.path, openSync("/dev/full", "w"));
    expect(code).toBe(1);
    expect(stderr).toContain("ENOSPC");
  });

  it("names a plan that is not there, not JSON, or would lose something", async () => {
    const path = join(here.path, "plan.json");
    const run = () => runproof(["run", "--plan", path, "--tenant-id", "t"], {}, here.path);
    expect(await run()).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("no such file"),
    });
    writeFileSync(path, '{"steps": [}');
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("$.steps[0]") });
    writeFileSync(path, '{"steps": [], "steps": []}');
    expect(await run()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the key is there twice"),
    });
    writeFileSync(path, '{"steps": [{"skill": "http_call", "params": {"n": 9007199254740993}}]}');
    expect(await run()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("9007199254740993"),
    });
  });
});
