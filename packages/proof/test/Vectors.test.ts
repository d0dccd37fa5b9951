/** Goal: every vector of the format comes out, and a vector that is changed does not. Method: the copy that ships too. */
import { describe, expect, it } from "vitest";
import { checkBuiltInVectors } from "../src/BuiltInVectors.ts";
import { parseJson } from "../src/JsonText.ts";
import { checkVectors } from "../src/Vectors.ts";
import { legacyRoot } from "../src/LegacyRoot.ts";
import vectors from "../src/vectors.json" with { type: "json" };
import { describeShared, readShared } from "./SharedData.ts";

describe.each([
  ["traces.json", vectors.traces],
  ["intents.json", vectors.intents],
])("%s", (file, builtIn) => {
  const path = `../spec/vectors/${file}`;
  describeShared(path, () => {
    it("passes whole, and the built-in copy is the same", () => {
      const specified = parseJson(readShared(path));
      expect(checkVectors(specified)).toMatchObject({ failed: 0, failures: [] });
      expect(builtIn).toEqual(specified);
    });
  });
});

describe("built-in vectors", () => {
  it("all pass", () => {
    const report = checkBuiltInVectors();
    expect(report.failures).toEqual([]);
    expect(report.passed).toBeGreaterThan(200);
  });

  it("fail where any value of any of them is changed", () => {
    const changed = (value: unknown): unknown =>
      typeof value === "string"
        ? `${value}x`
        : typeof value === "number"
          ? value === 0
            ? 1
            : -value
          : value === null
            ? "x"
            : !value;
    const places: Array<[Record<string, unknown>, string]> = [];
    const copy = structuredClone(vectors.traces) as unknown as { traces: Array<unknown> };
    // A vector with steps, disclosures and paths is enough: its kinds of places are those of all.
    copy.traces = [copy.traces[2]!];
    const walk = (holder: Record<string, unknown>) => {
      for (const key of Object.keys(holder)) {
        const value = holder[key];
        if (typeof value === "object" && value !== null) walk(value as Record<string, unknown>);
        else places.push([holder, key]);
      }
    };
    walk(copy.traces[0] as Record<string, unknown>);
    expect(places.length).toBeGreaterThan(80);
    for (const [holder, key] of places) {
      const was = holder[key];
      holder[key] = changed(was);
      expect(checkVectors(copy).failed, `${key}: ${String(was)}`).toBeGreaterThan(0);
      holder[key] = was;
    }
    expect(checkVectors(copy).failed).toBe(0);
  });

  it("fail where a case of intents has another verdict or finding", () => {
    for (const change of [{ verification_status: "UNSUPPORTED" }, { finding: "GAP" }]) {
      const cases = vectors.intents.cases.map((each) => ({ ...each, ...change }));
      expect(checkVectors({ ...vectors.intents, cases }).failed).toBe(cases.length);
    }
  });

  it("are not what has another format, or nothing in it", () => {
    const format = "runproof/vectors@v1";
    const others = [undefined, null, 1, {}, [], { format }, { format, traces: [] }];
    const broken = [
      { format, traces: [null] },
      { format: "other", traces: vectors.traces.traces },
      { format: "runproof/intent-cases@v1", cases: [] },
    ];
    for (const value of [...others, ...broken]) {
      expect(checkVectors(value).failed).toBeGreaterThan(0);
    }
  });
});

describe("the legacy root", () => {
  it("of the specification's example", () => {
    const steps = [{ step_index: 0, skill_name: "http_call", status: "success" }];
    expect(legacyRoot("89ceeaba-1aa4-42ad-b93e-4bdcd72d75b6", steps)).toBe(
      "d4ce6cf4a8984214901e97b1635ecec3a7562e401b1015680535b18ab35b35b8",
    );
  });
});
