/** Files that keep a checkpoint: what anchors a log outside its database is never lost to another log's. */
import type { Checkpoint } from "@runproof/proof/Checkpoint";
import { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { counted } from "./Count.ts";
import * as File from "./File.ts";
import { load } from "./Runproof.ts";
import { printable } from "./Screen.ts";

const REMEDY =
  "Nothing was written. Check which database this is (DATABASE_URL, --home); to keep both checkpoints, name another file.";

const kept = (path: string, what: string) =>
  new FileFailed({ path: printable(path), what, remedy: REMEDY });

/** The checkpoint of a note, without trusting it; null where it is none. */
export const parse = Effect.fnUntraced(function* (note: string) {
  const { parseCheckpoint } = yield* load(() => import("@runproof/proof/Checkpoint"));
  const { NoteInvalid } = yield* load(() => import("@runproof/proof/SignedNote"));
  try {
    return parseCheckpoint(note);
  } catch (error) {
    if (error instanceof NoteInvalid) return null;
    throw error;
  }
});

/** The checkpoint in a file, null where nothing is there to lose. A file that holds anything else is refused. */
export const readKept = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* File.bytesOf(path);
  if (bytes === null || bytes === 0) return null;
  const checkpoint = yield* parse(yield* File.read(path));
  if (checkpoint !== null) return checkpoint;
  return yield* new FileFailed({
    path: printable(path),
    what: "holds no checkpoint, and is not replaced by one",
    remedy: "Name another file, or move this one away.",
  });
});

/** Why a checkpoint may not take the place of a kept one; null where it may. */
const conflictOf = (held: Checkpoint, next: Checkpoint): string | null => {
  const size = ({ tree_size }: Checkpoint) => counted(tree_size, "entry", "entries");
  if (held.origin !== next.origin)
    return `holds a checkpoint of the log ${held.origin} (${size(held)}), and is not replaced by one of ${next.origin} (${size(next)})`;
  if (held.tree_size > next.tree_size)
    return `holds a checkpoint over ${size(held)} of ${held.origin}, and is not replaced by one over ${size(next)}`;
  if (held.tree_size === next.tree_size && held.root_hash !== next.root_hash)
    return `holds a checkpoint of ${held.origin} over as many entries with another root, and is not replaced`;
  return null;
};

/** Writes a checkpoint to a file, unless the file holds one of another log or of a larger tree, or no checkpoint at all. */
export const write = Effect.fnUntraced(function* (path: string, note: string) {
  const held = yield* readKept(path);
  const next = yield* parse(note);
  const conflict = held === null || next === null ? null : conflictOf(held, next);
  if (conflict !== null) return yield* kept(path, printable(conflict));
  yield* File.write(path, note);
});
