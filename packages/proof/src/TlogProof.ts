/** Offline proofs of one log entry: the text of C2SP tlog-proof@v1. */
import { isKeyOf, parseCheckpointText, type Checkpoint } from "./Checkpoint.ts";
import { hashBytes } from "./Hash.ts";
import { rootFromInclusion } from "./MerkleTree.ts";
import { decodeBase64, type VerifierKey } from "./NoteKey.ts";
import { NoteInvalid, parseNote, verifyNote } from "./SignedNote.ts";

/** An inclusion proof with the checkpoint of its tree; `path` is in hex. */
export interface TlogProof {
  readonly index: number;
  readonly path: ReadonlyArray<string>;
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** What a proof is worth: whether the tree holds the entry, and which trusted keys signed that tree. */
export interface TlogProofVerdict {
  readonly checkpoint: Checkpoint;
  readonly is_included: boolean;
  readonly signed_by: ReadonlyArray<VerifierKey>;
  /** Trusted keys that the checkpoint names with a signature that does not hold. */
  readonly broken: ReadonlyArray<VerifierKey>;
}

const HEADER = "c2sp.org/tlog-proof@v1";
const HASH_BYTES = 32;

const refuse = (what: string) =>
  new NoteInvalid("tlog-proof", what, "Pass the proof whole, byte for byte.");

const parseHash = (line: string): string => {
  const bytes = decodeBase64(line);
  if (bytes === null || bytes.length !== HASH_BYTES)
    throw refuse(`not a hash: ${JSON.stringify(line)}`);
  return bytes.toString("hex");
};

/** The text of a proof. */
export const formatTlogProof = ({ index, path, checkpoint }: TlogProof): string =>
  [
    HEADER,
    `index ${index}`,
    ...path.map((hash) => hashBytes(hash).toString("base64")),
    "",
    checkpoint,
  ].join("\n");

/** Reads a proof, strictly; extra data, which nothing signs, is refused. Throws `NoteInvalid`. */
export const parseTlogProof = (text: string): TlogProof => {
  const split = text.indexOf("\n\n");
  if (split < 0) throw refuse("no empty line parts the proof from its checkpoint");
  const [header, indexLine, ...path] = text.slice(0, split).split("\n");
  if (header !== HEADER) throw refuse(`its first line is not ${HEADER}`);
  const index = /^index (0|[1-9][0-9]*)$/u.exec(indexLine ?? "")?.[1];
  if (index === undefined || !Number.isSafeInteger(Number(index)))
    throw refuse("its second line is no index");
  return { index: Number(index), path: path.map(parseHash), checkpoint: text.slice(split + 2) };
};

/** Checks a proof for the entry with a leaf hash. Throws `NoteInvalid` for what is no proof. */
export const verifyTlogProof = (
  text: string,
  leaf_hash: string,
  trusted: ReadonlyArray<VerifierKey>,
): TlogProofVerdict => {
  const proof = parseTlogProof(text);
  const note = parseNote(proof.checkpoint);
  const checkpoint = parseCheckpointText(note.text);
  const { verified_by, broken } = verifyNote(note, trusted);
  const root = rootFromInclusion({
    leaf_hash,
    index: proof.index,
    size: checkpoint.tree_size,
    path: proof.path,
  });
  return {
    checkpoint,
    is_included: root === checkpoint.root_hash,
    signed_by: verified_by.filter((key) => isKeyOf(checkpoint, key)),
    broken,
  };
};
