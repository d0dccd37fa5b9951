import type { StoredCheckpoint } from "@runproof/drivers/ledger/readCheckpoint";
import { type Checkpoint, openCheckpoint, parseCheckpoint } from "@runproof/proof/Checkpoint";
import type { VerifierKey } from "@runproof/proof/NoteKey";
import { NoteInvalid } from "@runproof/proof/SignedNote";
import type { ComparedCheckpoint } from "@runproof/schemas/AuditReport";
import type { FoundHere } from "./AuditTally.ts";

/** A checkpoint as it came: a signed note, and where from. */
export interface CheckpointNote {
  readonly source: string;
  readonly note: string;
}

/** A checkpoint that was read, and what its signatures are worth to those keys. */
export interface ReadCheckpoint extends Omit<ComparedCheckpoint, "holds"> {
  readonly note: string;
}

/** How reports call the checkpoint that the database keeps. */
export const STORED_SOURCE = "the database";

const readNote = (note: string): Checkpoint | NoteInvalid => {
  try {
    return parseCheckpoint(note);
  } catch (error) {
    if (error instanceof NoteInvalid) return error;
    throw error;
  }
};

/** Reads a checkpoint and checks its signatures where keys are given; `NoteInvalid` for what is no checkpoint. */
export const readCheckpoint = (
  { source, note }: CheckpointNote,
  keys: ReadonlyArray<VerifierKey>,
): ReadCheckpoint | NoteInvalid => {
  const checkpoint = readNote(note);
  if (checkpoint instanceof NoteInvalid) return checkpoint;
  const { origin, tree_size, root_hash } = checkpoint;
  const read = { source, note, origin, tree_size, root_hash };
  if (keys.length === 0) return { ...read, signature: "unchecked", signed_by: [] };
  const verdict = openCheckpoint(note, keys);
  return verdict.is_trusted
    ? { ...read, signature: "trusted", signed_by: verdict.signed_by.map((key) => key.text) }
    : { ...read, signature: "untrusted", signed_by: [] };
};

/** What the stored checkpoint's columns say otherwise than its note. */
export const storedCheckpointFaults = (
  stored: StoredCheckpoint,
  read: ReadCheckpoint | NoteInvalid,
): ReadonlyArray<FoundHere> => {
  const object = STORED_SOURCE;
  if (read instanceof NoteInvalid) {
    const message = `the stored checkpoint: it can't be read: ${read.message}`;
    return [{ code: "NOT_CANONICAL", object, message }];
  }
  return (["origin", "tree_size", "root_hash"] as const).flatMap((column) =>
    stored[column] === read[column]
      ? []
      : [
          {
            code: "COLUMN_MISMATCH" as const,
            object,
            message: `the stored checkpoint: the column ${column} differs from the signed note`,
          },
        ],
  );
};

/** Compares a checkpoint with the log: `root_hash` is that of its first `tree_size` entries, null where they have none. */
export const compareCheckpoint = (
  checkpoint: ReadCheckpoint,
  log: { readonly size: number; readonly root_hash: string | null },
): { readonly compared: ComparedCheckpoint; readonly found: ReadonlyArray<FoundHere> } => {
  const { note: _, ...read } = checkpoint;
  const { source, tree_size } = read;
  const found: Array<FoundHere> = [];
  const find = (code: FoundHere["code"], what: string) =>
    found.push({ code, object: source, message: `the checkpoint of ${source}: ${what}` });
  if (read.signature === "untrusted") find("KEY_UNTRUSTED", "none of the keys given signed it");
  const holds = log.size >= tree_size && log.root_hash === read.root_hash;
  if (log.size < tree_size) {
    find("LOG_SHRUNK", `it is of ${tree_size} entries, and the log has ${log.size}`);
  } else if (!holds) {
    const what =
      log.root_hash === null
        ? "entries that it covers are missing or unreadable"
        : "the log's first entries are not those that it covers";
    find("LOG_FORKED", `${what} (${tree_size} entries)`);
  }
  return { compared: { ...read, holds }, found };
};
