import {
  type CanonicalLimits,
  canonicalize,
  CanonicalJsonError,
  PARSED_LIMITS,
} from "../CanonicalJson.ts";
import { parseCanonical, parseJson } from "../JsonText.ts";
import { commitText, type Payload } from "../Payload.ts";
import { type RecorderNotes, withNotes } from "../RecorderNotes.ts";
import type { Redactor, RuleCounts } from "../Redaction.ts";
import { type Lossy, tellValue } from "../ToldValue.ts";

/**
 * How payloads are made of a caller's values: `exactly`, refusing what JSON can't say, or `told`, marking it. A value
 * that strict reading of JSON text made is committed to exactly, with `PARSED_LIMITS`.
 */
export interface Telling {
  readonly values: "exactly" | "told";
  readonly limits?: CanonicalLimits;
  /** What the recorder has to say beside the values. */
  readonly notes?: RecorderNotes;
  /** Takes secrets out of the values before they are committed to. */
  readonly redactor?: Redactor;
}

/** A canonical text without its secrets. A masked key may stand in another place. */
const redacted = (text: string, redactor: Redactor | undefined, counts: RuleCounts): string => {
  const told = redactor?.json(text, counts) ?? text;
  return told === text
    ? text
    : canonicalize(parseJson(told), { ...PARSED_LIMITS, bytes_max: Number.MAX_SAFE_INTEGER });
};

const textOf = (name: string, value: unknown, limits: CanonicalLimits | undefined): string => {
  try {
    return canonicalize(value, limits);
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    throw new CanonicalJsonError(`$.${name}${error.path.slice(1)}`, error.what, error.remedy);
  }
};

/** Commits to one payload, or to none where it is undefined; adds what its telling lost to `lossy`. */
export const commitPayload = (
  name: string,
  value: unknown,
  { values, limits, redactor }: Telling,
  lossy: Array<Lossy>,
  counts: RuleCounts = new Map(),
): Payload | null => {
  if (value === undefined) return null;
  if (values === "exactly")
    return commitText(name, redacted(textOf(name, value, limits), redactor, counts));
  const told = tellValue(name, value);
  lossy.push(...told.lossy);
  return commitText(name, redacted(told.text, redactor, counts));
};

/**
 * Commits to a record's payloads; one that is undefined is none. `attributes` holds the recorder's notes too, and is `{}`
 * where there is no payload at all: its salt hides the record, whose leaf hash stands in the proofs of its neighbours and
 * could be guessed without one.
 */
export const commitPayloads = <Name extends string>(
  names: ReadonlyArray<Name>,
  input: { readonly [key in Name | "attributes"]?: unknown },
  telling: Telling,
): Record<Name | "attributes", Payload | null> => {
  const { values, limits, notes = {}, redactor } = telling;
  const lossy: Array<Lossy> = [];
  const counts: RuleCounts = new Map();
  const payloads = {} as Record<Name | "attributes", Payload | null>;
  let count = 0;
  for (const name of names) {
    payloads[name] = commitPayload(name, input[name], telling, lossy, counts);
    if (payloads[name] !== null) count += 1;
  }
  // Of attributes, the losses and what was masked must be known before the notes are.
  const ownLossy: Array<Lossy> = [];
  const own =
    input.attributes === undefined || (values === "exactly" && redactor === undefined)
      ? null
      : commitPayload("attributes", input.attributes, telling, ownLossy, counts);
  lossy.push(...ownLossy);
  const all = {
    ...notes,
    ...(lossy.length > 0 ? { lossy: withoutSecrets(lossy, redactor) } : {}),
    ...(counts.size > 0 ? { redaction: Object.fromEntries(counts) } : {}),
  };
  const told = own === null ? input.attributes : parseCanonical(own.text, PARSED_LIMITS);
  const noted = withNotes(told, all);
  const attributes = noted === undefined && count === 0 ? {} : noted;
  payloads.attributes =
    attributes === undefined
      ? null
      : commitText(
          "attributes",
          textOf("attributes", attributes, own === null ? limits : { ...PARSED_LIMITS, ...limits }),
        );
  return payloads;
};

/** A path is made of keys, which may be secrets. */
const withoutSecrets = (
  lossy: ReadonlyArray<Lossy>,
  redactor: Redactor | undefined,
): ReadonlyArray<Lossy> =>
  redactor === undefined
    ? lossy
    : lossy.map(({ path, was }) => ({ path: redactor.text(path), was: redactor.text(was) }));
