/**
 * Goal: a bundle that was made of an honest run is VERIFIED; with any key, value or digit changed, anything added or left
 * out, it never is. Method: every place of a bundle in turn, then random changes of its text.
 */
import { RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Schema from "effect/Schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bundleText,
  BundleTooLarge,
  BundleUnmakeable,
  BundleWriter,
  makeBundle,
  makeStepBundle,
  stepPaths,
} from "../src/Bundle.ts";
import { BundleUnreadable, verifyBundle, type VerifyOptions } from "../src/Verifier.ts";
import { storedRun, type StoredRun } from "./RunFixture.ts";

const run = storedRun(5, { trace: { attributes: { "a b": [1, 0.5, null, true, "é"] } } });
const leavesOf = ({ trace, steps }: StoredRun) => [trace, ...steps].map((row) => row.leaf_hash);
const stepSource = (of: StoredRun, index: number) => ({
  ...of,
  step: of.steps[index]!,
  paths: stepPaths(leavesOf(of), index),
});
const runText = bundleText(makeBundle(run));
const stepText = bundleText(makeStepBundle(stepSource(run, 2)));
const root_hash = run.seal!.root_hash;

/** The verdict, or "refused" for what is no bundle at all. Anything else that is thrown is a failure of the test. */
const answerOf = (text: string, options?: VerifyOptions): string => {
  try {
    return verifyBundle(text, options).integrity.verification_status;
  } catch (error) {
    expect(error).toBeInstanceOf(BundleUnreadable);
    return "refused";
  }
};

/** Both kinds of bundle, with what the verifier must be told for it to be VERIFIED. */
const kinds: ReadonlyArray<readonly [string, string, VerifyOptions]> = [
  ["run bundle", runText, {}],
  ["step bundle", stepText, { root_hash }],
];

type Holder = Record<string, unknown>;

/** Every place of a value: its holder and its key there. */
const placesOf = (value: unknown): ReadonlyArray<readonly [Holder, string]> =>
  typeof value === "object" && value !== null
    ? Object.keys(value).flatMap((key) => {
        const holder = value as Holder;
        return [[holder, key] as const, ...placesOf(holder[key])];
      })
    : [];

const objectsOf = (value: unknown): ReadonlyArray<Holder> =>
  [value, ...placesOf(value).map(([holder, key]) => holder[key])].filter(
    (inner): inner is Holder =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner),
  );

const inPieces = (of: StoredRun): string => {
  const bundle = makeBundle(of);
  const writer = new BundleWriter(of);
  return [
    writer.head(),
    ...of.steps.map(({ record }) => writer.record(record)),
    writer.middle(),
    ...of.steps.map(({ payloads }) => writer.disclosures(payloads)),
    writer.tail(bundle.integrity, bundle.log),
  ].join("");
};

describe("a bundle that is longer than a reader takes", () => {
  it("is told as too large while it is written, and not as a run that was changed", () => {
    const writer = new BundleWriter(run);
    const { payloads } = run.steps[0]!;
    const large = { salt: payloads.params.salt, text: `"${"x".repeat(16 * 1024 * 1024)}"` };
    const write = () => {
      for (let step = 0; step < 17; step += 1) writer.disclosures({ ...payloads, params: large });
    };
    expect(write).toThrow(BundleTooLarge);
  });
});

describe("an honest run", () => {
  it.each([0, 1, 7])("of %i steps has the same bundle in pieces", (stepCount) => {
    const honest = storedRun(stepCount);
    const text = inPieces(honest);
    expect(JSON.parse(text)).toEqual(makeBundle(honest));
    expect(text.split("\n")).toHaveLength(bundleText(makeBundle(honest)).split("\n").length);
  });

  it.each([1, 2, 7, 33])(
    "of %i steps is VERIFIED from its bundle, and from each of its steps'",
    (stepCount) => {
      const honest = storedRun(stepCount);
      const result = verifyBundle(bundleText(makeBundle(honest)));
      expect(result).toMatchObject({
        run_id: "run-1",
        integrity: {
          model: "HASH_CHAIN",
          root_hash: honest.seal!.root_hash,
          chain_length: stepCount,
          verification_status: "VERIFIED",
          failure_reason: null,
        },
        lifecycle: "COMPLETE",
        assurance: "SELF",
        findings: [],
      });
      expect(result.aos_trace_steps).toHaveLength(stepCount);
      for (let index = 0; index < stepCount; index++) {
        const text = bundleText(makeStepBundle(stepSource(honest, index)));
        expect(verifyBundle(text, { root_hash: honest.seal!.root_hash })).toMatchObject({
          integrity: {
            model: "MERKLE_TREE",
            verification_status: "VERIFIED",
            chain_length: stepCount,
          },
          assurance: "SELF",
        });
      }
    },
  );

  it("shows its disclosed payloads, and stays VERIFIED with any of them withheld", () => {
    expect(verifyBundle(runText).raw_logs).toContainEqual({
      of: "step 1",
      name: "params",
      value: { url: "http://127.0.0.1/1", n: [1, 0.1] },
    });
    const none = makeBundle(run, { discloses: () => false });
    expect(verifyBundle(bundleText(none))).toMatchObject({
      integrity: { verification_status: "VERIFIED" },
      findings: [],
      raw_logs: [],
    });
    const some = makeBundle(run, { discloses: (of, name) => of === 2 && name === "params" });
    expect(verifyBundle(bundleText(some)).raw_logs).toHaveLength(1);
    expect(answerOf(bundleText(some))).toBe("VERIFIED");
  });

  it("discloses nothing of the other steps in a step's bundle", () => {
    for (const other of [0, 1, 3, 4]) {
      expect(stepText).not.toContain(`127.0.0.1/${other}`);
      expect(stepText).not.toContain(`"call ${other}"`);
      for (const payload of Object.values(run.steps[other]!.payloads)) {
        if (payload.salt !== null) expect(stepText).not.toContain(payload.salt);
      }
    }
  });

  it("is the same with other white space and order of keys", () => {
    const value = JSON.parse(runText) as Holder;
    expect(answerOf(JSON.stringify(value, null, "\t"))).toBe("VERIFIED");
    expect(answerOf(JSON.stringify(Object.fromEntries(Object.entries(value).toReversed())))).toBe(
      "VERIFIED",
    );
  });

  it("is the same however its numbers and strings are spelled", () => {
    const escaped = runText.replace(
      /[^\n -~]/gu,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    expect(escaped).not.toBe(runText);
    expect(answerOf(escaped)).toBe("VERIFIED");
    for (const respelled of ["2276e-1", "227.60", "0.2276E3"]) {
      const changed = runText.replaceAll('"duration_ms":227.6', `"duration_ms":${respelled}`);
      expect(changed).not.toBe(runText);
      expect(answerOf(changed)).toBe("VERIFIED");
    }
  });

  it("is refused where a number is none that a double holds, or a string no Unicode", () => {
    for (const other of ["227.60000000000000001", "1e999", '"\\ud800"']) {
      const changed = runText.replace('"duration_ms":227.6', `"duration_ms":${other}`);
      expect(() => verifyBundle(changed)).toThrow(BundleUnreadable);
    }
  });

  it("shows disclosed values as they were committed to, whatever text was read before", () => {
    const values = [
      { A: 1, 'k"': 2 },
      { A: 1, "k\\": 2 },
      { A: 1, 'k"': 2 },
    ];
    for (const outcome_data of values) {
      const text = bundleText(makeBundle(storedRun(1, { step: { outcome_data } })));
      const result = verifyBundle(text);
      expect(result.integrity.verification_status).toBe("VERIFIED");
      expect(result.raw_logs).toContainEqual({
        of: "step 0",
        name: "outcome_data",
        value: outcome_data,
      });
    }
  });

  it("of no steps, or without a seal, is UNSUPPORTED with its reason", () => {
    const empty = verifyBundle(bundleText(makeBundle(storedRun(0))));
    expect(empty.integrity).toMatchObject({
      verification_status: "UNSUPPORTED",
      failure_reason: "No steps to verify",
    });
    expect(empty.assurance).toBeNull();
    const open = JSON.parse(runText) as {
      seal?: unknown;
      disclosures: { seal: unknown };
      integrity: unknown;
    };
    const answers = [null, undefined].map((seal) => {
      const text = JSON.stringify({
        ...open,
        seal,
        disclosures: { ...open.disclosures, seal: {} },
      });
      return verifyBundle(text);
    });
    for (const { integrity, lifecycle, assurance } of answers) {
      expect(integrity.verification_status).toBe("UNSUPPORTED");
      expect(integrity.failure_reason).toContain("OPEN");
      expect([lifecycle, assurance]).toEqual(["OPEN", null]);
    }
  });

  it("shown by one step is UNSUPPORTED where nothing holds its seal", () => {
    const result = verifyBundle(stepText);
    expect(result.integrity.verification_status).toBe("UNSUPPORTED");
    expect(result.integrity.failure_reason).toContain("root_hash");
    expect(result.assurance).toBeNull();
  });

  it("whose bundle states another model than was asked for is UNSUPPORTED", () => {
    const other = runText.replace('"HASH_CHAIN"', '"MERKLE_TREE"');
    expect(answerOf(other)).toBe("UNSUPPORTED");
    expect(answerOf(other, { model: "MERKLE_TREE" })).toBe("VERIFIED");
    expect(answerOf(runText, { model: "MERKLE_TREE" })).toBe("UNSUPPORTED");
  });

  it("or a changed one has a result as its schema says", () => {
    const decode = Schema.decodeUnknownSync(RunProofResult);
    const texts = [runText, runText.replace('"cost_cents":0.25', '"cost_cents":0.5'), stepText];
    const statuses = texts.map((text) => {
      const result = verifyBundle(text);
      expect(decode(result)).toEqual(result);
      return result.integrity.verification_status;
    });
    expect(statuses).toEqual(["VERIFIED", "FAILED", "UNSUPPORTED"]);
  });

  it("is FAILED against another root than the one known, and against any key where it has no proof", () => {
    expect(answerOf(runText, { root_hash })).toBe("VERIFIED");
    expect(answerOf(runText, { root_hash: "0".repeat(64) })).toBe("FAILED");
    expect(answerOf(runText, { trusted_keys: [] })).toBe("FAILED");
    expect(verifyBundle(runText, { trusted_keys: [] }).findings[0]!.code).toBe("NOT_IN_LOG");
  });
});

describe.each(kinds)("a %s is never VERIFIED", (_, text, options) => {
  const value = () => JSON.parse(text) as Holder;

  it("with any value changed", () => {
    expect(answerOf(text, options)).toBe("VERIFIED");
    const others = [
      null,
      true,
      0,
      1.5,
      "",
      "x",
      [],
      {},
      "0".repeat(64),
      `sha256:${"0".repeat(64)}`,
    ];
    const copy = value();
    for (const [holder, key] of placesOf(copy)) {
      const was = holder[key];
      const changed = [
        ...(typeof was === "number" ? [was + 1, -was - 1, was / 2 - 1, String(was)] : []),
        ...(typeof was === "string"
          ? [`${was} `, was.slice(1), was.toUpperCase(), was.toLowerCase()]
          : []),
        ...(typeof was === "boolean" ? [!was] : []),
        ...others,
      ];
      // What is withheld is no lie: an empty group of disclosures says less, not something else.
      const isWithheld = (other: unknown) =>
        (JSON.stringify(other) === "{}" &&
          ["trace", "seal", "step"].includes(key) &&
          holder === copy["disclosures"]) ||
        (JSON.stringify(other) === "{}" &&
          Array.isArray(holder) &&
          holder === (copy["disclosures"] as Holder)["steps"]);
      for (const other of changed) {
        if (JSON.stringify(other) === JSON.stringify(was) || isWithheld(other)) continue;
        holder[key] = other;
        expect(
          answerOf(JSON.stringify(copy), options),
          `${key}: ${JSON.stringify(other)}`,
        ).not.toBe("VERIFIED");
      }
      holder[key] = was;
    }
  });

  it("with any key renamed, left out, doubled or added", () => {
    const copy = value();
    for (const holder of objectsOf(copy)) {
      const keys = Object.keys(holder);
      const disclosures = copy["disclosures"] as Holder;
      const mayWithhold = [
        disclosures["trace"],
        disclosures["seal"],
        disclosures["step"],
        ...((disclosures["steps"] ?? []) as Array<unknown>),
      ].includes(holder);
      for (const key of keys) {
        const was = holder[key];
        delete holder[key];
        if (!mayWithhold) expect(answerOf(JSON.stringify(copy), options), key).not.toBe("VERIFIED");
        holder[`${key}x`] = was;
        expect(answerOf(JSON.stringify(copy), options), key).not.toBe("VERIFIED");
        delete holder[`${key}x`];
        holder[key] = was;
      }
      for (const key of ["extra", "", "__proto__", "toJSON", "plan", "metadata", "params"]) {
        if (keys.includes(key)) continue;
        for (const added of [null, 1, ["A".repeat(22), 1]]) {
          Object.defineProperty(holder, key, {
            value: added,
            enumerable: true,
            configurable: true,
          });
          expect(answerOf(JSON.stringify(copy), options), key).not.toBe("VERIFIED");
          delete holder[key];
        }
      }
    }
    const doubled = text.replace('"format"', '"format":"runproof/bundle@v1","format"');
    expect(answerOf(doubled, options)).toBe("refused");
    expect(answerOf(JSON.stringify(copy), options)).toBe("VERIFIED");
  });

  it("with a digit or letter changed anywhere, put in or taken out", () => {
    const units = [...text];
    // What may change and say the same: white space between tokens, and nothing else in this text.
    const inString = new Set<number>();
    let isInside = false;
    units.forEach((unit, at) => {
      if (unit === '"' && units[at - 1] !== "\\") isInside = !isInside;
      if (isInside) inString.add(at);
    });
    const isSpace = (unit: string | undefined) => unit !== undefined && " \n\t\r".includes(unit);
    const sample = fc.constantFrom(...'0123456789abcdefxyzABC"{}[]:,-+.e \\'.split(""));
    const change = fc.record({
      at: fc.nat(units.length - 1),
      unit: sample,
      kind: fc.constantFrom("replace", "insert", "delete"),
    });
    fc.assert(
      fc.property(change, ({ at, unit, kind }) => {
        const was = units[at];
        if (kind === "replace" && was === unit) return;
        const isOutside =
          !inString.has(at) || (kind === "insert" && units[at] === '"' && !inString.has(at - 1));
        if (isOutside && isSpace(unit) && kind === "insert") return;
        if (!inString.has(at) && isSpace(was) && (kind === "delete" || isSpace(unit))) return;
        const changed = units
          .toSpliced(at, kind === "insert" ? 0 : 1, ...(kind === "delete" ? [] : [unit]))
          .join("");
        if (isSameJson(changed, text)) return;
        expect(answerOf(changed, options), changed.slice(Math.max(0, at - 30), at + 30)).not.toBe(
          "VERIFIED",
        );
      }),
      { numRuns: 1500 },
    );
  });
});

/** Whether two texts say the same, exactly: numbers by their decimal value, which every one here has within a double. */
const isSameJson = (a: string, b: string): boolean => {
  try {
    // A digit that a double can't hold is another value, though JSON.parse rounds it away.
    const exact = (text: string) =>
      JSON.stringify(
        JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
          typeof value === "number" && context?.source !== undefined
            ? decimalOf(context.source)
            : value,
        ),
      );
    return exact(a) === exact(b);
  } catch {
    return false;
  }
};

const decimalOf = (source: string): string => {
  const [mantissa = "", exponent = "0"] = source.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^(-?)0+/u, "$1");
  const trimmed = digits.replace(/0+$/u, "");
  return trimmed === "" || trimmed === "-"
    ? "0"
    : `${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`;
};

describe("records of a bundle that are moved", () => {
  type Steps = { steps: Array<unknown>; disclosures: { steps: Array<unknown> } };
  const moved = (move: (steps: Array<unknown>) => void) => {
    const copy = JSON.parse(runText) as Steps;
    move(copy.steps);
    move(copy.disclosures.steps);
    return verifyBundle(JSON.stringify(copy));
  };

  it.each([
    ["GAP", 2, (steps: Array<unknown>) => steps.splice(2, 1)],
    ["TRUNCATED", 3, (steps: Array<unknown>) => steps.splice(3)],
    ["REORDERED", 1, (steps: Array<unknown>) => steps.splice(1, 2, steps[2], steps[1])],
    ["FOREIGN_RECORD", 1, (steps: Array<unknown>) => steps.splice(2, 0, steps[1])],
  ] as const)("are found: %s at step %i", (code, step_index, move) => {
    const result = moved(move);
    expect(result.integrity.verification_status).toBe("FAILED");
    expect(result.findings[0]).toMatchObject({ code, step_index });
  });

  it("are found where they come from another run", () => {
    const other = makeBundle(storedRun(5, { trace: { trace_id: "trace-2" } }));
    const copy = JSON.parse(runText) as Steps;
    copy.steps[3] = other.steps[3];
    const result = verifyBundle(JSON.stringify(copy));
    expect(result.findings[0]).toMatchObject({ code: "FOREIGN_RECORD", step_index: 3 });
  });
});

describe("what is no bundle", () => {
  it.each([
    ["", "$"],
    ["null", "$"],
    ["[]", "$"],
    ["{}", "$.format"],
    ['{"format":"runproof/bundle@v2"}', "$.format"],
    ['{"format":"runproof/bundle@v1"}', "$.trace"],
    ['{"format":"runproof/bundle@v1","key":"x"}', "$.key"],
    ['{"format":"runproof/bundle@v1","format":1}', "$.format"],
  ])("%s is refused with its place and a remedy", (text, where) => {
    try {
      verifyBundle(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(BundleUnreadable);
      expect(error).toMatchObject({ where, _tag: "BundleUnreadable" });
      expect((error as BundleUnreadable).remedy).not.toBe("");
    }
  });

  it("is random text", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (text) => {
        expect(answerOf(text)).toBe("refused");
      }),
      { numRuns: 200 },
    );
  });
});

describe("bundles can't be made", () => {
  it("of an open run, of rows that can't be read, or of a step that is not there", () => {
    expect(() => makeBundle(storedRun(2, { isOpen: true }))).toThrow(BundleUnmakeable);
    const broken = storedRun(2);
    broken.steps[1]!.record = "{}";
    expect(() => makeBundle(broken)).toThrow(/step 1/u);
    const unreadable = storedRun(2);
    unreadable.steps[1]!.payloads.params.text = "{";
    expect(() => makeBundle(unreadable)).toThrow(/step 1: params/u);
    expect(() =>
      makeStepBundle({ ...stepSource(run, 2), paths: stepPaths(leavesOf(run).slice(1), 1) }),
    ).toThrow(/does not lead to the sealed root/u);
    const beyond = { ...stepSource(storedRun(2), 1), step: run.steps[4]! };
    expect(() => makeStepBundle(beyond)).toThrow(/no step 4/u);
  });
});
