import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import type { CheckpointsOver } from "@runproof/drivers/audit/readCheckpointsOver";
import { parseCheckpoint } from "@runproof/proof/Checkpoint";
import { KeyInvalid, parseVerifierKey, type VerifierKey } from "@runproof/proof/NoteKey";
import { NoteInvalid, parseNote, verifyNote } from "@runproof/proof/SignedNote";
import * as Effect from "effect/Effect";
import type { AuditReadError, AuditReads } from "../AuditBridge.ts";
import type { FoundHere } from "./AuditTally.ts";
import type { ReadCheckpoint } from "./CheckpointCheck.ts";
import { eventOf } from "./EventEntry.ts";

const keyOf = (text: string | undefined): VerifierKey | null => {
  try {
    return text === undefined ? null : parseVerifierKey(text);
  } catch (error) {
    if (error instanceof KeyInvalid) return null;
    throw error;
  }
};

/** A note's size, and whether all keys signed it; null where it is no checkpoint over the entry. */
const signedBy = (note: string, log_index: number, keys: ReadonlyArray<VerifierKey>) => {
  try {
    const { tree_size, origin } = parseCheckpoint(note);
    if (tree_size <= log_index || origin !== keys[0]?.name) return null;
    const { verified_by } = verifyNote(parseNote(note), keys);
    const isSigned = keys.every((key) => verified_by.some(({ text }) => text === key.text));
    return { tree_size, isSigned };
  } catch (error) {
    if (error instanceof NoteInvalid) return null;
    throw error;
  }
};

/** Whether the smallest of some trees over an entry is signed by all keys: by one note of it at least. */
const isSmallestSigned = (
  notes: ReadonlyArray<string>,
  log_index: number,
  keys: ReadonlyArray<VerifierKey>,
): boolean => {
  const read = notes.flatMap((note) => signedBy(note, log_index, keys) ?? []);
  const smallest = Math.min(...read.map(({ tree_size }) => tree_size));
  return read.some(({ tree_size, isSigned }) => isSigned && tree_size === smallest);
};

const whatIsWrong = (
  log_index: number,
  keys: readonly [VerifierKey | null, VerifierKey | null],
  over: CheckpointsOver,
  given: ReadonlyArray<ReadCheckpoint>,
): string | null => {
  const [old_key, new_key] = keys;
  const covering = given.filter(({ tree_size }) => tree_size > log_index);
  if (!over.is_covered && covering.length === 0) return null;
  if (old_key === null || new_key === null) return "it names no keys";
  const isOfOrigin = ({ origin }: ReadCheckpoint) => origin === old_key.name;
  const notes = [...over.notes, ...covering.filter(isOfOrigin).map(({ note }) => note)];
  if (notes.length === 0) {
    // A log that was restored goes on under another name, and what it held then is covered by that name's checkpoints.
    return over.has_origin || given.some(isOfOrigin)
      ? null
      : `no checkpoint is of a log of the name ${old_key.name}`;
  }
  return isSmallestSigned(notes, log_index, [old_key, new_key])
    ? null
    : "the first checkpoint that covers it is not signed by the old key and the new one";
};

/** What is wrong with an entry that adds a key: the first checkpoint over it must be signed by both keys. */
export const keyChangeFault = Effect.fnUntraced(function* (
  reads: AuditReads,
  entry: AuditedEntry,
  given: ReadonlyArray<ReadCheckpoint>,
): Effect.fn.Return<(FoundHere & { readonly log_index: number }) | null, AuditReadError> {
  const event = eventOf(entry);
  const { log_index } = entry;
  if (event?.event !== "key_added" || log_index === null) return null;
  const keys = [keyOf(event.detail["old_vkey"]), keyOf(event.detail["new_vkey"])] as const;
  const over = yield* reads.checkpointsOver({ log_index, origin: keys[0]?.name ?? null });
  const what = whatIsWrong(log_index, keys, over, given);
  return what === null
    ? null
    : {
        code: "KEY_UNTRUSTED",
        log_index,
        message: `the log: entry ${log_index} adds a key: ${what}`,
      };
});
