import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { StoredCheckpoint } from "../../LogStore.ts";
import { databaseError } from "./sqlReason.ts";
import { timeText } from "./timeText.ts";

type CheckpointRow = Omit<StoredCheckpoint, "tree_size"> & { readonly tree_size: bigint };

const readFirst = (
  { sql, description }: Database["Service"],
  operation: string,
  rest: string,
  parameters: ReadonlyArray<bigint>,
): Effect.Effect<StoredCheckpoint | null, DatabaseError> =>
  sql
    .unsafe<CheckpointRow>(
      `select origin, tree_size, root_hash, note, ${timeText("stored_at")} as stored_at from aos_checkpoints ${rest}`,
      parameters,
    )
    .pipe(
      Effect.map(([row]) =>
        row === undefined ? null : { ...row, tree_size: Number(row.tree_size) },
      ),
      Effect.mapError(databaseError(operation, description)),
    );

/** Reads the kept checkpoint of the largest tree; null where there is none. */
export const readLatestCheckpoint = (
  database: Database["Service"],
): Effect.Effect<StoredCheckpoint | null, DatabaseError> =>
  readFirst(
    database,
    "readLatestCheckpoint",
    "order by tree_size desc, checkpoint_id desc limit 1",
    [],
  );

/** Reads the checkpoint kept last of a tree of some size; null where there is none. */
export const readCheckpointOfSize =
  (database: Database["Service"]) =>
  (tree_size: number): Effect.Effect<StoredCheckpoint | null, DatabaseError> =>
    readFirst(
      database,
      "readCheckpointOfSize",
      "where tree_size = $1 order by checkpoint_id desc limit 1",
      [BigInt(tree_size)],
    );
