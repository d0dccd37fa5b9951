/** Goal: a plan is taken within its named limits only. Method: each limit, one at it and one past it. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { describe, expect, it } from "vitest";
import { Bundle, StepBundle } from "../src/Bundle.ts";
import {
  Plan,
  PLAN_RETRIES_MAX,
  PLAN_SKILL_CHARACTERS_MAX,
  PLAN_STEPS_MAX,
  PLAN_TIMEOUT_MS_MAX,
} from "../src/Plan.ts";

const isPlan = (value: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(Plan)(value));
const one = { skill: "http_call", params: { url: "http://127.0.0.1/" } };

describe("plans", () => {
  it.each([
    { steps: [one] },
    {
      steps: [
        {
          ...one,
          retries: PLAN_RETRIES_MAX,
          timeout_ms: PLAN_TIMEOUT_MS_MAX,
          on_failure: "continue",
        },
      ],
    },
    { steps: [{ ...one, retries: 0, timeout_ms: 1, on_failure: "stop" }, one] },
    { steps: [{ ...one, skill: "x".repeat(PLAN_SKILL_CHARACTERS_MAX) }] },
  ])("take %#", (plan) => {
    expect(Schema.decodeUnknownSync(Plan)(plan)).toEqual(plan);
  });

  it.each([
    {},
    [],
    null,
    { steps: [] },
    { steps: [one], extra: 1 },
    { steps: [{ ...one, extra: 1 }] },
    { steps: [{ skill: "http_call" }] },
    { steps: [{ params: {} }] },
    { steps: [{ ...one, params: [] }] },
    { steps: [{ ...one, params: { at: undefined } }] },
    { steps: [{ ...one, skill: "" }] },
    { steps: [{ ...one, skill: "x".repeat(PLAN_SKILL_CHARACTERS_MAX + 1) }] },
    { steps: [{ ...one, retries: -1 }] },
    { steps: [{ ...one, retries: 1.5 }] },
    { steps: [{ ...one, retries: PLAN_RETRIES_MAX + 1 }] },
    { steps: [{ ...one, timeout_ms: 0 }] },
    { steps: [{ ...one, timeout_ms: PLAN_TIMEOUT_MS_MAX + 1 }] },
    { steps: [{ ...one, on_failure: "retry" }] },
    { steps: [{ ...one, on_failure: undefined }] },
  ])("refuse %#", (plan) => {
    expect(isPlan(plan)).toBe(false);
  });

  it("have a most number of steps", () => {
    const steps = Array.from({ length: PLAN_STEPS_MAX }, () => one);
    expect(isPlan({ steps })).toBe(true);
    expect(isPlan({ steps: [...steps, one] })).toBe(false);
  });
});

describe("bundles", () => {
  it("refuse what is none", () => {
    for (const schema of [Bundle, StepBundle]) {
      for (const value of [
        null,
        {},
        [],
        { format: "runproof/bundle@v1" },
        { format: "runproof/step-bundle@v1" },
      ]) {
        expect(Result.isFailure(Schema.decodeUnknownResult(schema)(value))).toBe(true);
      }
    }
  });
});
