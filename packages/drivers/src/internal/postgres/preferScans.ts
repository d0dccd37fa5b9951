import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Makes the server read tables by themselves or by their indexes, until the transaction ends. Where there is no index, its way is the table's too. */
export const preferScans = (
  sql: SqlClient,
  way: "table" | "index",
): Effect.Effect<unknown, SqlError> =>
  sql.unsafe(
    `select set_config('enable_seqscan', '${way === "table" ? "on" : "off"}', true),
            set_config('enable_indexscan', '${way === "table" ? "off" : "on"}', true),
            set_config('enable_indexonlyscan', '${way === "table" ? "off" : "on"}', true),
            set_config('enable_bitmapscan', 'off', true)`,
  );
