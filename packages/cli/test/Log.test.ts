import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { Failure } from "../src/ExitCode.ts";
import * as Log from "../src/Log.ts";

const failure: Failure = { code: 6, tag: "LogShrunk", message: "the log has 2", remedy: null };

const logged = (json: boolean, ended: Failure | null) => {
  const lines: Array<string> = [];
  const log = Log.make(json, (line) => lines.push(line));
  Effect.runSync(
    Effect.gen(function* () {
      yield* Effect.logInfo("nobody asked");
      yield* Effect.logError("not signed: the log has 2");
      yield* Effect.logError("other\u001b[2J");
      yield* Effect.logWarning("can't look");
    }).pipe(Effect.provide(log.layer)),
  );
  return [...lines, ...log.rest(ended)];
};

describe("the log of a command", () => {
  it("is plain lines, without what the command's own error says", () => {
    expect(logged(false, failure)).toEqual(["warning: can't look", "error: other\\u001b[2J"]);
  });

  it("keeps every error of a command that ends well", () => {
    expect(logged(false, null)).toContain("error: not signed: the log has 2");
  });

  it("is one JSON object a line where JSON was asked for", () => {
    expect(logged(true, failure).map((line) => JSON.parse(line))).toEqual([
      { log: { level: "warning", message: "can't look" } },
      { log: { level: "error", message: "other\u001b[2J" } },
    ]);
  });
});
