/** Signed notes of C2SP: a text, an empty line, and signature lines. */
import { sign, verify } from "node:crypto";
import { decodeBase64, isKeyName, type SignerKey, type VerifierKey } from "./NoteKey.ts";
import { Refusal } from "./Refusal.ts";

/** A text that is no signed note. */
export class NoteInvalid extends Refusal {
  readonly _tag = "NoteInvalid";
}

/** Most signatures of a note, and most characters: the first is well above the 16 that the specification demands. */
export const SIGNATURES_MAX = 64;
export const NOTE_UNITS_MAX = 1_000_000;

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  /** 8 hex digits. */
  readonly key_id: string;
  readonly signature: Buffer;
}

/** A note as it was read. Its text counts for nothing before a trusted key's signature was checked. */
export interface SignedNote {
  /** With its last newline. */
  readonly text: string;
  readonly signatures: ReadonlyArray<NoteSignature>;
}

/** What the signatures of a note are worth to someone who trusts some keys. */
export interface NoteVerdict {
  /** Keys whose signature holds. */
  readonly verified_by: ReadonlyArray<VerifierKey>;
  /** Trusted keys that the note names and whose signature does not hold: the whole note is to be rejected. */
  readonly broken: ReadonlyArray<VerifierKey>;
}

const KEY_ID_BYTES = 4;
const SEPARATOR = "\n\n";
const LINE = /^\u2014 (\S+) (\S+)$/u;
// oxlint-disable-next-line no-control-regex -- the specification forbids just these
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/u;

const refuse = (what: string) =>
  new NoteInvalid("note", what, "Pass the signed note whole, byte for byte.");

const parseSignature = (line: string): NoteSignature => {
  const match = LINE.exec(line);
  const bytes = match === null ? null : decodeBase64(match[2]!);
  if (match === null || bytes === null || bytes.length <= KEY_ID_BYTES || !isKeyName(match[1]!)) {
    throw refuse(`not a signature line: ${JSON.stringify(line)}`);
  }
  return {
    name: match[1]!,
    key_id: bytes.subarray(0, KEY_ID_BYTES).toString("hex"),
    signature: bytes.subarray(KEY_ID_BYTES),
  };
};

/** Reads a signed note, strictly. Throws `NoteInvalid`. */
export const parseNote = (note: string): SignedNote => {
  if (note.length > NOTE_UNITS_MAX) throw refuse(`longer than ${NOTE_UNITS_MAX} characters`);
  if (!note.isWellFormed() || CONTROL.test(note))
    throw refuse("it has a control character or a lone surrogate");
  const split = note.lastIndexOf(SEPARATOR);
  if (split < 1) throw refuse("no empty line parts a text from its signatures");
  if (!note.endsWith("\n")) throw refuse("its last line has no end");
  const lines = note.slice(split + SEPARATOR.length, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw refuse(`more than ${SIGNATURES_MAX} signatures`);
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
};

const signatureLine = (text: string, { verifier, key }: SignerKey): string => {
  const signature = sign(null, Buffer.from(text, "utf8"), key);
  const bytes = Buffer.concat([Buffer.from(verifier.key_id, "hex"), signature]);
  return `\u2014 ${verifier.name} ${bytes.toString("base64")}\n`;
};

/** Signs a text, which ends in a newline, with each key. Throws `NoteInvalid`. */
export const signNote = (text: string, keys: ReadonlyArray<SignerKey>): string => {
  if (!text.endsWith("\n") || !text.isWellFormed() || CONTROL.test(text)) {
    throw refuse(
      "its text has a control character or a lone surrogate, or does not end in a newline",
    );
  }
  if (keys.length === 0) throw refuse("no key signs it");
  return `${text}\n${keys.map((key) => signatureLine(text, key)).join("")}`;
};

/** Checks the signatures of the trusted keys; all others are ignored. */
export const verifyNote = (note: SignedNote, trusted: ReadonlyArray<VerifierKey>): NoteVerdict => {
  const text = Buffer.from(note.text, "utf8");
  const verified_by: Array<VerifierKey> = [];
  const broken: Array<VerifierKey> = [];
  for (const key of trusted) {
    const own = note.signatures.filter(
      ({ name, key_id }) => name === key.name && key_id === key.key_id,
    );
    if (own.length === 0) continue;
    const holds = own.every(({ signature }) => verify(null, text, key.key, signature));
    (holds ? verified_by : broken).push(key);
  }
  return { verified_by, broken };
};
