import * as PgTypes from "@effect/sql-pg/PgTypes";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** A full tile's place: `level` counts tiles, eight tree levels each. */
export interface TilePlace {
  readonly level: number;
  readonly tile_index: number;
}

/** A full tile's 256 hashes, 32 bytes each, one after another. */
export interface StoredTile extends TilePlace {
  readonly hashes: Uint8Array;
}

const integers = (values: ReadonlyArray<number>) =>
  Result.getOrThrow(PgTypes.array(values.map(BigInt), PgTypes.OID.int8));

/** Reads full tiles; one that is not full is not there. */
export const readLogTiles = (
  sql: SqlClient,
  places: ReadonlyArray<TilePlace>,
): Effect.Effect<ReadonlyArray<StoredTile>, SqlError> =>
  sql<{ level: number; tile_index: bigint; hashes: Uint8Array }>`
    select t.level::int as level, t.tile_index, t.hashes
    from aos_log_tiles t
    join unnest(${integers(places.map((place) => place.level))}::bigint[], ${integers(places.map((place) => place.tile_index))}::bigint[])
      as wanted(level, tile_index) on wanted.level = t.level and wanted.tile_index = t.tile_index`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, tile_index: Number(row.tile_index) }))),
  );

/** Reads the roots of full tiles of a level from an index on, at most 256: the hashes of a tile above that is not full. */
export const readLogTileRoots = (
  sql: SqlClient,
  { level, from }: { readonly level: number; readonly from: number },
): Effect.Effect<ReadonlyArray<{ readonly tile_index: number; readonly root: string }>, SqlError> =>
  sql<{ tile_index: bigint; root: string }>`
    select tile_index, encode(root, 'hex') as root
    from aos_log_tiles
    where level = ${level}::smallint and tile_index >= ${BigInt(from)} and tile_index < ${BigInt(from + 256)}
    order by tile_index`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, tile_index: Number(row.tile_index) }))),
  );
