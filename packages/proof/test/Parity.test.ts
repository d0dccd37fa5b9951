import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Act, compareActs, firstDifference, PAYLOAD_GONE } from "@runproof/proof/Parity";
import { align } from "../src/internal/align.ts";

const act = (skill_id: string, over: Partial<Act> = {}): Act => ({
  step_index: 0,
  skill_id,
  status: "success",
  retry_count: 0,
  params: '{"a":1}',
  outcome_category: "SUCCESS",
  outcome_code: null,
  outcome_data: null,
  cost_cents: null,
  duration_ms: null,
  ...over,
});

/** The fewest insertions and deletions between two texts, by the table that everyone knows. */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1)
      next.push(left[i - 1] === right[j - 1] ? row[j - 1]! : 1 + Math.min(row[j]!, next[j - 1]!));
    row = next;
  }
  return row[right.length]!;
};

const word = fc.stringMatching(/^[abc]{0,12}$/u);

describe("an alignment", () => {
  it("names every place of both once, in order, pairs only what is the same, and leaves out the fewest", () => {
    fc.assert(
      fc.property(word, word, (left, right) => {
        const pairs = align(left.length, right.length, (l, r) => left[l] === right[r], 100)!;
        const places = (side: "left" | "right") =>
          pairs.flatMap((pair) => (pair[side] === null ? [] : [pair[side]]));
        expect(places("left")).toEqual([...left].map((_, at) => at));
        expect(places("right")).toEqual([...right].map((_, at) => at));
        const alone = pairs.filter((pair) => pair.left === null || pair.right === null);
        for (const pair of pairs)
          if (!alone.includes(pair)) expect(left[pair.left!]).toBe(right[pair.right!]);
        expect(alone.length).toBe(distance(left, right));
      }),
    );
  });

  it("is given up where the runs have more differences than are aligned", () => {
    expect(align(5, 5, () => false, 9)).toBeNull();
    expect(align(5, 5, () => false, 10)).not.toBeNull();
  });
});

describe("two runs", () => {
  it("agree just where each act of one agrees with its act of the other", () => {
    const acts = fc.array(
      fc.record({ skill: fc.constantFrom("a", "b"), n: fc.constantFrom("1", "2") }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(acts, acts, (left, right) => {
        const of = (some: typeof left) => some.map(({ skill, n }) => act(skill, { params: n }));
        const { first_divergence, rows } = compareActs(of(left), of(right));
        expect(first_divergence === null).toBe(JSON.stringify(left) === JSON.stringify(right));
        expect(rows.filter(({ a }) => a !== null).length).toBe(left.length);
        expect(rows.filter(({ b }) => b !== null).length).toBe(right.length);
      }),
    );
  });

  it("differ by any field that is compared, and by no other", () => {
    const one = act("a");
    for (const [field, value] of [
      ["params", '{"a":2}'],
      ["params", null],
      ["status", "failure"],
      ["retry_count", 1],
    ] as const) {
      const { rows, first_divergence } = compareActs([one], [{ ...one, [field]: value }]);
      expect(first_divergence).toBe(0);
      expect(rows[0]).toMatchObject({ kind: "changed", fields: [field] });
    }
    const other = { ...one, outcome_code: "X", duration_ms: 9, cost_cents: 2, step_index: 4 };
    expect(compareActs([one], [other]).first_divergence).toBeNull();
    expect(compareActs([one], [other], ["cost_cents"]).first_divergence).toBe(0);
  });

  it("are not said to agree in a payload that is gone, nor to differ in it", () => {
    const gone = act("a", { params: PAYLOAD_GONE });
    for (const pair of [
      [gone, act("a")],
      [gone, gone],
    ] as const) {
      const { rows, first_divergence, first_unknown } = compareActs([pair[0]], [pair[1]]);
      expect(first_divergence).toBeNull();
      expect(first_unknown).toBe(0);
      expect(rows[0]).toMatchObject({ kind: "unknown", fields: ["params"] });
    }
    // That one has a payload and the other none is known all the same.
    expect(compareActs([gone], [act("a", { params: null })]).first_divergence).toBe(0);
  });

  it("show an act that was put in where it was put in", () => {
    const [a, b, c] = [act("a"), act("b"), act("c")];
    const { rows, first_divergence } = compareActs([a, b], [a, c, b]);
    expect(first_divergence).toBe(1);
    expect(rows.map(({ kind }) => kind)).toEqual(["same", "only_b", "same"]);
  });
});

describe("the first difference of two values", () => {
  it("is told by its path", () => {
    expect(firstDifference('{"a":{"b":[1,2]}}', '{"a":{"b":[1,3]}}')).toEqual({
      path: "$.a.b[1]",
      a: 2,
      b: 3,
    });
    expect(firstDifference('{"a":1}', '{"a":1,"x y":2}')).toEqual({
      path: '$["x y"]',
      a: undefined,
      b: 2,
    });
    expect(firstDifference('{"a":1}', '{"a":1}')).toBeNull();
  });
});
