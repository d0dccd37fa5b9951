import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { StoredCheckpoint } from "../../LogStore.ts";
import { databaseError } from "./sqlReason.ts";

/** Reads the kept checkpoint of the largest tree; null where there is none. */
export const readLatestCheckpoint = ({
  sql,
  description,
}: Database["Service"]): Effect.Effect<StoredCheckpoint | null, DatabaseError> =>
  sql<Omit<StoredCheckpoint, "tree_size"> & { readonly tree_size: bigint }>`
    select origin, tree_size, root_hash, note,
           to_char(stored_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as stored_at
    from aos_checkpoints
    order by tree_size desc, checkpoint_id desc
    limit 1`.pipe(
    Effect.map(([row]) =>
      row === undefined ? null : { ...row, tree_size: Number(row.tree_size) },
    ),
    Effect.mapError(databaseError("readLatestCheckpoint", description)),
  );
