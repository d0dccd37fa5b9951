/** Checkpoints of C2SP tlog-checkpoint: a log's tree head as the text of a signed note. */
import { hashBytes } from "./Hash.ts";
import { decodeBase64, type SignerKey, type VerifierKey } from "./NoteKey.ts";
import { NoteInvalid, parseNote, signNote, verifyNote } from "./SignedNote.ts";

/** A tree head: the log's name, its size, and the root over that many leaves in hex. */
export interface TreeHead {
  readonly origin: string;
  readonly tree_size: number;
  readonly root_hash: string;
}

/** A checkpoint as it was read, before any signature is trusted. */
export interface Checkpoint extends TreeHead {
  readonly extensions: ReadonlyArray<string>;
}

/** What a checkpoint is to someone who trusts some keys. */
export type CheckpointVerdict =
  | {
      readonly is_trusted: true;
      readonly checkpoint: Checkpoint;
      readonly signed_by: ReadonlyArray<VerifierKey>;
    }
  | { readonly is_trusted: false; readonly checkpoint: Checkpoint; readonly reason: string };

const HASH_BYTES = 32;

const refuse = (what: string) =>
  new NoteInvalid("checkpoint", what, "Pass the checkpoint whole, byte for byte.");

/** Whether a key is that of the log a checkpoint is of: its name is the origin, so that one log's trees never pass for another's. */
export const isKeyOf = ({ origin }: TreeHead, key: VerifierKey): boolean => key.name === origin;

/** The note text of a tree head. */
export const checkpointText = ({ origin, tree_size, root_hash }: TreeHead): string =>
  `${origin}\n${tree_size}\n${hashBytes(root_hash).toString("base64")}\n`;

/** Reads a checkpoint's note text, strictly. Throws `NoteInvalid`. */
export const parseCheckpointText = (text: string): Checkpoint => {
  const [origin, size, root, ...rest] = text.split("\n");
  const extensions = rest.slice(0, -1);
  if (rest.at(-1) !== "" || origin === undefined || origin === "" || extensions.includes("")) {
    throw refuse("it has not at least three lines, none of them empty");
  }
  if (!/^(0|[1-9][0-9]*)$/u.test(size!) || !Number.isSafeInteger(Number(size)))
    throw refuse("its size is no number");
  const bytes = decodeBase64(root!);
  if (bytes === null || bytes.length !== HASH_BYTES)
    throw refuse("its root is not 32 bytes of base64");
  return { origin, tree_size: Number(size), root_hash: bytes.toString("hex"), extensions };
};

/** Signs a tree head with each key. Throws `NoteInvalid`. */
export const signCheckpoint = (head: TreeHead, keys: ReadonlyArray<SignerKey>): string =>
  signNote(checkpointText(head), keys);

/** Reads a signed checkpoint without trusting it. Throws `NoteInvalid`. */
export const parseCheckpoint = (note: string): Checkpoint =>
  parseCheckpointText(parseNote(note).text);

/**
 * Reads a signed checkpoint and checks it against trusted keys: one at least signed it, none of them has a broken
 * signature on it. Throws `NoteInvalid` for what is no checkpoint.
 */
export const openCheckpoint = (
  note: string,
  trusted: ReadonlyArray<VerifierKey>,
): CheckpointVerdict => {
  const parsed = parseNote(note);
  const checkpoint = parseCheckpointText(parsed.text);
  const { verified_by, broken } = verifyNote(parsed, trusted);
  if (broken.length > 0) {
    const names = broken.map((key) => `${key.name}+${key.key_id}`).join(", ");
    return { is_trusted: false, checkpoint, reason: `the signature of ${names} does not hold` };
  }
  const signed_by = verified_by.filter((key) => isKeyOf(checkpoint, key));
  if (signed_by.length === 0) {
    return { is_trusted: false, checkpoint, reason: "it is signed by none of the keys given" };
  }
  return { is_trusted: true, checkpoint, signed_by };
};
