/** Secrets go, and what only looks like them stays. */
import { makeRedactor, type RuleCounts } from "@runproof/proof/Redaction";
import { DEFAULT_RULES } from "@runproof/proof/RedactionRules";
import fc from "fast-check";
import { assert, describe, it } from "vitest";

const redactor = makeRedactor(DEFAULT_RULES);
const A = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";

const SECRETS: ReadonlyArray<readonly [text: string, secret: string]> = [
  ["write to ann.lee@example.com today", "ann.lee"],
  ["card 4111 1111 1111 1111 please", "4111 1111"],
  ["card 4111-1111-1111-1111", "1111"],
  ["378282246310005", "3782"],
  ["ssn 078-05-1120.", "078-05"],
  [`key AKIA${"Q".repeat(16)}`, "AKIA"],
  [`ghp_${A.slice(0, 36)}`, "ghp_"],
  ["xoxb-123456789012-abcdefABCDEF", "xoxb"],
  [`sk-proj-${A}`, "sk-proj"],
  [`sk-ant-api03-${A}`, "sk-ant"],
  [`AIza${A.slice(0, 35)}`, "AIza"],
  [`sk_live_${A.slice(0, 24)}`, "sk_live"],
  ["a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl b", "eyJ"],
  ["Authorization: Bearer abc123def456", "abc123"],
  ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"],
  ["-----BEGIN PRIVATE KEY-----\nMIIE", "MIIE"],
  ["postgres://ann:hush@db/x", "hush"],
  ["https:\\/\\/ann:hush@db\\/x", "hush"],
  ["https://h/?a=1&access_token=hush&b=2", "hush"],
  ["next?code=hush", "hush"],
  ["DB_PASSWORD=hunter22", "hunter22"],
  ["{'password': 'hush'}", "hush"],
  ['said {"apiKey": "hush", "n": 1} and more', "hush"],
  ["password=/s3cr3tvalue", "s3cr3t"],
  ["password:/hunter2x", "hunter2x"],
  ["aws_secret_access_key=/wJalrXUtnFEMIK7MDENG", "wJalr"],
];

const KEPT: ReadonlyArray<string> = [
  "order 1234-5678-9012",
  "550e8400-e29b-41d4-a716-446655440000",
  "d4ce6cf4a8984214901e97b1635ecec3a7562e401b1015680535b18ab35b35b8",
  "react@18.2.0 and @effect/sql",
  "icon@2x.png",
  "git@github.com:org/repo.git",
  "4111 1111 1111 1112",
  "const token = getToken();",
  "login(user, password=password)",
  "bearer of bad news",
  "2026-02-10T12:43:41.549430Z",
  "https://example.com/path?page=2#top",
  "token: used 1200 of 4000",
  "task-anticipation-of-the-next-release-0123456789",
  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  "http://localhost:8080/a",
];

const FIELDS: ReadonlyArray<unknown> = [
  { password: "hush" },
  { a: [{ "API-Key": "hush" }] },
  { clientSecret: "hush", access_token: { v: "hush" } },
  { body: JSON.stringify({ deep: { Private_Key: "hush" } }) },
  { body: JSON.stringify({ deep: JSON.stringify({ ssn: "hush" }) }) },
  { headers: { "x-vault-token": "hush", Cookie: "hush" } },
  { env: [{ name: "DB_PASSWORD", value: "hush" }] },
];

describe("redaction", () => {
  for (const [text, secret] of SECRETS) {
    it(`masks ${secret} in: ${text.slice(0, 40)}`, () => {
      assert.notInclude(redactor.text(text), secret);
      assert.notInclude(redactor.json(JSON.stringify({ a: text })), secret);
      assert.notInclude(redactor.json(JSON.stringify({ a: JSON.stringify({ b: text }) })), secret);
    });
  }
  for (const text of KEPT) {
    it(`leaves: ${text.slice(0, 50)}`, () => {
      assert.strictEqual(redactor.text(text), text);
      const json = JSON.stringify({ a: text });
      assert.strictEqual(redactor.json(json), json);
    });
  }
  for (const value of FIELDS) {
    it(`masks by the field's name: ${JSON.stringify(value)}`, () => {
      const counts: RuleCounts = new Map();
      const told = redactor.json(JSON.stringify(value), counts);
      assert.notInclude(told, "hush");
      assert.doesNotThrow(() => JSON.parse(told));
      assert.isAbove(counts.size, 0);
      assert.strictEqual(redactor.json(told), told);
    });
  }
  it("leaves counts, flags and places in a listing", () => {
    const text = `{"max_tokens":5,"next_page_token":"abc","password":null,"prompt_tokens":3}`;
    assert.strictEqual(redactor.json(text), text);
  });
  it("looks at a text by every rule wherever one of them would match", () => {
    const names = ["password", "api_key", "token", "note", "https", "http", "cookie", "a"];
    const signs = ["=", ":", ": ", "://", "::", ":/", "=/", "=:", " = "];
    const values = [
      "/s3cr3tvalue1",
      ":hunter22",
      "hunter22",
      "x y",
      "ann:hush1@h",
      "12:43:41",
      "?",
    ];
    const piece = fc.constantFrom(...names, ...signs, ...values, " ", "&", "?", "\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join("");
        // The sign makes any text suspect, and is none of an address where it stands.
        const looked = redactor.text(`${text}\n @ `);
        assert.strictEqual(`${redactor.text(text)}\n @ `, looked);
      }),
      { numRuns: 3_000 },
    );
  });

  for (const unit of [
    "@",
    "a@a",
    "%40",
    "a=",
    "?a=%",
    "eyJ.",
    "-----BEGIN ",
    "://a:",
    "4111 ",
    "1",
    "[",
    '\\"',
    "bearer ",
    "password:",
    "sk-a",
    '{"a":',
  ]) {
    it(`takes time in proportion to its length over ${unit}`, () => {
      const timeOf = (length: number) => {
        const text = unit.repeat(Math.ceil(length / unit.length));
        // Of this thread alone: what else the machine does counts for nothing.
        const tries = Array.from({ length: 3 }, () => {
          const began = process.threadCpuUsage();
          redactor.text(text);
          const { user, system } = process.threadCpuUsage(began);
          return (user + system) / 1_000;
        });
        return Math.min(...tries);
      };
      const small_ms = Math.max(5, timeOf(125_000));
      // Eight times the length: a quadratic scan would take sixty-four times as long.
      assert.isBelow(timeOf(1_000_000), 30 * small_ms);
    });
  }
});
