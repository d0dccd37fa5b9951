/** Payloads and what a record holds of them: a salted commitment. */
import { randomFillSync } from "node:crypto";
import { canonicalize, type CanonicalLimits } from "./CanonicalJson.ts";
import { sha256 } from "./Hash.ts";
import { isCanonical } from "./JsonText.ts";
import { Refusal } from "./Refusal.ts";

const SALT_BYTES = 16;
const SALT_FORM = /^[A-Za-z0-9_-]{21}[AQgw]$/u;
/** So many bytes are drawn at once: one system call for 256 salts. */
const POOL_BYTES = 256 * SALT_BYTES;

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

const pool = Buffer.alloc(POOL_BYTES);
let poolAt = POOL_BYTES;

/** A fresh salt: 16 random bytes as 22 characters of unpadded base64url. */
export const makeSalt = (): string => {
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const salt = pool.toString("base64url", poolAt, poolAt + SALT_BYTES);
  // What was given out is not kept where a dump of the memory would show it.
  pool.fill(0, poolAt, poolAt + SALT_BYTES);
  poolAt += SALT_BYTES;
  return salt;
};

/** Whether something is a salt in its one spelling. */
export const isSalt = (value: unknown): value is string =>
  typeof value === "string" && SALT_FORM.test(value);

const commitmentOf = (name: string, salt: string, text: string): string =>
  // The salt needs no escape, so this is JCS([salt, name, value]).
  `sha256:${sha256(`["${salt}",${JSON.stringify(name)},${text}]`)}`;

/** The commitment over salt, name and the value's canonical text. */
export const payloadCommitment = (name: string, salt: string, text: string): string => {
  if (!isSalt(salt)) {
    throw new SaltInvalid(
      "salt",
      "not 16 bytes as 22 characters of unpadded base64url",
      "Let commitPayload make it.",
    );
  }
  return commitmentOf(name, salt, text);
};

/** Commits to a value's canonical text under a record's key, with a fresh salt. */
export const commitText = (name: string, text: string): Payload => {
  const salt = makeSalt();
  return { commitment: commitmentOf(name, salt, text), salt, text };
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
