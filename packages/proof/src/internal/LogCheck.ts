import type { LogProofs } from "@runproof/schemas/Bundle";
import { entryLeafHash, LogEntryKind } from "../LogEntry.ts";
import type { VerifierKey } from "../NoteKey.ts";
import { NoteInvalid, parseNote } from "../SignedNote.ts";
import { parseTlogProof, type TlogProofVerdict, verifyTlogProof } from "../TlogProof.ts";
import type { FindingList } from "./FindingList.ts";

/** What the log should hold of a run. */
export interface LoggedDigests {
  /** C_0. */
  readonly opened: string;
  /** The root. */
  readonly sealed: string;
}

/** What the log's proofs came to, beside findings. */
export interface LogVerdict {
  readonly isSigned: boolean;
  readonly notes: ReadonlyArray<string>;
}

const NOTE_NO_LOG =
  "The bundle holds no proof from a log: the verdict rests on the records and their seal alone.";
const NOTE_NO_KEY =
  "No trusted key was given, so the log's proofs were followed to the roots that their checkpoints state and no " +
  "further: who signed those checkpoints was not checked.";

type EntryName = "opened" | "sealed";

const proofOf = (
  findings: FindingList,
  name: EntryName,
  text: string,
  digest: string,
  trusted: ReadonlyArray<VerifierKey>,
): TlogProofVerdict | null => {
  const kind = name === "opened" ? LogEntryKind.OPENED : LogEntryKind.SEALED;
  try {
    const verdict = verifyTlogProof(text, entryLeafHash({ kind, digest }), trusted);
    if (verdict.is_included) return verdict;
    findings.add(
      "NOT_IN_LOG",
      null,
      `the log: the proof of ${name.toUpperCase()} does not lead to its root`,
    );
  } catch (error) {
    if (!(error instanceof NoteInvalid)) throw error;
    findings.add(
      "NOT_IN_LOG",
      null,
      `the log: the proof of ${name.toUpperCase()} is none: ${error.message}`,
    );
  }
  return null;
};

const checkSignature = (
  findings: FindingList,
  name: EntryName,
  verdict: TlogProofVerdict,
): void => {
  const broken = verdict.broken.map((key) => `${key.name}+${key.key_id}`).join(", ");
  const checkpoint = `the log: the checkpoint of ${name.toUpperCase()}`;
  if (broken !== "") {
    findings.add(
      "KEY_UNTRUSTED",
      null,
      `${checkpoint} has a signature of ${broken} that does not hold`,
    );
  } else if (verdict.signed_by.length === 0) {
    findings.add("KEY_UNTRUSTED", null, `${checkpoint} is signed by none of the keys given`);
  }
};

const ED25519_SIGNATURE_BYTES = 64;

/** The signatures of a proof's checkpoint, in hex, by the key that made them. */
const signaturesOf = (proof: string): ReadonlyMap<string, string> =>
  new Map(
    parseNote(parseTlogProof(proof).checkpoint).signatures.map(({ name, key_id, signature }) => [
      `${name}+${key_id}`,
      signature.toString("hex"),
    ]),
  );

/**
 * What the signatures on two copies of one tree head say against each other, if anything. A log signs both, and Ed25519
 * makes one signature of one text; a witness's cosignature is longer, holds a time and may differ.
 */
const signatureConflict = (log: LogProofs): string | null => {
  const [opened, sealed] = [signaturesOf(log.opened), signaturesOf(log.sealed)];
  const shared = [...opened.keys()].filter((key) => sealed.has(key));
  if (shared.length === 0) return "no key signed both copies of its one tree head";
  const hexLength = 2 * ED25519_SIGNATURE_BYTES;
  const differing = shared.find((key) => {
    const [first, second] = [opened.get(key)!, sealed.get(key)!];
    return first !== second && (first.length === hexLength || second.length === hexLength);
  });
  return differing === undefined
    ? null
    : `two signatures of ${differing} on one tree head differ, so one of them does not hold`;
};

/** Finds what the two checkpoints say against each other: that needs no key. */
const compareCheckpoints = (
  findings: FindingList,
  log: LogProofs,
  opened: TlogProofVerdict,
  sealed: TlogProofVerdict,
): void => {
  const [first, second] = [opened.checkpoint, sealed.checkpoint];
  if (first.origin !== second.origin) {
    findings.add("NOT_IN_LOG", null, "the log: the two proofs are of two logs");
  } else if ((first.tree_size === second.tree_size) !== (first.root_hash === second.root_hash)) {
    findings.add("LOG_FORKED", null, "the log: the two checkpoints contradict each other");
  } else if (first.tree_size === second.tree_size) {
    const conflict = signatureConflict(log);
    if (conflict !== null) findings.add("KEY_UNTRUSTED", null, `the log: ${conflict}`);
  }
};

/**
 * Checks what a bundle shows of the log. Without trusted keys, everything but the signatures is checked. With them, both
 * entries must be in trees that one of the keys signed.
 */
export const checkLog = (
  findings: FindingList,
  log: LogProofs | null,
  digests: LoggedDigests,
  trusted: ReadonlyArray<VerifierKey> | null,
): LogVerdict => {
  if (log === null) {
    if (trusted === null) return { isSigned: false, notes: [NOTE_NO_LOG] };
    findings.add(
      "NOT_IN_LOG",
      null,
      "the log: a trusted key was given, and the bundle holds no proof from a log",
    );
    return { isSigned: false, notes: [] };
  }
  const opened = proofOf(findings, "opened", log.opened, digests.opened, trusted ?? []);
  const sealed = proofOf(findings, "sealed", log.sealed, digests.sealed, trusted ?? []);
  if (opened !== null && sealed !== null) compareCheckpoints(findings, log, opened, sealed);
  if (trusted === null) return { isSigned: false, notes: [NOTE_NO_KEY] };
  if (opened !== null) checkSignature(findings, "opened", opened);
  if (sealed !== null) checkSignature(findings, "sealed", sealed);
  return { isSigned: !findings.isHarmful(null), notes: [] };
};
