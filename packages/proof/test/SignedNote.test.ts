/**
 * Goal: a note is worth what trusted keys signed, and any other text is refused. Method: the specification's own note,
 * keys and notes round trip, and each way to be malformed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkpointText,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointText,
} from "../src/Checkpoint.ts";
import { sha256 } from "../src/Hash.ts";
import { generateSignerKey, KeyInvalid, parseSignerKey, parseVerifierKey } from "../src/NoteKey.ts";
import { NoteInvalid, parseNote, SIGNATURES_MAX, signNote, verifyNote } from "../src/SignedNote.ts";

const key = generateSignerKey("example.com/log");
const other = generateSignerKey("example.com/log");
const witness = generateSignerKey("witness.example");

describe("keys", () => {
  it("go to text and back", () => {
    expect(parseVerifierKey(key.verifier.text)).toMatchObject({
      text: key.verifier.text,
      name: "example.com/log",
    });
    const again = parseSignerKey(key.private_text);
    expect(again.verifier.text).toBe(key.verifier.text);
    expect(signNote("a\n", [again])).toBe(signNote("a\n", [key]));
    expect(key.verifier.text).toMatch(/^example\.com\/log\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/u);
    expect(key.private_text.startsWith(`PRIVATE+KEY+example.com/log+${key.verifier.key_id}+`)).toBe(
      true,
    );
  });

  it("are refused with any character changed, and a private one is never shown", () => {
    for (const [text, parse] of [
      [key.verifier.text, parseVerifierKey],
      [key.private_text, parseSignerKey],
    ] as const) {
      for (let at = 0; at < text.length; at++) {
        for (const unit of ["0", "A", "+", " ", "\n", ""]) {
          const changed = text.slice(0, at) + unit + text.slice(at + 1);
          if (changed === text) continue;
          try {
            parse(changed);
            expect.unreachable(changed.slice(0, at));
          } catch (error) {
            expect(error).toBeInstanceOf(KeyInvalid);
            expect((error as KeyInvalid).message).not.toContain(key.private_text.slice(-30));
          }
        }
      }
    }
    expect(() => parseVerifierKey(key.private_text)).toThrow(KeyInvalid);
    expect(() => parseSignerKey(key.verifier.text)).toThrow(KeyInvalid);
  });

  it("are refused that anybody can sign for, that are written otherwise, or that are no point of the curve", () => {
    const P = 2n ** 255n - 19n;
    const BASE_Y = 0x6666666666666666666666666666666666666666666666666666666666666658n;
    const textOf = (y: bigint, sign: bigint) => {
      const bytes = Buffer.from(
        (y | (sign << 255n)).toString(16).padStart(64, "0"),
        "hex",
      ).reverse();
      const typed = Buffer.concat([Buffer.of(1), bytes]);
      const id = sha256(Buffer.concat([Buffer.from("example.com/log\n"), typed])).slice(0, 8);
      return `example.com/log+${id}+${typed.toString("base64")}`;
    };
    const refusal = (y: bigint, sign: bigint) => {
      try {
        return parseVerifierKey(textOf(y, sign)).name;
      } catch (error) {
        return (error as KeyInvalid).message;
      }
    };
    // Of order 8: what 8 times the point is can be found with any other implementation.
    const order8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
    for (const sign of [0n, 1n]) {
      for (const y of [0n, 1n, P - 1n, order8, P - order8])
        expect(refusal(y, sign)).toContain("small order");
      for (let y = P; y < 2n ** 255n; y++) expect(refusal(y, sign)).toContain("the one way");
      // The smallest y of no point.
      expect(refusal(2n, sign)).toContain("no point");
      // The base point's, 4/5: as good as any.
      expect(refusal(BASE_Y, sign)).toBe("example.com/log");
    }
    for (let made = 0; made < 20; made++) {
      const { text } = generateSignerKey("example.com/log").verifier;
      expect(parseVerifierKey(text).text).toBe(text);
    }
  });

  it("are not made under a name that can't name one", () => {
    for (const name of ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u3000b", "\ud800", "a\u0000"]) {
      expect(() => generateSignerKey(name)).toThrow(KeyInvalid);
    }
  });
});

describe("notes", () => {
  it("of the specification are read and verified", () => {
    const note =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
      "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const vkey = parseVerifierKey(
      "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    );
    expect(verifyNote(parseNote(note), [vkey])).toEqual({ verified_by: [vkey], broken: [] });
    expect(verifyNote(parseNote(note.replace("answer", "Answer")), [vkey])).toEqual({
      verified_by: [],
      broken: [vkey],
    });
  });

  it("count by the trusted keys that signed them, and those only", () => {
    const note = parseNote(signNote("a\n\nb\n", [key, witness]));
    expect(note.text).toBe("a\n\nb\n");
    expect(verifyNote(note, [key.verifier]).verified_by).toEqual([key.verifier]);
    expect(verifyNote(note, [key.verifier, witness.verifier]).verified_by).toHaveLength(2);
    // Another key of the same name is another key.
    expect(verifyNote(note, [other.verifier])).toEqual({ verified_by: [], broken: [] });
    expect(verifyNote(note, [])).toEqual({ verified_by: [], broken: [] });
    const forged = parseNote(signNote("a\n", [key]).replace("a\n", "b\n"));
    expect(verifyNote(forged, [key.verifier, witness.verifier])).toEqual({
      verified_by: [],
      broken: [key.verifier],
    });
  });

  it.each([
    ["no signature", "a\n\n"],
    ["no empty line", "a\n— x AAAAAAA=\n"],
    ["no text", "\n\n— x AAAAAAA=\n"],
    ["no last newline", signNote("a\n", [key]).slice(0, -1)],
    ["a control character", signNote("a\n", [key]).replace("a", "a\t")],
    ["a carriage return", signNote("a\n", [key]).replaceAll("\n", "\r\n")],
    ["another dash", signNote("a\n", [key]).replace("—", "-")],
    ["two spaces", signNote("a\n", [key]).replace("— ", "—  ")],
    ["text behind", `${signNote("a\n", [key])}x\n`],
    ["a plus in the name", signNote("a\n", [key]).replace("example.com", "example+com")],
    ["too short a signature", "a\n\n— x AAAAAA==\n"],
    ["base64 in another spelling", signNote("a\n", [key]).replace(/=\n$/u, "\n")],
    ["nothing", ""],
    ["too many signatures", `a\n\n${"— x AAAAAAA=\n".repeat(SIGNATURES_MAX + 1)}`],
  ])("are refused with %s", (_, note) => {
    expect(() => parseNote(note)).toThrow(NoteInvalid);
  });

  it("are not signed where they are none", () => {
    for (const text of ["", "a", "a\t\n", "\ud800\n"])
      expect(() => signNote(text, [key])).toThrow(NoteInvalid);
    expect(() => signNote("a\n", [])).toThrow(NoteInvalid);
  });

  it("take at least sixteen signatures", () => {
    const keys = Array.from({ length: 16 }, (_, index) => generateSignerKey(`key-${index}`));
    const note = parseNote(signNote("a\n", keys));
    expect(
      verifyNote(
        note,
        keys.map(({ verifier }) => verifier),
      ).verified_by,
    ).toHaveLength(16);
  });
});

describe("checkpoints", () => {
  const head = { origin: "example.com/log", tree_size: 12, root_hash: sha256("root") };
  const note = signNote(checkpointText(head), [key]);

  it("say a tree head, to whom trusts a key that signed it", () => {
    expect(parseCheckpoint(note)).toEqual({ ...head, extensions: [] });
    expect(openCheckpoint(note, [key.verifier])).toMatchObject({
      is_trusted: true,
      checkpoint: head,
    });
    expect(openCheckpoint(note, [other.verifier])).toMatchObject({ is_trusted: false });
    expect(openCheckpoint(note, [])).toMatchObject({ is_trusted: false });
    const both = signNote(checkpointText(head), [key, other]);
    expect(openCheckpoint(both, [other.verifier, key.verifier])).toMatchObject({
      is_trusted: true,
    });
    // One key signing two logs must not let the one's trees pass for the other's.
    const elsewhere = signNote(checkpointText({ ...head, origin: "example.com/other" }), [key]);
    expect(openCheckpoint(elsewhere, [key.verifier])).toMatchObject({ is_trusted: false });
    // A signature of a trusted key that does not hold spoils the whole note.
    const broken = both.replace(
      /(\n— \S+ )(\S+)(\n— \S+ )(\S+)/u,
      (_, a: string, b: string, c: string, d: string) =>
        `${a}${b}${c}${d.slice(0, 6)}${b.slice(6)}`,
    );
    expect(broken).not.toBe(both);
    expect(openCheckpoint(broken, [key.verifier, other.verifier])).toMatchObject({
      is_trusted: false,
    });
  });

  it("keep extension lines, and the empty tree", () => {
    expect(parseCheckpointText(`${checkpointText(head)}more\n`).extensions).toEqual(["more"]);
    const empty = { ...head, tree_size: 0, root_hash: sha256("") };
    expect(parseCheckpointText(checkpointText(empty))).toMatchObject(empty);
  });

  it.each([
    "",
    "\n",
    "o\n1\n",
    `o\n1\n${"A".repeat(43)}=`,
    `\n1\n${"A".repeat(43)}=\n`,
    `o\n01\n${"A".repeat(43)}=\n`,
    `o\n+1\n${"A".repeat(43)}=\n`,
    `o\n-1\n${"A".repeat(43)}=\n`,
    `o\n1.0\n${"A".repeat(43)}=\n`,
    `o\n9007199254740993\n${"A".repeat(43)}=\n`,
    `o\n1\n${"A".repeat(42)}==\n`,
    `o\n1\n${"A".repeat(43)}\n`,
    `o\n1\n${"A".repeat(42)}B=\n`,
    `o\n1\n${"A".repeat(43)}=\n\nx\n`,
  ])("are refused: %j", (text) => {
    expect(() => parseCheckpointText(text)).toThrow(NoteInvalid);
  });

  it("are trusted with no character changed", () => {
    const units = [...note];
    fc.assert(
      fc.property(
        fc.nat(units.length - 1),
        fc.constantFrom(..."0123456789abcXYZ+/= \n".split("")),
        (at, unit) => {
          if (units[at] === unit) return;
          const changed = units.with(at, unit).join("");
          try {
            expect(openCheckpoint(changed, [key.verifier]).is_trusted).toBe(false);
          } catch (error) {
            expect(error).toBeInstanceOf(NoteInvalid);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
