import { describe, expect, it } from "vitest";
import * as Time from "../src/Time.ts";

const NOW_MS = Date.parse("2026-03-01T00:30:00.250Z");

describe("Time", () => {
  it.each([
    ["now", "2026-03-01T00:30:00.250Z"],
    ["90s", "2026-03-01T00:28:30.250Z"],
    ["15m", "2026-03-01T00:15:00.250Z"],
    ["1h", "2026-02-28T23:30:00.250Z"],
    ["2d", "2026-02-27T00:30:00.250Z"],
    ["1w", "2026-02-22T00:30:00.250Z"],
    ["today", "2026-03-01T00:00:00Z"],
    ["yesterday", "2026-02-28T00:00:00Z"],
    ["2026-02-10", "2026-02-10T00:00:00Z"],
    ["2026-02-10T01:00:00+02:00", "2026-02-10T01:00:00+02:00"],
  ])("reads %s", (text, time) => {
    expect(Time.parse(text, NOW_MS)).toBe(time);
  });

  it.each(["", "1", "h", "-1h", "1 h", "1.5h", "1y", "tomorrow", "2026", "12:00"])(
    "takes %j for no time",
    (text) => {
      expect(Time.parse(text, NOW_MS)).toBeNull();
    },
  );
});
