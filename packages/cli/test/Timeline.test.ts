import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { width } from "../src/Screen.ts";
import * as Timeline from "../src/Timeline.ts";
import { drawn, screen } from "./screens.ts";

const STARTED_AT = "2026-02-10T12:43:41.000000Z";

const step = (
  step_index: number,
  offset_ms: number | null,
  duration_ms: number | null,
  change: Partial<Timeline.TimelineStep> = {},
): Timeline.TimelineStep => ({
  step_index,
  label: String(step_index),
  parent_step_index: null,
  skill_name: "http_call",
  call: null,
  status: "success",
  outcome_code: "HTTP_200",
  started_at:
    offset_ms === null ? null : `2026-02-10T12:43:41.${String(offset_ms).padStart(3, "0")}000Z`,
  duration_ms,
  cost_cents: null,
  ...change,
});

const retried = [
  step(0, 0, 100),
  step(1, 100, 50, { status: "retry", outcome_code: "HTTP_503" }),
  step(2, 200, 200, { parent_step_index: 1, outcome_code: "HTTP_201" }),
  step(3, 400, 0, { status: "failure", outcome_code: null }),
];

describe("Timeline", () => {
  it("draws each step where it began and as long as it took, retries marked and children under their parent", () => {
    expect(Timeline.render(screen(80), STARTED_AT, retried)).toBe(
      drawn(`
        #  skill        status                start  0                    400 ms    took
        0  http_call    ✓ success HTTP_200    +0 ms  ███████                      100 ms
        1  http_call    ↻ retry HTTP_503    +100 ms        ███                     50 ms
        2  └ http_call  ✓ success HTTP_201  +200 ms               ██████████████  200 ms
        3  http_call    ✗ failure           +400 ms                            ▏    0 ms
      `),
    );
  });

  it("falls back to ASCII where the locale is not UTF-8", () => {
    const text = Timeline.render(screen(80, { unicode: false }), STARTED_AT, retried);
    expect(text).toMatch(/^[\u0020-\u007e\n]+$/u);
    expect(text).toContain("~ retry HTTP_503");
  });

  it("is a plain list where no step has a time", () => {
    const steps = [step(0, null, null), step(1, null, null, { skill_name: "get_user" })];
    expect(Timeline.render(screen(80), STARTED_AT, steps)).toBe(
      drawn(`
        #  skill      status              took
        0  http_call  ✓ success HTTP_200     -
        1  get_user   ✓ success HTTP_200     -
      `),
    );
  });

  it("leaves the bar of a step without a time empty beside steps that have one", () => {
    const text = Timeline.render(screen(80), STARTED_AT, [step(0, 0, 100), step(1, null, 50)]);
    const [, first, second] = text.split("\n");
    expect(first).toContain("█");
    expect(second).not.toMatch(/[█▏]/u);
    expect(second).toContain("-");
  });

  it("shows costs only where a step has one, and keeps them apart from what is free", () => {
    expect(Timeline.render(screen(120), STARTED_AT, retried)).not.toContain("cost");
    const text = Timeline.render(screen(120), STARTED_AT, [
      step(0, 0, 10, { cost_cents: 0.25 }),
      step(1, 10, 10, { cost_cents: 0 }),
      step(2, 20, 10),
    ]);
    expect(text.split("\n").map((line) => line.split("  ").at(-1)?.trim())).toEqual([
      "cost",
      "0.25 c",
      "0 c",
      "-",
    ]);
  });

  it.each([40, 60, 80, 140, 300])(
    "never draws past %i columns where the names leave room",
    (columns) => {
      const text = Timeline.render(screen(columns, { colour: true }), STARTED_AT, [
        step(0, 0, 999, { skill_name: "a", outcome_code: null }),
        step(1, 5, 3, { skill_name: "b", outcome_code: null }),
      ]);
      for (const line of text.split("\n")) expect(width(line)).toBeLessThanOrEqual(columns);
    },
  );

  it("aligns wide characters by the cells they take", () => {
    const text = Timeline.render(screen(100), STARTED_AT, [
      step(0, 0, 100, { skill_name: "検索" }),
      step(1, 0, 100, { skill_name: "find" }),
    ]);
    const [, wide, narrow] = text.split("\n");
    expect(width((wide ?? "").split("✓")[0] ?? "")).toBe(width((narrow ?? "").split("✓")[0] ?? ""));
  });

  it("shows a stored control sequence instead of obeying it", () => {
    const text = Timeline.render(screen(80), STARTED_AT, [
      step(0, 0, 1, { skill_name: "\u001b[2Jgone" }),
    ]);
    expect(text).toBe(stripVTControlCharacters(text));
    expect(text).toContain("\\u001b[2Jgone");
  });

  it("says what was called before it draws a bar, and gives up the skill's name first", () => {
    const steps = [step(0, 0, 100, { call: "GET /orders/7" }), step(1, 100, 20)];
    const narrow = Timeline.render(screen(60), STARTED_AT, steps);
    expect(narrow).toMatch(/^0 {2}GET \/orders\/7 {2}✓ success/mu);
    expect(narrow).toMatch(/^1 {2}http_call {6}✓ success/mu);
    expect(narrow).not.toContain("█");
    expect(Timeline.render(screen(100), STARTED_AT, steps)).toMatch(
      /0 {2}http_call {2}GET \/orders\/7 {2}✓ success/u,
    );
  });

  it("marks a status that the format does not know", () => {
    expect(Timeline.render(screen(80), STARTED_AT, [step(0, 0, 1, { status: "great" })])).toContain(
      "? great",
    );
  });
});
