import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { AuditedTile } from "../../AuditStore.ts";

/** Tiles of one round trip: two megabytes. */
export const TILE_PAGE = 256;

/** Reads full tiles of a level, from an index on. */
export const readAuditedTiles = (
  sql: SqlClient,
  { level, from }: { readonly level: number; readonly from: number },
): Effect.Effect<ReadonlyArray<AuditedTile>, SqlError> =>
  sql<Omit<AuditedTile, "tile_index"> & { readonly tile_index: bigint }>`
    select level::int as level, tile_index, hashes, encode(root, 'hex') as root
    from aos_log_tiles
    where level = ${level}::smallint and tile_index >= ${BigInt(from)}
    order by tile_index
    limit ${BigInt(TILE_PAGE)}`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, tile_index: Number(row.tile_index) }))),
  );
