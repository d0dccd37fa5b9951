/** Payloads and what a record holds of them: a salted commitment. */
import { randomBytes } from "node:crypto";
import { canonicalize, type CanonicalLimits, isCanonical } from "./CanonicalJson.ts";
import { sha256 } from "./Hash.ts";
import { Refusal } from "./Refusal.ts";

const SALT_BYTES = 16;
const SALT_FORM = /^[A-Za-z0-9_-]{21}[AQgw]$/u;

/** A payload as it is stored: its commitment, and beside it what the commitment can be checked with. */
export interface Payload {
  readonly commitment: string;
  readonly salt: string;
  /** The canonical text of the value. */
  readonly text: string;
}

/** A salt that is not 16 bytes of base64url. */
export class SaltInvalid extends Refusal {
  readonly _tag = "SaltInvalid";
}

/** A fresh salt: 16 random bytes as 22 characters of unpadded base64url. */
export const makeSalt = (): string => randomBytes(SALT_BYTES).toString("base64url");

/** Whether something is a salt in its one spelling. */
export const isSalt = (value: unknown): value is string =>
  typeof value === "string" && SALT_FORM.test(value);

/** The commitment over salt, name and the value's canonical text. */
export const payloadCommitment = (name: string, salt: string, text: string): string => {
  if (!isSalt(salt)) {
    throw new SaltInvalid(
      "salt",
      "not 16 bytes as 22 characters of unpadded base64url",
      "Let commitPayload make it.",
    );
  }
  // The salt needs no escape, so this is JCS([salt, name, value]).
  return `sha256:${sha256(`["${salt}",${JSON.stringify(name)},${text}]`)}`;
};

/** Commits to a value under a record's key, with a fresh salt unless one is given. Throws `CanonicalJsonError`. */
export const commitPayload = (
  name: string,
  value: unknown,
  salt = makeSalt(),
  limits?: CanonicalLimits,
): Payload => {
  const text = canonicalize(value, limits);
  return { commitment: payloadCommitment(name, salt, text), salt, text };
};

/** Whether a stored payload is what a record committed to. A salt or text of another form never is. */
export const isPayloadOf = (
  commitment: string,
  name: string,
  salt: unknown,
  text: unknown,
): boolean =>
  isSalt(salt) &&
  typeof text === "string" &&
  payloadCommitment(name, salt, text) === commitment &&
  isCanonical(text);
