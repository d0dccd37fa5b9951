import { type CanonicalLimits, canonicalize, CanonicalJsonError } from "../CanonicalJson.ts";
import { parseCanonical } from "../JsonText.ts";
import { commitText, type Payload } from "../Payload.ts";
import { type RecorderNotes, withNotes } from "../RecorderNotes.ts";
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
}

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
  { values, limits }: Telling,
  lossy: Array<Lossy>,
): Payload | null => {
  if (value === undefined) return null;
  if (values === "exactly") return commitText(name, textOf(name, value, limits));
  const told = tellValue(name, value);
  lossy.push(...told.lossy);
  return commitText(name, told.text);
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
  const { values, limits, notes = {} } = telling;
  const lossy: Array<Lossy> = [];
  const payloads = {} as Record<Name | "attributes", Payload | null>;
  let count = 0;
  for (const name of names) {
    payloads[name] = commitPayload(name, input[name], telling, lossy);
    if (payloads[name] !== null) count += 1;
  }
  // Of attributes that are told, the losses must be known before the notes are.
  const own =
    values === "told" && input.attributes !== undefined
      ? tellValue("attributes", input.attributes)
      : null;
  if (own !== null) lossy.push(...own.lossy);
  const all = lossy.length > 0 ? { ...notes, lossy } : notes;
  const told = own === null ? input.attributes : parseCanonical(own.text);
  const noted = withNotes(told, all);
  const attributes = noted === undefined && count === 0 ? {} : noted;
  payloads.attributes =
    attributes === undefined
      ? null
      : commitText("attributes", textOf("attributes", attributes, limits));
  return payloads;
};
