/**
 * Goal: nothing that a text says is lost in reading it. Method: JSON.parse as oracle for what is JSON, exact decimals in
 * BigInt as oracle for what a double holds, and each thing that must be refused, with its path and offset.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, PARSED_LIMITS } from "../src/CanonicalJson.ts";
import { JsonTextError, parseJson, TEXT_DEPTH_MAX } from "../src/JsonText.ts";

const refusalOf = (text: string): JsonTextError => {
  try {
    return expect.unreachable(`read as ${JSON.stringify(parseJson(text))}`);
  } catch (error) {
    expect(error).toBeInstanceOf(JsonTextError);
    return error as JsonTextError;
  }
};

/** A decimal as digits and a power of ten, brought to a common power: exact, by BigInt alone. */
const isSameDecimal = (a: string, b: string): boolean => {
  const scaled = (text: string, power: number): bigint => {
    const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
    const [whole = "", fraction = ""] = mantissa.split(".");
    return BigInt(whole + fraction) * 10n ** BigInt(Number(exponent) - fraction.length + power);
  };
  return scaled(a, 800) === scaled(b, 800);
};

describe("numbers", () => {
  it.each([
    "0",
    "-0",
    "1.10",
    "1e2",
    "1E+2",
    "0.1",
    "1e20",
    "100000000000000000000",
    "9007199254740992",
    "5e-324",
    "1.7976931348623157e308",
    "0e400",
    "0.0",
    "-12.50e-3",
    "123456789.125",
  ])("%s is held", (text) => {
    expect(parseJson(text)).toBe(Number(text));
  });

  it.each([
    "9007199254740993",
    "-9007199254740993",
    "1e400",
    "-1e400",
    "1e-400",
    "0.10000000000000001",
    "0.1000000000000000055511151231257827",
    "12345678901234567890",
    "333333333.33333329",
    "4.9e-324",
  ])("%s is refused", (text) => {
    expect(refusalOf(`{"a":[1,${text}]}`)).toMatchObject({ path: "$.a[1]", offset: 8 });
  });

  it("are taken just when the shortest form of the double is the same decimal", () => {
    const digits = fc.string({
      unit: fc.constantFrom(..."0123456789"),
      minLength: 1,
      maxLength: 22,
    });
    const literal = fc
      .tuple(
        fc.boolean(),
        digits,
        fc.option(digits),
        fc.option(fc.integer({ min: -330, max: 310 })),
      )
      .map(([minus, whole, fraction, power]) => {
        const trimmed = whole.replace(/^0+(?=\d)/u, "");
        return (
          (minus ? "-" : "") +
          trimmed +
          (fraction === null ? "" : `.${fraction}`) +
          (power === null ? "" : `e${power}`)
        );
      });
    const held = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(literal, held), (text) => {
        const value = Number(text);
        if (Number.isFinite(value) && isSameDecimal(String(value), text)) {
          taken += 1;
          expect(parseJson(text)).toBe(value);
        } else {
          refusalOf(text);
        }
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it("with a million digits are refused at once", () => {
    for (const text of [`0.${"1".repeat(1_000_000)}`, `1e${"9".repeat(1_000_000)}`])
      expect(refusalOf(text)).toMatchObject({ path: "$", offset: 0 });
  });
});

describe("refusals", () => {
  it.each([
    ['{"a":1,"b":2,"a":1}', "$.a", 13],
    ['[{"x":{"k":1,"\\u006b":2}}]', "$[0].x.k", 13],
    ['{"__proto__":1,"__proto__":2}', "$.__proto__", 15],
    ['["\\ud800"]', "$[0]", 1],
    ['{"\\udc00":1}', "$", 1],
    ['["\\ud800\\ud800"]', "$[0]", 1],
    ["[1,]", "$[1]", 3],
    ["[1 2]", "$", 3],
    ['{"a" 1}', "$.a", 5],
    ['{"a":1,}', "$", 7],
    ["{a:1}", "$", 1],
    ["01", "$", 1],
    ["1.", "$", 1],
    ["+1", "$", 0],
    ["NaN", "$", 0],
    ["nul", "$", 0],
    ["", "$", 0],
    ['"abc', "$", 0],
    ['"\\', "$", 1],
    ['"\\x41"', "$", 1],
    ['"\\u12g4"', "$", 1],
    ['"a\nb"', "$", 2],
    ['"a\\tb\u0001"', "$", 5],
    ["1 2", "$", 2],
    ["[", "$[0]", 1],
    ["\ufeff1", "$", 0],
    ["\u00a01", "$", 0],
    ["'a'", "$", 0],
    ["// a\n1", "$", 0],
  ])("%s", (text, path, offset) => {
    expect(refusalOf(text)).toMatchObject({ path, offset });
    expect(refusalOf(text).message).toContain(`line 1, column ${offset + 1}`);
  });

  it("say the line and the column", () => {
    expect(refusalOf('{\n  "a": 1,\r\n  "é": x\n}')).toMatchObject({ line: 3, column: 8 });
  });

  it("more depth or length than the limits, and not one less", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJson(nested(TEXT_DEPTH_MAX))).toBeInstanceOf(Array);
    expect(refusalOf(nested(TEXT_DEPTH_MAX + 1)).what).toContain("levels");
    expect(refusalOf("[".repeat(1_000_000)).what).toContain("levels");
    expect(parseJson("[[]]", { depth_max: 2, units_max: 4 })).toEqual([[]]);
    expect(() => parseJson("[[[]]]", { depth_max: 2 })).toThrow("2 levels");
    expect(() => parseJson("[[]] ", { units_max: 4 })).toThrow("longer");
  });

  it("more objects and arrays than the limit, with the place, before memory is full of them", () => {
    expect(parseJson("[{},{}]", { containers_max: 3 })).toEqual([{}, {}]);
    expect(() => parseJson("[{},{}]", { containers_max: 2 })).toThrow("$[1]: more objects");
  });
});

describe("laws", () => {
  const isRead = (text: string): boolean => {
    try {
      parseJson(text);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(JsonTextError);
      return false;
    }
  };

  it("reads what JSON.stringify writes, plain and indented", () => {
    const value = fc
      .jsonValue({ stringUnit: "binary" })
      .filter((json) => JSON.stringify(json).isWellFormed());
    fc.assert(
      fc.property(value, fc.constantFrom(0, 1, "\t"), (json, indent) => {
        const text = JSON.stringify(json, null, indent);
        if (/\\ud[89a-f]/u.test(text)) return;
        expect(canonicalize(parseJson(text), PARSED_LIMITS)).toBe(
          canonicalize(JSON.parse(text), PARSED_LIMITS),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("takes nothing that JSON.parse refuses, and reads what it takes the same", () => {
    const unit = fc.constantFrom(
      ...'{}[]:,"\\ \n\t0123456789.eE+-truefalsnu/bdcD8\u0001\u00e9'.split(""),
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        if (isRead(text))
          expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 5000 },
    );
  });

  it("keeps __proto__ as a key like others", () => {
    const value = parseJson('{"__proto__":{"polluted":true},"a":1}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__", "a"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(canonicalize(value)).toBe('{"__proto__":{"polluted":true},"a":1}');
  });

  it("gives keys with a quote and a backslash as they are, whatever was read before", () => {
    // Counterexamples of JSON.parse in Node 24 (nodejs/node#63785), and of StoredBytes.test.ts with seed 1160764708.
    const values = [
      { A: 1, 'k"': 2 },
      { A: 1, "k\\": 2 },
      { A: 1, 'k"': 2 },
      { 'k"': 1, "k\\": 2 },
    ];
    for (const value of [...values, ...values]) {
      const text = canonicalize(value);
      expect(canonicalize(parseJson(text))).toBe(text);
    }
  });

  it("reads a megabyte of escapes", () => {
    const text = '\\"\n'.repeat(300_000);
    expect(parseJson(JSON.stringify(text))).toBe(text);
  });
});

describe("text of others that keeps what is inexact", () => {
  it.each([
    ["9007199254740993", "9007199254740993"],
    ["-1544712660000000000", "-1544712660000000000"],
    ["9007199254740991", 9_007_199_254_740_991],
    ["0.10000000000000001", 0.1],
    ['"\\ud800"', "\ud800"],
    ['{"a":[1.5,12345678901234567890]}', { a: [1.5, "12345678901234567890"] }],
  ])("reads %s", (text, value) => {
    expect(parseJson(text, { keeps_inexact: true })).toEqual(value);
  });

  it.each(['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', "[1,]", "01", '"a', "[".repeat(999)])(
    "refuses %j all the same",
    (text) => {
      expect(() => parseJson(text, { keeps_inexact: true })).toThrow(JsonTextError);
    },
  );
});
