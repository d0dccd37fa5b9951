import { describe, expect, it } from "vitest";
import * as Duration from "../src/Duration.ts";

describe("Duration", () => {
  it.each([
    [0, "0 ms"],
    [0.42, "0.4 ms"],
    [12.6, "13 ms"],
    [999.4, "999 ms"],
    [999.6, "1000 ms"],
    [1234, "1.23 s"],
    [59_940, "59.9 s"],
    [125_000, "2 m 05 s"],
    [3_725_000, "1 h 02 m"],
  ])("writes %d ms as %s", (duration_ms, text) => {
    expect(Duration.format(duration_ms)).toBe(text);
  });

  it("keeps microseconds between two times", () => {
    const from = Duration.epochMs("2026-02-10T12:43:41.549430Z") ?? 0;
    const to = Duration.epochMs("2026-02-10T12:43:41.549930Z") ?? 0;
    expect(to - from).toBeCloseTo(0.5, 2);
  });

  it("takes a text that is no time for no time", () => {
    expect(Duration.epochMs("soon")).toBeNull();
    expect(Duration.epochMs("2026-02-31T99:00:00Z")).toBeNull();
    expect(Duration.clock("soon")).toBe("soon");
    expect(Duration.clock("2026-02-10T12:43:41.549430Z")).toBe("2026-02-10 12:43:41.549");
  });
});
