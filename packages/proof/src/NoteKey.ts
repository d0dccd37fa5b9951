/** Ed25519 keys of signed notes, in the text forms of C2SP signed-note and Go's sumdb/note. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { sha256Bytes } from "./Hash.ts";
import { publicKeyFault } from "./internal/publicKeyFault.ts";
import { Refusal } from "./Refusal.ts";

/** A key text that can't be taken. */
export class KeyInvalid extends Refusal {
  readonly _tag = "KeyInvalid";
}

/** Signature type of Ed25519 in signed notes. */
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const KEY_BYTES = 32;
const PRIVATE_PREFIX = "PRIVATE+KEY+";
/** DER of an Ed25519 key without its 32 bytes, RFC 8410. */
const PUBLIC_DER = Buffer.from("302a300506032b6570032100", "hex");
const PRIVATE_DER = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key that checks signatures. `key_id` is 8 hex digits; `text` is the verifier key `name+id+base64`. */
export interface VerifierKey {
  readonly name: string;
  readonly key_id: string;
  readonly text: string;
  readonly key: KeyObject;
}

/** A key that makes signatures. `private_text` is a secret. */
export interface SignerKey {
  readonly verifier: VerifierKey;
  readonly private_text: string;
  readonly key: KeyObject;
}

/** Whether a text can name a key: not empty, with no space, control character or plus. */
export const isKeyName = (name: string): boolean =>
  /^[^\s+\p{Cc}\p{Zs}]+$/u.test(name) && name.isWellFormed();

const keyId = (name: string, publicKey: Uint8Array): string =>
  sha256Bytes(Buffer.concat([Buffer.from(`${name}\n`, "utf8"), Buffer.of(ED25519), publicKey]))
    .subarray(0, KEY_ID_BYTES)
    .toString("hex");

/** Base64 in its one spelling; null for any other. */
export const decodeBase64 = (text: string): Buffer | null => {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
};

const parseParts = (text: string, what: string): { name: string; id: string; bytes: Buffer } => {
  const refuse = (why: string) =>
    new KeyInvalid(
      what,
      why,
      "Give it as it was printed: name+8 hex digits+base64, all on one line.",
    );
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text);
  if (match === null) throw refuse("not of the form name+id+base64");
  const [, name, id, base64] = match;
  const bytes = decodeBase64(base64!);
  if (!isKeyName(name!)) throw refuse("its name has a space or a control character");
  if (bytes === null || bytes.length !== KEY_BYTES + 1)
    throw refuse("its key is not 33 bytes of base64");
  if (bytes[0] !== ED25519) throw refuse(`its signature type ${bytes[0]} is not Ed25519`);
  return { name: name!, id: id!, bytes: bytes.subarray(1) };
};

const verifierKey = (name: string, publicKey: Buffer): VerifierKey => {
  const key_id = keyId(name, publicKey);
  const base64 = Buffer.concat([Buffer.of(ED25519), publicKey]).toString("base64");
  return {
    name,
    key_id,
    text: `${name}+${key_id}+${base64}`,
    key: createPublicKey({
      key: Buffer.concat([PUBLIC_DER, publicKey]),
      format: "der",
      type: "spki",
    }),
  };
};

const signerKey = (name: string, seed: Buffer): SignerKey => {
  const key = createPrivateKey({
    key: Buffer.concat([PRIVATE_DER, seed]),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey(key)
    .export({ format: "der", type: "spki" })
    .subarray(PUBLIC_DER.length);
  const verifier = verifierKey(name, publicKey);
  const base64 = Buffer.concat([Buffer.of(ED25519), seed]).toString("base64");
  return { verifier, private_text: `${PRIVATE_PREFIX}${name}+${verifier.key_id}+${base64}`, key };
};

/** Reads a verifier key. Throws `KeyInvalid`. */
export const parseVerifierKey = (text: string): VerifierKey => {
  const { name, id, bytes } = parseParts(text, "verifier key");
  const fault = publicKeyFault(bytes);
  if (fault !== null) {
    throw new KeyInvalid(
      "verifier key",
      fault,
      "No signer has such a key: take one from whoever keeps the log.",
    );
  }
  const key = verifierKey(name, bytes);
  if (key.key_id !== id)
    throw new KeyInvalid(
      "verifier key",
      "its id is not that of its name and key",
      "Copy it again, whole.",
    );
  return key;
};

/** Reads a signer key. Throws `KeyInvalid`, which never shows the key. */
export const parseSignerKey = (text: string): SignerKey => {
  if (!text.startsWith(PRIVATE_PREFIX)) {
    throw new KeyInvalid(
      "signer key",
      `it does not begin with ${PRIVATE_PREFIX}`,
      "Make one with `runproof keys generate`.",
    );
  }
  const { name, id, bytes } = parseParts(text.slice(PRIVATE_PREFIX.length), "signer key");
  const key = signerKey(name, bytes);
  if (key.verifier.key_id !== id)
    throw new KeyInvalid(
      "signer key",
      "its id is not that of its name and key",
      "Copy it again, whole.",
    );
  return key;
};

/** Makes a fresh signer key under a name such as `example.com/log`. Throws `KeyInvalid`. */
export const generateSignerKey = (name: string): SignerKey => {
  if (!isKeyName(name)) {
    throw new KeyInvalid(
      "name",
      `${JSON.stringify(name)} can't name a key`,
      "Use a name without spaces and plus, such as example.com/log.",
    );
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  return signerKey(
    name,
    privateKey.export({ format: "der", type: "pkcs8" }).subarray(PRIVATE_DER.length),
  );
};
