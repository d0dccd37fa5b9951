/**
 * Goal: what the makers of records give is the canonical text of a record that the format allows, and nothing else gets
 * through. Method: inputs of every kind, each text read again and compared with the record built by hand.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalize,
  CanonicalJsonError,
  PARSED_LIMITS,
  TEXT_BYTES_MAX,
} from "../src/CanonicalJson.ts";
import { firstLink, leafHash, nextLink, rootHash } from "../src/Chain.ts";
import { hashBytes, sha256 } from "../src/Hash.ts";
import {
  commitPayload,
  isPayloadOf,
  makeSalt,
  payloadCommitment,
  SaltInvalid,
} from "../src/Payload.ts";
import { readSealRecord } from "../src/internal/RecordReader.ts";
import { RecordInvalid } from "../src/RecordInvalid.ts";
import { prepareSeal, sealRecordText } from "../src/SealRecord.ts";
import { checkStep, prepareStep } from "../src/StepRecord.ts";
import { prepareTrace } from "../src/TraceRecord.ts";
import { sealInput, stepInput, traceInput } from "./RunFixture.ts";

const refusalOf = (make: () => unknown): RecordInvalid | CanonicalJsonError => {
  try {
    make();
    return expect.unreachable("taken");
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) expect(error).toBeInstanceOf(RecordInvalid);
    return error as RecordInvalid;
  }
};

describe("a trace record", () => {
  it("is the canonical text of all its fields, with its leaf and first link", () => {
    const input = traceInput({ plan: { a: 1 } });
    const { record, leaf_hash, link, payloads } = prepareTrace(input);
    expect(record).toBe(
      canonicalize({
        ...input,
        type: "runproof/trace@v1",
        plan: payloads.plan!.commitment,
        attributes: payloads.attributes!.commitment,
      }),
    );
    expect(leaf_hash).toBe(leafHash(record));
    expect(link).toBe(firstLink(leaf_hash));
  });

  it("commits to null as a payload, and to nothing where there is none", () => {
    const { payloads, record } = prepareTrace(traceInput({ plan: undefined, attributes: null }));
    expect(payloads.plan).toBeNull();
    expect(payloads.attributes).toMatchObject({ text: "null" });
    expect(JSON.parse(record)).toMatchObject({
      plan: null,
      attributes: payloads.attributes!.commitment,
    });
  });

  it("can't be guessed from its leaf, even where it has no payload: it commits to an empty one", () => {
    const input = traceInput({ plan: undefined, attributes: undefined });
    const { payloads, leaf_hash } = prepareTrace(input);
    expect(payloads).toMatchObject({ plan: null, attributes: { text: "{}" } });
    expect(prepareTrace(input).leaf_hash).not.toBe(leaf_hash);
    const planned = prepareTrace(traceInput({ plan: null, attributes: undefined }));
    expect(planned.payloads.attributes).toBeNull();
  });

  it.each([
    ["$.trace_id", { trace_id: "" }],
    ["$.run_id", { run_id: "x".repeat(256) }],
    ["$.tenant_id", { tenant_id: "a\u0000b" }],
    ["$.correlation_id", { correlation_id: "\ud800" }],
    ["$.agent_id", { agent_id: "\udc00" }],
    ["$.started_at", { started_at: "2026-02-10T12:43:41Z" }],
    ["$.created_at", { created_at: "2026-02-30T12:43:41.000000Z" }],
    ["$.seed", { seed: 2 ** 53 }],
    ["$.seed", { seed: 0.5 }],
    ["$.is_synthetic", { is_synthetic: "no" }],
    ["$.synthetic_scenario_id", { is_synthetic: true, synthetic_scenario_id: null }],
    ["$.redaction", { redaction: undefined }],
    ["$.extra", { extra: 1 }],
    ["$.plan.a[0]", { plan: { a: [undefined] } }],
    ["$.plan", { plan: 2 ** 53 }],
    ["$.attributes", { attributes: new Date(0) }],
  ])("is refused at %s", (path, over) => {
    const refusal = refusalOf(() => prepareTrace({ ...traceInput(), ...over } as never));
    expect(refusal.path).toBe(path);
    expect(refusal.what).not.toBe("");
    expect(refusal.remedy).not.toBe("");
  });

  it("takes 255 characters beyond the basic plane, and large integers of a strictly read text", () => {
    const parsed = { values: "exactly", limits: PARSED_LIMITS } as const;
    expect(JSON.parse(prepareTrace(traceInput({ run_id: "😀".repeat(255) })).record)).toMatchObject(
      { run_id: "😀".repeat(255) },
    );
    expect(prepareTrace(traceInput({ plan: 1e20 }), parsed).payloads.plan!.text).toBe(
      "100000000000000000000",
    );
  });
});

describe("a step record", () => {
  it("is the canonical text of all its fields, with its leaf", () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger().map(Math.abs),
        fc.string({ unit: "grapheme" }),
        (index, name) => {
          const input = stepInput(0, {
            step_index: index,
            skill_name: name,
            status: "retry",
            outcome_data: { n: index },
          });
          const { record, leaf_hash, payloads } = prepareStep(input);
          const { capture: _, ...fields } = input;
          expect(record).toBe(
            canonicalize({
              ...fields,
              type: "runproof/step@v1",
              level: "WARN",
              params: payloads.params!.commitment,
              outcome_data: payloads.outcome_data!.commitment,
              attributes: payloads.attributes!.commitment,
            }),
          );
          expect(leaf_hash).toBe(leafHash(record));
        },
      ),
    );
  });

  it("can't be guessed from its leaf, even where it has no payload: it commits to an empty one", () => {
    const none = { params: undefined, outcome_data: undefined, attributes: undefined };
    const leafOf = () => {
      const prepared = prepareStep(stepInput(0, none));
      expect(prepared.payloads).toMatchObject({
        params: null,
        outcome_data: null,
        attributes: { text: "{}" },
      });
      return prepared.leaf_hash;
    };
    expect(leafOf()).not.toBe(leafOf());
    for (const some of [{ params: null }, { outcome_data: 0 }]) {
      const { payloads } = prepareStep(stepInput(0, { ...none, ...some }));
      expect(payloads.attributes).toBeNull();
    }
  });

  it.each([
    ["success", "INFO"],
    ["failure", "ERROR"],
    ["retry", "WARN"],
    ["skipped", "INFO"],
  ] as const)("of status %s has level %s", (status, level) => {
    expect(JSON.parse(prepareStep(stepInput(0, { status })).record)).toMatchObject({ level });
  });

  it.each([
    ["$.status", { status: "done" }],
    ["$.source", { source: "user" }],
    ["$.replay_behavior", { replay_behavior: "maybe" }],
    ["$.cost_cents", { cost_cents: -1 }],
    ["$.cost_cents", { cost_cents: 2 ** 53 }],
    ["$.duration_ms", { duration_ms: NaN }],
    ["$.duration_ms", { duration_ms: "1" }],
    ["$.retry_count", { retry_count: -1 }],
    ["$.retry_count", { retry_count: 1.5 }],
    ["$.outcome_category", { outcome_category: null }],
    ["$.timestamp", { timestamp: null }],
    ["$.level", { level: "INFO" }],
    ["$.step_index", { step_index: -1 }],
    ["$.step_index", { step_index: 0.5 }],
    ["$.step_index", { step_index: NaN }],
    ["$.step_index", { step_index: 2 ** 53 }],
    ["$.parent_step_index", { step_index: 4, parent_step_index: 4 }],
    ["$.trace_id", { trace_id: "" }],
    ["$.trace_id", { trace_id: "\ud800" }],
    ["$.skill_id", { skill_id: "a\u0000" }],
    ["$.started_at", { started_at: "2026-02-30T12:43:41.000000Z" }],
    ["$.is_synthetic", { is_synthetic: null }],
    ["$.idempotency_key", { idempotency_key: 7 }],
    ["$", { intent_index: 0, step_index: 1 }],
    ["$", { capture: "gated", status: "success" }],
    ["$.extra", { extra: 1 }],
    ["$.params.f", { params: { f: () => 1 } }],
  ])("is refused at %s", (path, over) => {
    expect(refusalOf(() => prepareStep({ ...stepInput(0), ...over } as never)).path).toBe(path);
  });
});

describe("a seal record", () => {
  const facts = { chain_head: sha256("head"), merkle_root: sha256("root"), step_count: 12 };

  it("is canonical around the store's facts", () => {
    for (const input of [
      sealInput(),
      sealInput({ status: "aborted", reason: 'a "quoted", reason' }),
    ]) {
      const prepared = prepareSeal(input);
      const record = {
        ...input,
        ...facts,
        type: "runproof/seal@v1",
        metadata: prepared.payloads.metadata!.commitment,
      };
      expect(sealRecordText(prepared, facts)).toBe(canonicalize(record));
      const [a, b, c, d] = prepared.parts;
      expect(a + facts.chain_head + b + facts.merkle_root + c + facts.step_count + d).toBe(
        canonicalize(record),
      );
    }
  });

  it.each([
    ["$.status", { status: "running" }],
    ["$.reason", { status: "failed", reason: null }],
    ["$.reason", { status: "aborted", reason: null }],
    ["$.completed_at", { completed_at: "now" }],
    ["$.step_count", { step_count: 1 }],
    ["$.chain_head", { chain_head: facts.chain_head }],
    ["$.extra", { extra: 1 }],
    ["$.metadata", { metadata: NaN }],
  ])("is refused at %s", (path, over) => {
    expect(refusalOf(() => prepareSeal({ ...sealInput(), ...over } as never)).path).toBe(path);
  });

  it.each([
    ["$.chain_head", { chain_head: facts.chain_head.toUpperCase() }],
    ["$.merkle_root", { merkle_root: "" }],
    ["$.step_count", { step_count: -1 }],
    ["$.step_count", { step_count: 0.5 }],
  ])("is refused at %s among the facts", (path, over) => {
    expect(
      refusalOf(() => sealRecordText(prepareSeal(sealInput()), { ...facts, ...over })).path,
    ).toBe(path);
  });
});

describe("a record of more bytes than any may have", () => {
  const large = "x".repeat(TEXT_BYTES_MAX);

  it.each([
    "skill_id",
    "skill_name",
    "outcome_category",
    "outcome_code",
    "idempotency_key",
    "synthetic_scenario_id",
  ])("is refused for its %s, before and when it is made", (key) => {
    const input = stepInput(0, { is_synthetic: true, synthetic_scenario_id: "s", [key]: large });
    const refusal = expect.objectContaining({ path: `$.${key}` });
    expect(() => checkStep(input)).toThrow(refusal);
    expect(() => prepareStep(input)).toThrow(refusal);
  });

  it("is refused as a seal, and no byte before its count has no room", () => {
    const of = (reason: string) => sealRecordText(prepareSeal(sealInput({ reason })), facts);
    const facts = { step_count: 0, chain_head: "0".repeat(64), merkle_root: "0".repeat(64) };
    const left = TEXT_BYTES_MAX - of("").length;
    expect(() => of("x".repeat(left - 15))).toThrow(expect.objectContaining({ path: "$" }));
    expect(readSealRecord(of("x".repeat(left - 16))).record).not.toBeNull();
  });
});

describe("commitments", () => {
  it("are the hash of salt, name and value, with a salt of 16 fresh bytes", () => {
    const { commitment, salt, text } = commitPayload("params", { b: [1], a: "é" });
    expect(commitment).toBe(`sha256:${sha256(canonicalize([salt, "params", { b: [1], a: "é" }]))}`);
    expect(text).toBe('{"a":"é","b":[1]}');
    expect(Buffer.from(salt, "base64url")).toHaveLength(16);
    expect(new Set(Array.from({ length: 100 }, makeSalt)).size).toBe(100);
    expect(isPayloadOf(commitment, "params", salt, text)).toBe(true);
    expect(isPayloadOf(commitment, "plan", salt, text)).toBe(false);
  });

  it("are not made, or met, with a salt that is none, or of a text that is not canonical", () => {
    const salt = makeSalt();
    for (const other of [
      "",
      "A",
      salt.slice(1),
      `${salt}A`,
      `${salt.slice(0, -1)}B`,
      `${salt.slice(0, -1)}=`,
      '","',
      `${salt}\n`,
    ]) {
      expect(() => payloadCommitment("params", other, "1")).toThrow(SaltInvalid);
      expect(isPayloadOf("sha256:", "params", other, "1")).toBe(false);
    }
    for (const text of ["1.0", " 1", '{"b":1,"a":2}', "{", "", '1],["x"']) {
      expect(isPayloadOf(payloadCommitment("params", salt, text), "params", salt, text)).toBe(
        false,
      );
    }
  });

  it("hold U+0000 in payloads, escaped", () => {
    expect(commitPayload("params", "a\u0000b").text).toBe('"a\\u0000b"');
  });
});

describe("hashes", () => {
  it("of the chain have their prefixes", () => {
    const bytes = (...parts: ReadonlyArray<Uint8Array>) => sha256(Buffer.concat(parts));
    const leaf = leafHash("é");
    expect(leaf).toBe(bytes(Buffer.of(0), Buffer.from("é", "utf8")));
    const link = firstLink(leaf);
    expect(link).toBe(bytes(Buffer.of(2), Buffer.alloc(32), hashBytes(leaf)));
    expect(nextLink(link, leaf)).toBe(bytes(Buffer.of(2), hashBytes(link), hashBytes(leaf)));
    expect(rootHash(link, "é")).toBe(nextLink(link, leaf));
  });

  it("are refused in another form", () => {
    for (const hash of ["", "ab", sha256("").toUpperCase(), `${sha256("")} `]) {
      expect(() => hashBytes(hash)).toThrow(TypeError);
      expect(() => nextLink(hash, sha256(""))).toThrow(TypeError);
      expect(() => firstLink(hash)).toThrow(TypeError);
    }
  });
});
