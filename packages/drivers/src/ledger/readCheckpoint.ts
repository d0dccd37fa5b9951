import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { NOTE_BYTES_MAX } from "../EvidenceLimits.ts";
import { boundedText } from "../internal/postgres/boundedText.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";

/** A checkpoint kept in the database, for convenience: trust comes from copies outside. */
export interface StoredCheckpoint {
  readonly origin: string;
  readonly tree_size: number;
  readonly root_hash: string;
  /** The signed note. */
  readonly note: string;
  readonly stored_at: string;
}

/** The last checkpoint of a page. */
export interface CheckpointPosition {
  readonly tree_size: bigint;
  readonly checkpoint_id: bigint;
}

/** Some kept checkpoints, of the largest trees first. */
export interface CheckpointPage {
  readonly checkpoints: ReadonlyArray<StoredCheckpoint>;
  /** Where the next page goes on; null where there is none. */
  readonly next: CheckpointPosition | null;
}

/** Checkpoints of one round trip: each is some hundred bytes. */
const CHECKPOINT_PAGE = 500;

const NOTE_COLUMNS = `${boundedText("origin", NOTE_BYTES_MAX)} as origin, tree_size, root_hash, ${boundedText("note", NOTE_BYTES_MAX)} as note`;

type CheckpointRow = Omit<StoredCheckpoint, "tree_size"> & { readonly tree_size: bigint };

const readFirst = (
  { sql, description }: Database["Service"],
  operation: string,
  rest: string,
  parameters: ReadonlyArray<bigint>,
): Effect.Effect<StoredCheckpoint | null, DatabaseError> =>
  sql
    .unsafe<CheckpointRow>(
      `select ${NOTE_COLUMNS}, ${timeText("stored_at")} as stored_at from aos_checkpoints ${rest}`,
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

type PagedRow = CheckpointRow & { readonly checkpoint_id: bigint };

/** Reads the kept checkpoints behind a position, those of the largest trees first. */
export const readCheckpointPage =
  ({ sql, description }: Database["Service"]) =>
  (after: CheckpointPosition | null): Effect.Effect<CheckpointPage, DatabaseError> =>
    sql
      .unsafe<PagedRow>(
        `select checkpoint_id, ${NOTE_COLUMNS}, ${timeText("stored_at")} as stored_at
         from aos_checkpoints
         ${after === null ? "" : "where (tree_size, checkpoint_id) < ($1, $2)"}
         order by tree_size desc, checkpoint_id desc limit ${CHECKPOINT_PAGE}`,
        after === null ? [] : [after.tree_size, after.checkpoint_id],
      )
      .pipe(
        Effect.map((rows) => ({
          checkpoints: rows.map((row) => {
            const { checkpoint_id: _, tree_size, ...checkpoint } = row;
            return { ...checkpoint, tree_size: Number(tree_size) };
          }),
          next: rows.length < CHECKPOINT_PAGE ? null : (rows.at(-1) ?? null),
        })),
        Effect.mapError(databaseError("readCheckpointPage", description)),
      );
