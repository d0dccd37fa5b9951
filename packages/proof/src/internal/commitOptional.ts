import { type CanonicalLimits, CanonicalJsonError } from "../CanonicalJson.ts";
import { commitPayload, type Payload } from "../Payload.ts";

/** Commits to a payload unless there is none; a refusal's path starts at the payload's name. */
export const commitOptional = (
  name: string,
  value: unknown,
  limits?: CanonicalLimits,
): Payload | null => {
  if (value === undefined) return null;
  try {
    return commitPayload(name, value, undefined, limits);
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    throw new CanonicalJsonError(`$.${name}${error.path.slice(1)}`, error.what, error.remedy);
  }
};

/**
 * What a record's `attributes` commit to: an empty object where there is no payload at all. Its salt hides the record,
 * whose leaf hash stands in the proofs of its neighbours and could be guessed without one.
 */
export const saltedAttributes = (attributes: unknown, others: ReadonlyArray<unknown>): unknown =>
  [attributes, ...others].every((payload) => payload === undefined) ? {} : attributes;
