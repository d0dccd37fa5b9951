/** Makes step records. */
import {
  intentFault,
  levelOf,
  type StepPayloadName,
  StepRecord,
  STEP_RECORD_TYPE,
} from "@runproof/schemas/StepRecord";
import type { Capture } from "@runproof/schemas/TraceRecord";
import { canonicalize, TEXT_BYTES_MAX } from "./CanonicalJson.ts";
import { leafHash } from "./Chain.ts";
import { commitPayloads, type Telling } from "./internal/commitPayloads.ts";
import { plainText } from "./internal/plainText.ts";
import { isQuicklyValid } from "./internal/quickStepRecord.ts";
import type { Payload } from "./Payload.ts";
import { RecordInvalid, validator } from "./RecordInvalid.ts";

export type { Telling };

/**
 * All fields of a step record but `level`, which follows from the status; with the payloads themselves, and the trace's
 * capture. A payload left out is none, null is a payload; where all are left out, `attributes` is `{}`.
 */
export interface StepInput extends Omit<StepRecord, "type" | "level" | StepPayloadName> {
  readonly capture: Capture;
  readonly params?: unknown;
  readonly outcome_data?: unknown;
  readonly attributes?: unknown;
}

/** A step record ready to be stored. */
export interface PreparedStep {
  /** The canonical text. */
  readonly record: string;
  /** E_i. */
  readonly leaf_hash: string;
  readonly payloads: Readonly<Record<StepPayloadName, Payload | null>>;
}

const REMEDY = "Give every field of a step record, each as section 1 of the format says.";
const validate = validator(StepRecord, REMEDY);

/** Bytes that one UTF-16 unit takes at most in canonical text. */
const ESCAPED_BYTES_MAX = 6;

/** Bytes that the keys and the bounded values of a step record take, with room to spare. */
const OTHER_BYTES_MAX = 8 * 1024;

/** The units of the texts that nothing else bounds. */
const unitsOf = (record: StepRecord): number =>
  record.skill_id.length +
  record.skill_name.length +
  record.outcome_category.length +
  (record.outcome_code?.length ?? 0) +
  (record.idempotency_key?.length ?? 0) +
  (record.synthetic_scenario_id?.length ?? 0);

type Commitments = Pick<StepRecord, StepPayloadName>;

const NO_COMMITMENTS: Commitments = { params: null, outcome_data: null, attributes: null };

/** The record over some commitments. Throws `RecordInvalid`. */
const recordOf = (input: StepInput, commitments: Commitments): StepRecord => {
  // In the order of canonical text, so that nothing has to be sorted; whatever else the caller gave comes last.
  const {
    capture: _capture,
    params: _params,
    outcome_data: _outcome_data,
    attributes: _attributes,
    cost_cents,
    duration_ms,
    idempotency_key,
    intent_index,
    is_synthetic,
    outcome_category,
    outcome_code,
    parent_step_index,
    replay_behavior,
    retry_count,
    skill_id,
    skill_name,
    source,
    started_at,
    status,
    step_index,
    synthetic_scenario_id,
    timestamp,
    trace_id,
    ...others
  } = input;
  if (Object.hasOwn(others, "level")) {
    throw new RecordInvalid("$.level", "this key is not the caller's to give", "Leave it out.");
  }
  const made: StepRecord = {
    attributes: commitments.attributes,
    cost_cents,
    duration_ms,
    idempotency_key,
    intent_index,
    is_synthetic,
    level: levelOf(status),
    outcome_category,
    outcome_code,
    outcome_data: commitments.outcome_data,
    params: commitments.params,
    parent_step_index,
    replay_behavior,
    retry_count,
    skill_id,
    skill_name,
    source,
    started_at,
    status,
    step_index,
    synthetic_scenario_id,
    timestamp,
    trace_id,
    type: STEP_RECORD_TYPE,
  };
  const isKnown = Object.keys(others).length === 0;
  const record = isKnown && isQuicklyValid(made) ? made : validate({ ...made, ...others });
  // A record of more bytes than any may have is named by the field that has them.
  if (unitsOf(record) * ESCAPED_BYTES_MAX > TEXT_BYTES_MAX - OTHER_BYTES_MAX) canonicalize(record);
  const fault = intentFault(record, input.capture);
  if (fault === null) return record;
  throw new RecordInvalid("$", fault, "Write the intent first, then the outcome that answers it.");
};

/** Checks all of a step but its payloads, and makes nothing. Throws `RecordInvalid`. */
export const checkStep = (input: StepInput): void => {
  recordOf(input, NO_COMMITMENTS);
};

/** The texts of the record that are nobody's id, as the redactor leaves them. */
const withoutSecrets = (input: StepInput, { redactor }: Telling): StepInput => {
  if (redactor === undefined) return input;
  // What is no text is the schema's to refuse.
  const told = <A>(text: A): A | string => (typeof text === "string" ? redactor.text(text) : text);
  return {
    ...input,
    outcome_category: told(input.outcome_category),
    outcome_code: told(input.outcome_code),
    skill_name: told(input.skill_name),
  };
};

/**
 * Makes a step record. Throws `RecordInvalid` for one that the format refuses (which intent an outcome answers is for
 * whoever knows the others), and, where values are taken exactly, `CanonicalJsonError`.
 */
export const prepareStep = (
  input: StepInput,
  telling: Telling = { values: "exactly" },
): PreparedStep => {
  const payloads = commitPayloads(["params", "outcome_data"], input, telling);
  const record = recordOf(withoutSecrets(input, telling), {
    params: payloads.params?.commitment ?? null,
    outcome_data: payloads.outcome_data?.commitment ?? null,
    attributes: payloads.attributes?.commitment ?? null,
  });
  const text = plainText(record, 1, "refuse")!;
  return { record: text, leaf_hash: leafHash(text), payloads };
};
