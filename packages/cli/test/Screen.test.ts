import { displayWidth } from "effect/cli/CliOutput";
import { describe, expect, it } from "vitest";
import { clip, detect, printable, tone, width, wrap } from "../src/Screen.ts";
import { screen } from "./screens.ts";

const terminal = { isTTY: true, columns: 132 };
const utf8 = { LANG: "en_US.UTF-8", TERM: "xterm-256color" };

describe("Screen", () => {
  it("has colour and redraws on a terminal only", () => {
    expect(detect(terminal, utf8)).toEqual({
      colour: true,
      unicode: true,
      live: true,
      columns: 132,
    });
    expect(detect({}, utf8)).toEqual({ colour: false, unicode: true, live: false, columns: 80 });
  });

  it("has no colour where NO_COLOR is set, FORCE_COLOR or not, and ignores an empty one", () => {
    expect(detect(terminal, { ...utf8, NO_COLOR: "1", FORCE_COLOR: "1" }).colour).toBe(false);
    expect(detect(terminal, { ...utf8, NO_COLOR: "" }).colour).toBe(true);
    expect(detect({}, { ...utf8, FORCE_COLOR: "1" }).colour).toBe(true);
    expect(detect({}, { ...utf8, FORCE_COLOR: "0" }).colour).toBe(false);
  });

  it("neither colours nor redraws a dumb terminal", () => {
    expect(detect(terminal, { ...utf8, TERM: "dumb" })).toMatchObject({
      colour: false,
      live: false,
    });
  });

  it("draws Unicode only where the locale says UTF-8, LC_ALL first", () => {
    expect(detect(terminal, { TERM: "xterm" }).unicode).toBe(false);
    expect(detect(terminal, { LANG: "C.utf8" }).unicode).toBe(true);
    expect(detect(terminal, { LC_ALL: "C", LANG: "en_US.UTF-8" }).unicode).toBe(false);
  });

  it("takes a width that is no terminal's from COLUMNS, and never one too narrow to draw in", () => {
    expect(detect({}, { COLUMNS: "100" }).columns).toBe(100);
    expect(detect({}, { COLUMNS: "wide" }).columns).toBe(80);
    expect(detect({ isTTY: true, columns: 0 }, {}).columns).toBe(80);
    expect(detect({ isTTY: true, columns: 3 }, {}).columns).toBe(40);
  });

  it("shows control and direction-changing characters by their code", () => {
    expect(printable("a\u001b[31mb\u0007\u009b\u202ec\n")).toBe(
      "a\\u001b[31mb\\u0007\\u009b\\u202ec\\u000a",
    );
    expect(printable("Grüße, 検索 👍")).toBe("Grüße, 検索 👍");
  });

  it("paints only where there is colour", () => {
    expect(tone(screen(80), "bad", "x")).toBe("x");
    expect(tone(screen(80, { colour: true }), "bad", "x")).toBe("\u001b[31mx\u001b[39m");
  });

  it("clips by cells, not by characters", () => {
    expect(clip(screen(80), "abcdef", 6)).toBe("abcdef");
    expect(clip(screen(80), "abcdefg", 6)).toBe("abcde…");
    expect(clip(screen(80, { unicode: false }), "abcdefg", 6)).toBe("abcde~");
    expect(width(clip(screen(80), "検索検索", 6))).toBeLessThanOrEqual(6);
  });

  it("wraps at spaces under the first line's label, and never drops a long word", () => {
    expect(wrap("one two three", 12, "ab: ")).toBe("ab: one two\n    three");
    expect(wrap("x".repeat(30), 12, "ab: ")).toBe(`ab: ${"x".repeat(30)}`);
  });
});

describe("a width", () => {
  it("of what is drawn here is that of any other text", () => {
    for (const text of ["a ~", "✓✗↻·…█▏└", "検索", "e\u0301", "👩‍👩‍👧"])
      expect(width(text)).toBe(displayWidth(text));
  });
});
