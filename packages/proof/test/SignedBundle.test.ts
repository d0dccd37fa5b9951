/**
 * Goal: SIGNED is said only of a run whose start and seal are in trees that a key from outside signed. Method: a log with
 * the run among others, then every proof, key, place and character that may be wrong.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { bundleText, makeBundle, makeStepBundle, stepPaths } from "../src/Bundle.ts";
import { generateSignerKey, KeyInvalid } from "../src/NoteKey.ts";
import { signCheckpoint } from "../src/Checkpoint.ts";
import { formatTlogProof, parseTlogProof, verifyTlogProof } from "../src/TlogProof.ts";
import { NoteInvalid } from "../src/SignedNote.ts";
import { BundleUnreadable, verifyBundle, type VerifyOptions } from "../src/Verifier.ts";
import { type Log, logWithRun } from "./LogFixture.ts";
import { storedRun } from "./RunFixture.ts";

const ORIGIN = "example.com/log";
const key = generateSignerKey(ORIGIN);
const stranger = generateSignerKey(ORIGIN);
const witness = generateSignerKey("witness.example");
const run = storedRun(4);
const digests = { opened: run.trace.link, sealed: run.seal!.root_hash };
const at = { opened: 5, sealed: 9 };

let log: Log;
let checkpoint: string;
let proofs: { opened: string; sealed: string };
beforeAll(() => {
  log = logWithRun(21, digests, at);
  checkpoint = log.checkpoint(ORIGIN, [key]);
  proofs = { opened: log.proof(at.opened, checkpoint), sealed: log.proof(at.sealed, checkpoint) };
});

const textWith = (changed: Partial<typeof proofs> = {}) =>
  bundleText(makeBundle(run, { log: { ...proofs, ...changed } }));
const stepTextWith = (changed: Partial<typeof proofs> = {}) =>
  bundleText(
    makeStepBundle(
      {
        ...run,
        step: run.steps[1]!,
        paths: stepPaths(
          [run.trace, ...run.steps].map((row) => row.leaf_hash),
          1,
        ),
      },
      { log: { ...proofs, ...changed } },
    ),
  );
const trusting = (...keys: ReadonlyArray<{ verifier: { text: string } }>): VerifyOptions => ({
  trusted_keys: keys.map(({ verifier }) => verifier.text),
});

const codesOf = (text: string, options?: VerifyOptions) => {
  const { integrity, assurance, findings } = verifyBundle(text, options);
  return [integrity.verification_status, assurance, ...new Set(findings.map(({ code }) => code))];
};

describe("a run in the log", () => {
  it("is SIGNED for whom trusts the key, and so is one of its steps", () => {
    for (const text of [textWith(), stepTextWith()]) {
      expect(codesOf(text, trusting(key))).toEqual(["VERIFIED", "SIGNED"]);
      expect(codesOf(text, trusting(stranger, key))).toEqual(["VERIFIED", "SIGNED"]);
    }
    expect(verifyBundle(textWith(), trusting(key)).notes).toEqual([]);
    expect(verifyBundle(stepTextWith(), trusting(key)).notes).toEqual([
      expect.stringMatching(/^Of the run's \d+ steps, numbered from 0, only step \d+ is shown/u),
    ]);
  });

  it("is SELF without a key, and says that the signatures were not checked", () => {
    expect(codesOf(textWith())).toEqual(["VERIFIED", "SELF"]);
    expect(verifyBundle(textWith()).notes.join()).toMatch(/No trusted key was given.*not checked/u);
  });

  it("shows one of its steps only to whom trusts a key: anybody can make a log", () => {
    expect(codesOf(stepTextWith())).toEqual(["UNSUPPORTED", null]);
    const { failure_reason } = verifyBundle(stepTextWith()).integrity;
    expect(failure_reason).toContain("no trusted key was given");
  });

  it("is SIGNED with its start under an older checkpoint, and with witnesses beside", () => {
    const older = log.checkpoint(ORIGIN, [key], 7);
    expect(codesOf(textWith({ opened: log.proof(at.opened, older, 7) }), trusting(key))).toEqual([
      "VERIFIED",
      "SIGNED",
    ]);
    const witnessed = log.checkpoint(ORIGIN, [key, witness]);
    const both = {
      opened: log.proof(at.opened, witnessed),
      sealed: log.proof(at.sealed, witnessed),
    };
    expect(codesOf(textWith(both), trusting(key))).toEqual(["VERIFIED", "SIGNED"]);
    expect(codesOf(textWith(both), trusting(witness))).toEqual(["FAILED", null, "KEY_UNTRUSTED"]);
  });

  it("after a change of key is SIGNED for whom trusts either", () => {
    const rotated = log.checkpoint(ORIGIN, [key, stranger]);
    const both = { opened: log.proof(at.opened, rotated), sealed: log.proof(at.sealed, rotated) };
    for (const trusted of [key, stranger]) {
      expect(codesOf(textWith(both), trusting(trusted))).toEqual(["VERIFIED", "SIGNED"]);
    }
  });
});

describe("never SIGNED", () => {
  const expectFailed = (changed: Partial<typeof proofs>, code: string, options = trusting(key)) => {
    for (const text of [textWith(changed), stepTextWith(changed)]) {
      expect(codesOf(text, options)).toEqual(["FAILED", null, code]);
    }
  };

  it("for whom trusts another key, or none of those that signed", () => {
    expectFailed({}, "KEY_UNTRUSTED", trusting(stranger));
    expectFailed({}, "KEY_UNTRUSTED", trusting(witness));
    expectFailed({}, "KEY_UNTRUSTED", { trusted_keys: [] });
    expect(() => verifyBundle(textWith(), { trusted_keys: ["not a key"] })).toThrow(KeyInvalid);
  });

  it("with the proof of another entry, kind or run", () => {
    expectFailed({ sealed: log.proof(at.sealed - 1, checkpoint) }, "NOT_IN_LOG");
    expectFailed({ opened: log.proof(at.sealed, checkpoint) }, "NOT_IN_LOG");
    expectFailed({ opened: proofs.sealed, sealed: proofs.opened }, "NOT_IN_LOG");
    const swapped = logWithRun(21, { opened: digests.sealed, sealed: digests.opened }, at);
    const swappedCheckpoint = swapped.checkpoint(ORIGIN, [key]);
    expectFailed({ opened: swapped.proof(at.opened, swappedCheckpoint) }, "NOT_IN_LOG");
  });

  it("with a checkpoint of another log, or one that contradicts the other", () => {
    const elsewhere = signCheckpoint(
      { origin: "example.com/other", tree_size: 21, root_hash: log.root() },
      [key],
    );
    for (const text of [textWith, stepTextWith]) {
      expect(codesOf(text({ sealed: log.proof(at.sealed, elsewhere) }), trusting(key))).toEqual([
        "FAILED",
        null,
        "NOT_IN_LOG",
        "KEY_UNTRUSTED",
      ]);
    }
    const forked = logWithRun(21, digests, { opened: 5, sealed: 10 });
    expectFailed({ sealed: forked.proof(10, forked.checkpoint(ORIGIN, [key])) }, "LOG_FORKED");
  });

  it("with a proof that is none", () => {
    for (const text of [
      "",
      "x",
      proofs.sealed.slice(1),
      proofs.sealed.replace("@v1", "@v2"),
      checkpoint,
    ]) {
      expectFailed({ sealed: text }, "NOT_IN_LOG");
    }
  });

  it("with a signature by a trusted key that does not hold", () => {
    const bad = checkpoint.replace(
      /(— \S+ \S{20})(.)/u,
      (_, before: string, unit: string) => before + (unit === "A" ? "B" : "A"),
    );
    const both = { opened: log.proof(at.opened, bad), sealed: log.proof(at.sealed, bad) };
    for (const text of [textWith(both), stepTextWith(both)]) {
      expect(codesOf(text, trusting(key))).toEqual(["FAILED", null, "KEY_UNTRUSTED"]);
    }
  });

  it("with one of the two proofs under a checkpoint that no trusted key signed", () => {
    const older = log.checkpoint(ORIGIN, [stranger], 12);
    expectFailed({ opened: log.proof(at.opened, older, 12) }, "KEY_UNTRUSTED");
    expectFailed({ sealed: log.proof(at.sealed, older, 12) }, "KEY_UNTRUSTED");
  });

  it("with a broken signature by one trusted key beside a good one by another", () => {
    const [good, bad] = [key, stranger].map((signer) => log.checkpoint(ORIGIN, [signer]));
    const other = signCheckpoint({ origin: ORIGIN, tree_size: 20, root_hash: log.root(20) }, [
      stranger,
    ]);
    const lineOf = (note: string) => note.slice(note.indexOf("\u2014"));
    expect(lineOf(other)).not.toBe(lineOf(bad!));
    const mixed = good! + lineOf(other);
    const both = { opened: log.proof(at.opened, mixed), sealed: log.proof(at.sealed, mixed) };
    expectFailed(both, "KEY_UNTRUSTED", trusting(key, stranger));
    // For whom does not know the other key, its line is none of their concern.
    expect(codesOf(textWith(both), trusting(key))).toEqual(["VERIFIED", "SIGNED"]);
  });

  it("with any character of either proof changed, put in or taken out; nor VERIFIED without a key", () => {
    for (const name of ["opened", "sealed"] as const) {
      const units = [...proofs[name]];
      for (let place = 0; place < units.length; place++) {
        const other = units[place] === "1" ? "2" : "1";
        const changes = [
          units.with(place, other),
          units.toSpliced(place, 1),
          units.toSpliced(place, 0, "1"),
        ].map((changed) => changed.join(""));
        for (const changed of changes) {
          if (changed === proofs[name]) continue;
          const text = textWith({ [name]: changed });
          expect(codesOf(text, trusting(key))[0], JSON.stringify(changed)).toBe("FAILED");
          // The other proof has the same checkpoint, which shows the change without any key.
          expect(codesOf(text)[0], JSON.stringify(changed)).toBe("FAILED");
        }
      }
    }
  });

  it("with another key or kind of value in the log's place", () => {
    for (const log_ of [
      {},
      { opened: proofs.opened },
      { ...proofs, extra: "" },
      { ...proofs, sealed: null },
      [],
      "x",
      1,
    ]) {
      const text = JSON.stringify({ ...(JSON.parse(textWith()) as object), log: log_ });
      expect(() => verifyBundle(text, trusting(key))).toThrow(BundleUnreadable);
    }
  });
});

describe("a proof's text", () => {
  it("goes out and back, and shows its entry alone", () => {
    const proof = parseTlogProof(proofs.sealed);
    expect(formatTlogProof(proof)).toBe(proofs.sealed);
    expect(proof.index).toBe(at.sealed);
    for (const [index, leaf] of log.leaves.entries()) {
      expect(verifyTlogProof(proofs.sealed, leaf, [key.verifier]).is_included).toBe(
        index === at.sealed,
      );
    }
  });

  it.each([
    ["an index with a leading zero", (text: string) => text.replace("index 9", "index 09")],
    ["an index that is none", (text: string) => text.replace("index 9", "index -1")],
    ["an index beyond 2^53", (text: string) => text.replace("index 9", "index 9007199254740993")],
    ["extra data", (text: string) => text.replace("index", "extra AAAA\nindex")],
    ["no index", (text: string) => text.replace("index 9\n", "")],
    ["a hash that is short", (text: string) => text.replace(/\n.{44}\n/u, "\nAAAA\n")],
    ["a carriage return", (text: string) => text.replaceAll("\n", "\r\n")],
    ["space in front", (text: string) => ` ${text}`],
  ])("is refused with %s", (_, change) => {
    expect(change(proofs.sealed)).not.toBe(proofs.sealed);
    expect(() => parseTlogProof(change(proofs.sealed))).toThrow(NoteInvalid);
  });

  it("with an index beyond the tree, or a path too short or long, shows nothing", () => {
    const proof = parseTlogProof(proofs.sealed);
    const leaf = log.leaves[at.sealed]!;
    for (const changed of [
      { ...proof, index: 21 },
      { ...proof, path: proof.path.slice(1) },
      { ...proof, path: [...proof.path, proof.path[0]!] },
      { ...proof, path: [] },
    ]) {
      expect(verifyTlogProof(formatTlogProof(changed), leaf, [key.verifier]).is_included).toBe(
        false,
      );
    }
  });
});
