import { describe, expect, it } from "vitest";
import { tieValues } from "../src/Arguments.ts";
import { command } from "../src/Cli.ts";
import * as Options from "../src/Options.ts";

describe("a command line", () => {
  it.each([
    // Each of these once printed the help, and ended with 0.
    [
      ["traces", "list", "--from", "-1h"],
      ["traces", "list", "--from=-1h"],
    ],
    [
      ["run", "--goal", "-shop"],
      ["run", "--goal=-shop"],
    ],
    [
      ["traces", "list", "--text", "-v"],
      ["traces", "list", "--text=-v"],
    ],
    [
      ["import", "-", "--format", "ndjson"],
      ["import", "-", "--format", "ndjson"],
    ],
    // What takes no value leaves the next word alone, and so does a value that is tied already.
    [
      ["proof", "--json", "-h"],
      ["proof", "--json", "-h"],
    ],
    [
      ["audit", "--until-finding", "-v"],
      ["audit", "--until-finding", "-v"],
    ],
    [
      ["run", "--goal=x", "-h"],
      ["run", "--goal=x", "-h"],
    ],
    [
      ["run", "--goal", "--json"],
      ["run", "--goal", "--json"],
    ],
    [
      ["traces", "show", "--", "--goal", "-h"],
      ["traces", "show", "--", "--goal", "-h"],
    ],
    [
      ["run", "--goal"],
      ["run", "--goal"],
    ],
  ])("of %j keeps each flag with its value", (args, tied) => {
    expect(command.name).toBe("runproof");
    expect(tieValues(args, Options.isToggle)).toEqual(tied);
  });
});
