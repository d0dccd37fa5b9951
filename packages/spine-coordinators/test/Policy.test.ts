import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, fits, targetOf } from "@runproof/spine-coordinators/policies/decide";

describe("a pattern", () => {
  it("is the text itself, where it has no star", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (pattern, text) => {
        fc.pre(!pattern.includes("*"));
        expect(fits(pattern, text)).toBe(pattern === text);
      }),
    );
  });

  it("says of any text what a regular expression made of it says", () => {
    const part = fc.stringMatching(/^[ab*]{0,8}$/u);
    fc.assert(
      fc.property(part, fc.stringMatching(/^[ab]{0,10}$/u), (pattern, text) => {
        const expression = new RegExp(`^${pattern.replaceAll("*", ".*")}$`, "u");
        expect(fits(pattern, text)).toBe(expression.test(text));
      }),
    );
  });

  it("with many stars takes no longer than the text is", () => {
    expect(fits(`${"a*".repeat(500)}b`, "a".repeat(1_000_000))).toBe(false);
  });
});

describe("a rule", () => {
  const call = (url: string, method = "GET") => ({
    skill_id: "http_call",
    params: { url, method, order: { id: 1842 } },
  });
  const ruling = (rule: object, url: string, is_private: boolean | null = null) => {
    const asked = call(url);
    const target = targetOf(asked.params);
    return decide(
      { rules: [{ effect: "block", reason: "r", ...rule }] },
      asked,
      target === null ? null : { ...target, is_private },
    ).effect;
  };

  it("reads a URL as the request is made, however it is written", () => {
    for (const url of [
      "http://evil.example/",
      "HTTP://EVIL.EXAMPLE:80/x",
      "http://user:pw@evil.example/",
      "http://evil.example./",
      "http:\\\\evil.example/",
      "http://ev%69l.example/",
    ])
      expect(ruling({ host: "evil.example", port: 80 }, url), url).toBe("block");
    expect(ruling({ host: "evil.example" }, "http://evil.example.org/")).toBe("allow");
    expect(ruling({ host: "127.0.0.1" }, "http://0x7f.1/")).toBe("block");
  });

  it("holds all that it names, and one that names a host is for calls that have one", () => {
    expect(ruling({ host: "*", method: "POST" }, "http://a/")).toBe("allow");
    expect(ruling({ host: "*" }, "not a URL")).toBe("allow");
    expect(ruling({ skill: "http_*", params: { "order.id": "1842" } }, "http://a/")).toBe("block");
    expect(ruling({ params: { "order.constructor": "*" } }, "http://a/")).toBe("allow");
  });

  it("of a private network blocks what nobody has looked at, and allows it neither", () => {
    expect(ruling({ network: "private" }, "http://a/", null)).toBe("block");
    expect(ruling({ network: "private" }, "http://a/", false)).toBe("allow");
    const rules = [
      { effect: "allow" as const, network: "private" as const, reason: "inside" },
      { effect: "block" as const, reason: "everything else" },
    ];
    const asked = call("http://a/");
    const target = { ...targetOf(asked.params)!, is_private: null };
    expect(decide({ rules }, asked, target).effect).toBe("block");
  });
});
