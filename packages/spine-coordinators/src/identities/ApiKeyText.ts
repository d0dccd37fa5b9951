/** The text of an API key: a prefix that scanners of leaked secrets know, the id that names it, and the secret. */
import { createHash, randomBytes, randomInt, timingSafeEqual } from "node:crypto";

const PREFIX = "rp_live_";
const FORM = /^rp_live_(?<key_id>[0-9a-z]{12})_(?<secret>[A-Za-z0-9_-]{43})$/u;
const ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const ID_LENGTH = 12;
const SECRET_BYTES = 32;

const hashOf = (secret: string): Buffer => createHash("sha256").update(secret, "utf8").digest();

/** A new key: the text is shown once, and only the rest is kept. The secret has 256 random bits, so a plain hash hides it. */
export const makeApiKey = () => {
  const key_id = Array.from(
    { length: ID_LENGTH },
    () => ID_ALPHABET[randomInt(ID_ALPHABET.length)],
  ).join("");
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  return {
    key: `${PREFIX}${key_id}_${secret}`,
    key_id,
    secret_hash: hashOf(secret).toString("hex"),
  };
};

/** The parts of a key; null where the text is none. */
export const parseApiKey = (
  text: string,
): { readonly key_id: string; readonly secret: string } | null => {
  const parts = FORM.exec(text)?.groups;
  return parts === undefined ? null : { key_id: parts["key_id"]!, secret: parts["secret"]! };
};

/** Whether a secret is the one whose hash is kept, in a time that says nothing of where they differ. */
export const isSecretOf = (secret: string, secret_hash: string): boolean =>
  timingSafeEqual(hashOf(secret), Buffer.from(secret_hash, "hex"));
