/** Makes seal records: all but the count, the head and the Merkle root, which the store gives inside its lock. */
import { type SealPayloadName, SealRecord, SEAL_RECORD_TYPE } from "@runproof/schemas/SealRecord";
import { canonicalize, TEXT_BYTES_MAX } from "./CanonicalJson.ts";
import { isHashHex } from "./Hash.ts";
import { commitPayload, type Telling } from "./internal/commitPayloads.ts";
import type { Payload } from "./Payload.ts";
import { RecordInvalid, validator } from "./RecordInvalid.ts";

/** What the store knows when it seals. */
export interface SealFacts {
  readonly chain_head: string;
  readonly merkle_root: string;
  readonly step_count: number;
}

/** All fields of a seal record but the store's, with the payload itself. A payload left out is none; null is a payload. */
export interface SealInput extends Omit<SealRecord, "type" | keyof SealFacts | SealPayloadName> {
  readonly metadata?: unknown;
}

/**
 * A seal record ready to be stored: its canonical text is parts[0], the chain head, parts[1], the Merkle root, parts[2],
 * the step count, parts[3]. The hashes go in as bare hex; their quotes are in the parts.
 */
export interface PreparedSeal {
  readonly parts: readonly [string, string, string, string];
  readonly payloads: { readonly metadata: Payload | null };
}

const validate = validator(
  SealRecord,
  "Give every field of a seal record, each as section 1 of the format says.",
);

/** Digits of the largest count of steps, which only the store knows. */
const COUNT_DIGITS_MAX = String(Number.MAX_SAFE_INTEGER).length;

/** Makes a seal record. Throws `RecordInvalid`, and, where values are taken exactly, `CanonicalJsonError`. */
export const prepareSeal = (
  input: SealInput,
  telling: Telling = { values: "exactly" },
): PreparedSeal => {
  const payloads = { metadata: commitPayload("metadata", input.metadata, telling, []) };
  for (const key of ["step_count", "chain_head", "merkle_root"]) {
    if (Object.hasOwn(input, key)) {
      throw new RecordInvalid(`$.${key}`, "this key is not the caller's to give", "Leave it out.");
    }
  }
  const record = validate({
    ...input,
    reason:
      typeof input.reason !== "string" || telling.redactor === undefined
        ? input.reason
        : telling.redactor.text(input.reason),
    type: SEAL_RECORD_TYPE,
    step_count: 0,
    chain_head: "0".repeat(64),
    merkle_root: "0".repeat(64),
    metadata: payloads.metadata?.commitment ?? null,
  });
  // The parts may be small enough where the whole is not.
  canonicalize(record, { bytes_max: TEXT_BYTES_MAX - COUNT_DIGITS_MAX });
  // In the order of canonical text: chain_head, completed_at, merkle_root, metadata … status, step_count, trace_id, type.
  const member = (key: keyof SealRecord) => canonicalize({ [key]: record[key] }).slice(1, -1);
  return {
    parts: [
      `{"chain_head":"`,
      `",${member("completed_at")},"merkle_root":"`,
      `",${(["metadata", "reason", "sealed_at", "status"] as const).map(member).join(",")},"step_count":`,
      `,${(["trace_id", "type"] as const).map(member).join(",")}}`,
    ],
    payloads,
  };
};

/** The canonical text of a prepared seal over the store's facts. */
export const sealRecordText = (prepared: PreparedSeal, facts: SealFacts): string => {
  for (const key of ["chain_head", "merkle_root"] as const) {
    if (!isHashHex(facts[key]))
      throw new RecordInvalid(`$.${key}`, "must be 64 lower-case hex digits", "Give the hash.");
  }
  if (!Number.isSafeInteger(facts.step_count) || facts.step_count < 0) {
    throw new RecordInvalid(
      "$.step_count",
      "must be an integer from 0 to 2^53-1",
      "Count the trace's steps.",
    );
  }
  const [head, root, count, rest] = prepared.parts;
  return head + facts.chain_head + root + facts.merkle_root + count + facts.step_count + rest;
};
