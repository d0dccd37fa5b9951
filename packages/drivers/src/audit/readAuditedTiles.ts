import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { IS_INDEX } from "./readAuditedLogSize.ts";

/** A full tile as it is stored. */
export interface AuditedTile {
  readonly level: number;
  readonly tile_index: number;
  readonly hashes: Uint8Array;
  /** In hex. */
  readonly root: string;
}

type TileRow = Omit<AuditedTile, "tile_index"> & { readonly tile_index: bigint };

const auditedTile = (row: TileRow): AuditedTile => ({ ...row, tile_index: Number(row.tile_index) });

/** Reads full tiles of a level, from an index on. */
export const readAuditedTiles = (
  sql: SqlClient,
  { level, from, count }: { readonly level: number; readonly from: number; readonly count: number },
): Effect.Effect<ReadonlyArray<AuditedTile>, SqlError> =>
  sql<TileRow>`
    select level::int as level, tile_index, hashes, encode(root, 'hex') as root
    from aos_log_tiles
    where level = ${level}::smallint and tile_index >= ${BigInt(from)} and tile_index < ${BigInt(from + count)}
    order by tile_index`.pipe(Effect.map((rows) => rows.map(auditedTile)));

/** Most stray tiles that are named. */
const STRAY_TILES_MAX = 10;

/** Reads places of tiles that the log in this snapshot can't have: of levels that are not kept, or beyond its end. */
export const readStrayTiles = (
  sql: SqlClient,
): Effect.Effect<
  ReadonlyArray<{ readonly level: number; readonly tile_index: number }>,
  SqlError
> =>
  sql<{ level: number; tile_index: bigint }>`
    select level::int as level, tile_index
    from aos_log_tiles, (
      select coalesce(max(log_index) + 1, 0) as size from aos_log_entries where ${sql.literal(IS_INDEX)}) as log
    where level not between 0 and 7 or tile_index < 0
       or (tile_index::numeric + 1) * 256::numeric ^ (level + 1) > size
    order by level, tile_index
    limit ${BigInt(STRAY_TILES_MAX)}`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, tile_index: Number(row.tile_index) }))),
  );
