/** Makes step records: all but the index, which the store gives inside its lock. */
import {
  levelOf,
  type StepPayloadName,
  StepRecord,
  STEP_RECORD_TYPE,
} from "@runproof/schemas/StepRecord";
import { canonicalize, type CanonicalLimits } from "./CanonicalJson.ts";
import { commitOptional, saltedAttributes } from "./internal/commitOptional.ts";
import type { Payload } from "./Payload.ts";
import { RecordInvalid, validator } from "./RecordInvalid.ts";

/**
 * All fields of a step record but `step_index`, which the store gives, and `level`, which follows from the status; with
 * the payloads themselves. A payload left out is none, null is a payload; where all are left out, `attributes` is `{}`.
 */
export interface StepInput extends Omit<
  StepRecord,
  "type" | "step_index" | "level" | StepPayloadName
> {
  readonly params?: unknown;
  readonly outcome_data?: unknown;
  readonly attributes?: unknown;
}

/** A step record ready to be stored: its canonical text is `before_index`, the index, `after_index`. */
export interface PreparedStep {
  readonly before_index: string;
  readonly after_index: string;
  /** The index must be above this one. */
  readonly parent_step_index: number | null;
  readonly payloads: {
    readonly params: Payload | null;
    readonly outcome_data: Payload | null;
    readonly attributes: Payload | null;
  };
}

const validate = validator(
  StepRecord,
  "Give every field of a step record, each as section 1 of the format says.",
);

/** Makes a step record. Throws `RecordInvalid` or `CanonicalJsonError`. */
export const prepareStep = (input: StepInput, limits?: CanonicalLimits): PreparedStep => {
  const payloads = {
    params: commitOptional("params", input.params, limits),
    outcome_data: commitOptional("outcome_data", input.outcome_data, limits),
    attributes: commitOptional(
      "attributes",
      saltedAttributes(input.attributes, [input.params, input.outcome_data]),
      limits,
    ),
  };
  for (const key of ["step_index", "level"]) {
    if (Object.hasOwn(input, key)) {
      throw new RecordInvalid(`$.${key}`, "this key is not the caller's to give", "Leave it out.");
    }
  }
  const { step_index: _, ...record } = validate({
    ...input,
    type: STEP_RECORD_TYPE,
    // Any parent lies below the largest index; the store compares with the real one.
    step_index: Number.MAX_SAFE_INTEGER,
    level: levelOf(input.status),
    params: payloads.params?.commitment ?? null,
    outcome_data: payloads.outcome_data?.commitment ?? null,
    attributes: payloads.attributes?.commitment ?? null,
  });
  // Canonical text has its keys in order, so it is the keys before `step_index`, that key, and the keys after.
  const textOf = (isPart: (key: string) => boolean) =>
    canonicalize(Object.fromEntries(Object.entries(record).filter(([key]) => isPart(key))));
  return {
    before_index: `${textOf((key) => key < "step_index").slice(0, -1)},"step_index":`,
    after_index: `,${textOf((key) => key > "step_index").slice(1)}`,
    parent_step_index: record.parent_step_index,
    payloads,
  };
};

/** The canonical text of a prepared step at its index. */
export const stepRecordText = (prepared: PreparedStep, index: number): string => {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw new RecordInvalid(
      "$.step_index",
      "must be an integer from 0 to 2^53-1",
      "Count the trace's steps from 0.",
    );
  }
  if (prepared.parent_step_index !== null && prepared.parent_step_index >= index) {
    throw new RecordInvalid(
      "$.parent_step_index",
      "must be below step_index",
      "Name an earlier step as parent.",
    );
  }
  return prepared.before_index + index + prepared.after_index;
};
