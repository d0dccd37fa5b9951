import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { NOTE_BYTES_MAX } from "../EvidenceLimits.ts";
import { boundedText } from "../internal/postgres/boundedText.ts";

/** Which checkpoints cover an entry. */
export interface CheckpointsOver {
  /** Whether any does, of whatever origin. */
  readonly is_covered: boolean;
  /** Whether there are any of the origin, of whatever size. */
  readonly has_origin: boolean;
  /** Those of the origin that cover it with the smallest tree. */
  readonly notes: ReadonlyArray<string>;
}

/** Most notes of one tree that are looked at: the signer makes one, and a process that was cut off another. */
const NOTES_MAX = 16;

/** Reads which checkpoints cover an entry: the first ones of one origin, and whether there are any of it, or any at all. */
export const readCheckpointsOver = (
  sql: SqlClient,
  { log_index, origin }: { readonly log_index: number; readonly origin: string | null },
): Effect.Effect<CheckpointsOver, SqlError> =>
  Effect.gen(function* () {
    const over = sql`tree_size > ${BigInt(log_index)}`;
    const [known] = yield* sql<{ is_covered: boolean; has_origin: boolean }>`
      select exists (select from aos_checkpoints where ${over}) as is_covered,
             exists (select from aos_checkpoints where origin = ${origin}) as has_origin`;
    const notes = yield* sql<{ note: string }>`
      select ${sql.literal(boundedText("note", NOTE_BYTES_MAX))} as note from aos_checkpoints
      where origin = ${origin} and tree_size = (
        select tree_size from aos_checkpoints where ${over} and origin = ${origin} order by tree_size, checkpoint_id limit 1)
      order by checkpoint_id
      limit ${BigInt(NOTES_MAX)}`;
    return { ...known!, notes: notes.map(({ note }) => note) };
  });
