/**
 * Goal: canonical text is RFC 8785's, and whatever JSON would drop, round or rewrite is refused with its path. Method:
 * the RFC author's pairs, another implementation as oracle, and one value of each kind that must be refused.
 */
import otherCanonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalize,
  CanonicalJsonError,
  type CanonicalLimits,
  DEPTH_MAX,
  PARSED_LIMITS,
} from "../src/CanonicalJson.ts";
import { isCanonical } from "../src/JsonText.ts";
import { describeShared, listShared, readShared } from "./SharedData.ts";

const refusalOf = (value: unknown, limits?: CanonicalLimits): CanonicalJsonError => {
  try {
    const text = canonicalize(value, limits);
    return expect.unreachable(`taken as ${text}`);
  } catch (error) {
    expect(error).toBeInstanceOf(CanonicalJsonError);
    return error as CanonicalJsonError;
  }
};

describeShared("rfc8785", () => {
  it.each(listShared("rfc8785").filter((name) => name.endsWith(".input.json")))("%s", (name) => {
    const output = readShared(name.replace(".input.", ".output."));
    expect(canonicalize(JSON.parse(readShared(name)), PARSED_LIMITS)).toBe(output.trimEnd());
    expect(isCanonical(output.trimEnd())).toBe(true);
    expect(isCanonical(` ${output.trimEnd()}`)).toBe(false);
  });
});

/** JSON values with strings of any Unicode, awkward keys and all finite doubles. */
const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());
const key = fc.oneof(
  text,
  fc.constantFrom("__proto__", "constructor", "toJSON", "", "\u20ac", "\ud83d\ude00", "\ufb33"),
);
const { value: jsonValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -0, 1e20, 5e-324, Number.MAX_VALUE),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    text,
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(key, tie("value")), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

describe("laws", () => {
  it("agrees with another implementation", () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        expect(canonicalize(value, PARSED_LIMITS)).toBe(otherCanonicalize(value));
      }),
      { numRuns: 500 },
    );
  });

  it("is the canonical form of itself, whatever the order of keys", () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toReversed()
                .map(([name, inner]) => [name, reversed(inner)]),
            )
          : value;
    fc.assert(
      fc.property(jsonValue, (value) => {
        const canonical = canonicalize(value, PARSED_LIMITS);
        expect(isCanonical(canonical)).toBe(true);
        expect(canonicalize(reversed(value), PARSED_LIMITS)).toBe(canonical);
      }),
      { numRuns: 300 },
    );
  });

  it("is not canonical with a white space, an escape or a digit more", () => {
    for (const other of [
      '{"a": 1}',
      '{"a":1.0}',
      '{"a":1e0}',
      '{"b":1,"a":1}',
      '"\\u0061"',
      "-0",
      "[1,]",
      "",
      "1 ",
    ]) {
      expect(isCanonical(other), other).toBe(false);
    }
  });
});

class Thing {
  readonly a = 1;
}

describe("refusals", () => {
  const at = (value: unknown) => ({ a: [0, { "b c": value }] });
  it.each([
    ["undefined", undefined],
    ["NaN", NaN],
    ["Infinity", Infinity],
    ["-Infinity", -Infinity],
    ["BigInt", 1n],
    ["integer", 2 ** 53],
    ["integer", -(2 ** 53)],
    ["integer", 1e20],
    ["surrogate", "\ud800"],
    ["surrogate", "a\udc00b"],
    ["Date", new Date(0)],
    ["function", () => 1],
    ["symbol", Symbol("s")],
    ["plain object", new Thing()],
    ["plain object", new Map()],
    ["plain object", new String("a")],
    ["plain object", Object.create({ inherited: 1 })],
    ["holes", Array(1)],
    ["plain array", new (class extends Array {})()],
    ["beside its items", Object.assign([1], { extra: 2 })],
    ["getter", Object.defineProperty({}, "x", { get: () => 1, enumerable: true })],
    ["getter", Object.defineProperty([1], 0, { get: () => 1, enumerable: true })],
    ["not enumerable", Object.defineProperty({}, "x", { value: 1, enumerable: false })],
    ["symbol", { [Symbol("s")]: 1 }],
    ["proxy", new Proxy({}, {})],
    ["proxy", new Proxy([], {})],
    ["function", { toJSON: () => 1 }],
  ])("%s", (what, value) => {
    const refusal = refusalOf(at(value));
    expect(refusal.path).toMatch(/^\$\.a\[1\]\["b c"\]/u);
    expect(refusal.what).toContain(what);
    expect(refusal.remedy).not.toBe("");
    expect(refusal.message).toContain(refusal.path);
  });

  it("a key with a lone surrogate", () => {
    expect(refusalOf({ a: { "\ud800": 1 } }).what).toContain("surrogate");
  });

  it("a cycle, but not the same value twice", () => {
    const cycle: { next?: unknown } = {};
    cycle.next = [cycle];
    expect(refusalOf(cycle)).toMatchObject({
      path: "$.next[0]",
      what: "the value contains itself",
    });
    const shared = { a: 1 };
    expect(canonicalize([shared, shared])).toBe('[{"a":1},{"a":1}]');
  });

  it("more depth or bytes than the limits, and not one less", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)]);
    expect(canonicalize(nested(DEPTH_MAX))).toHaveLength(2 * DEPTH_MAX + 1);
    expect(refusalOf(nested(DEPTH_MAX + 1)).path).toBe(`$${"[0]".repeat(DEPTH_MAX)}`);
    expect(canonicalize([[]], { depth_max: 2 })).toBe("[[]]");
    expect(refusalOf([[[]]], { depth_max: 2 }).what).toContain("2 levels");
    // Five bytes in UTF-8 with the quotes, three UTF-16 units.
    expect(canonicalize("\u20ac", { bytes_max: 5 })).toBe('"\u20ac"');
    expect(refusalOf("\u20ac", { bytes_max: 4 }).what).toContain("4 bytes");
    expect(refusalOf(["x".repeat(1000)], { bytes_max: 1000 }).what).toContain("1000 bytes");
  });

  it("bytes, of the part that has too many", () => {
    const big = "x".repeat(1000);
    for (const [value, path] of [
      [big, "$"],
      [{ a: { b: [0, big] }, c: { d: 1 } }, "$.a.b[1]"],
      [{ a: big, role: "user" }, "$.a"],
      [{ a: 1, b: big }, "$.b"],
      // Each is small: the whole is not.
      [{ a: Array(200).fill("xxx"), b: Array(200).fill("yyy") }, "$"],
    ] as const)
      expect(refusalOf(value, { bytes_max: 1000 }).path).toBe(path);
  });

  it("nothing of what is ordinary", () => {
    const odd = JSON.parse('{"__proto__":{"a":1},"toJSON":null,"constructor":2}') as unknown;
    expect(canonicalize(odd)).toBe('{"__proto__":{"a":1},"constructor":2,"toJSON":null}');
    expect(canonicalize(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
    expect(canonicalize([-0, 2 ** 53 - 1, -(2 ** 53 - 1), 1.5, null])).toBe(
      "[0,9007199254740991,-9007199254740991,1.5,null]",
    );
    expect(canonicalize([1e20, 2 ** 53], PARSED_LIMITS)).toBe(
      "[100000000000000000000,9007199254740992]",
    );
  });
});
