/**
 * Goal: whatever value a program has, it is told and nothing of it is touched or lost unmarked. Method: each kind that JSON
 * can't say, any value that fast-check makes, and values at the limits of depth and size.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEPTH_MAX, TEXT_BYTES_MAX } from "../src/CanonicalJson.ts";
import { sha256 } from "../src/Hash.ts";
import { isCanonical, parseJson } from "../src/JsonText.ts";
import { withNotes } from "../src/RecorderNotes.ts";
import { prepareStep } from "../src/StepRecord.ts";
import { LOSSY_MAX, tellValue } from "../src/ToldValue.ts";
import { stepInput } from "./RunFixture.ts";

class Account {
  readonly balance = 5n;
  readonly #secret = 1;
  get secret(): number {
    return this.#secret;
  }
}
class Money {
  toJSON(): unknown {
    return { cents: 5 };
  }
}

describe("a value", () => {
  const cyclic: { a: number; self?: unknown; list?: Array<unknown> } = { a: 1 };
  const holed: Array<unknown> = [];
  holed[1] = 1;
  cyclic.self = cyclic;
  cyclic.list = [cyclic];

  it.each([
    ["a key that is undefined", { a: 1, note: undefined }, '{"a":1}', [["$.x.note", "undefined"]]],
    ["a function", { f: () => 1 }, "{}", [["$.x.f", "function"]]],
    ["a symbol in an array", [Symbol("s"), 1], "[null,1]", [["$.x[0]", "symbol"]]],
    ["a hole", holed, "[null,1]", [["$.x[0]", "undefined"]]],
    [
      "NaN",
      [NaN, -Infinity],
      '["NaN","-Infinity"]',
      [
        ["$.x[0]", "NaN"],
        ["$.x[1]", "-Infinity"],
      ],
    ],
    ["-0", { z: -0 }, '{"z":0}', [["$.x.z", "-0"]]],
    [
      "a BigInt",
      { big: 12345678901234567890n },
      '{"big":"12345678901234567890"}',
      [["$.x.big", "BigInt"]],
    ],
    ["a large integer", 2 ** 60, '"1152921504606846976"', [["$.x", "an integer beyond 2^53-1"]]],
    ["a Date", { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}', [["$.x.at", "Date"]]],
    ["no Date", new Date(NaN), '"Invalid Date"', [["$.x", "Date"]]],
    ["a Map", new Map([["k", 1]]), '[["k",1]]', [["$.x", "Map"]]],
    ["a Set", new Set([1, "b"]), '[1,"b"]', [["$.x", "Set"]]],
    ["bytes", Buffer.from("hi"), '{"base64":"aGk="}', [["$.x", "bytes"]]],
    ["a buffer", new Uint8Array([1]).buffer, '{"base64":"AQ=="}', [["$.x", "bytes"]]],
    [
      "an Error",
      Object.assign(new TypeError("no"), { code: "E1" }),
      '{"code":"E1","message":"no","name":"TypeError"}',
      [["$.x", "TypeError"]],
    ],
    [
      "an instance",
      new Account(),
      '{"balance":"5"}',
      [
        ["$.x", "Account"],
        ["$.x.balance", "BigInt"],
      ],
    ],
    ["one with toJSON", new Money(), '{"cents":5}', [["$.x", "Money"]]],
    [
      "a lone surrogate",
      { s: "a\ud800" },
      '{"s":"a\ufffd"}',
      [["$.x.s", "a string with a lone surrogate"]],
    ],
    [
      "a cycle",
      cyclic,
      '{"a":1,"list":[{"cycle":"$.x"}],"self":{"cycle":"$.x"}}',
      [
        ["$.x.self", "a cycle"],
        ["$.x.list[0]", "a cycle"],
      ],
    ],
    ["undefined itself", undefined, "null", [["$.x", "undefined"]]],
    [
      "a getter that throws",
      {
        get a() {
          throw new RangeError("x");
        },
      },
      '{"unreadable":"RangeError"}',
      [["$.x", "Object, which could not be read"]],
    ],
  ] as ReadonlyArray<[string, unknown, string, ReadonlyArray<readonly [string, string]>]>)(
    "with %s is told, and the place is marked",
    (_, value, text, lossy) => {
      const told = tellValue("x", value);
      expect(told.text).toBe(text);
      expect(told.lossy).toEqual(lossy.map(([path, was]) => ({ path, was })));
    },
  );

  it("that JSON can say is told as it is, with nothing marked", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        if (!text.isWellFormed() || /-0|\\u[dD][89a-f]|\d{16}|e\+/u.test(text)) return;
        // What its text says: that of -0 is 0.
        const told = tellValue("x", parseJson(text));
        expect(told.lossy).toEqual([]);
        expect(parseJson(told.text)).toEqual(parseJson(text));
      }),
    );
  });

  it("of -0, however deep, is told as 0 and marked, though JSON.stringify says 0 of it too", () => {
    const told = tellValue("x", { "": [{ "": -0 }] });
    expect(told).toEqual({
      text: '{"":[{"":0}]}',
      lossy: [{ path: '$.x[""][0][""]', was: "-0" }],
    });
  });

  it("of any kind is told in canonical text, and stays as it is", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withBoxedValues: true,
      stringUnit: "binary",
    });
    fc.assert(
      fc.property(anything, (value) => {
        const told = tellValue("x", value);
        expect(isCanonical(told.text)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("nested deeper than a payload may be is cut there, by its hash", () => {
    let value: unknown = "bottom";
    for (let depth = 0; depth < DEPTH_MAX + 2; depth++) value = [value];
    const told = tellValue("x", value);
    expect(isCanonical(told.text)).toBe(true);
    expect(told.text).toContain(`{"bytes":14,"sha256":"${sha256('[[["bottom"]]]')}"}`);
    expect(told.lossy).toEqual([
      { path: `$.x${"[0]".repeat(DEPTH_MAX - 1)}`, was: "nested too deep" },
    ]);
  });

  it("larger than a payload may be loses its largest parts, by their hashes", () => {
    const large = "x".repeat(TEXT_BYTES_MAX);
    const told = tellValue("x", { small: 1, large });
    const hash = sha256(JSON.stringify(large));
    const cut = `{"bytes":${TEXT_BYTES_MAX + 2},"sha256":"${hash}"}`;
    expect(told.text).toBe(`{"large":${cut},"small":1}`);
    expect(told.lossy).toEqual([{ path: "$.x.large", was: "too large" }]);
    expect(tellValue("x", large)).toEqual({
      text: cut,
      lossy: [{ path: "$.x", was: "too large" }],
    });
  });

  it("with more losses than are listed says how many more there are", () => {
    const { lossy } = tellValue("x", Array.from({ length: LOSSY_MAX + 5 }));
    expect(lossy).toHaveLength(LOSSY_MAX + 1);
    expect(lossy.at(-1)).toEqual({ path: "$", was: "5 more" });
  });
});

describe("a step of told values", () => {
  it("says in its attributes what was lost, beside the caller's own", () => {
    const input = stepInput(0, {
      outcome_data: { a: 1, note: undefined },
      attributes: { span: 1 },
    });
    const { payloads } = prepareStep(input, { values: "told" });
    expect(payloads.outcome_data!.text).toBe('{"a":1}');
    expect(parseJson(payloads.attributes!.text)).toEqual({
      span: 1,
      runproof: { lossy: [{ path: "$.outcome_data.note", was: "undefined" }] },
    });
  });

  it("says so of attributes themselves", () => {
    const input = stepInput(0, { attributes: { at: new Date(0) } });
    const { payloads } = prepareStep(input, { values: "told" });
    expect(parseJson(payloads.attributes!.text)).toEqual({
      at: "1970-01-01T00:00:00.000Z",
      runproof: { lossy: [{ path: "$.attributes.at", was: "Date" }] },
    });
  });
});

describe("the recorder's notes", () => {
  const notes = { source: { format: "ndjson" } };

  it("stand beside attributes, which stand under value where they are no object", () => {
    expect(withNotes({ a: 1 }, notes)).toEqual({ a: 1, runproof: notes });
    expect(withNotes([1], notes)).toEqual({ value: [1], runproof: notes });
    expect(withNotes(undefined, notes)).toEqual({ runproof: notes });
    expect(withNotes([1], {})).toEqual([1]);
    expect(withNotes(undefined, {})).toBeUndefined();
  });

  it("are nobody's but the recorder's", () => {
    const forged = { runproof: { redaction: 0 } };
    expect(withNotes(forged, {})).toEqual({ value: forged, runproof: {} });
    expect(withNotes(forged, notes)).toEqual({ value: forged, runproof: notes });
  });
});
