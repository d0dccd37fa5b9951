import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { preferScans } from "../internal/postgres/preferScans.ts";

/** An index by which rows are not found that are there. */
export interface IndexGap {
  readonly table: string;
  /** The column that it is read by. */
  readonly by: string;
  /** Rows that are there, and rows that it finds. */
  readonly rows: number;
  readonly found: number;
}

/** How each index is read by an audit: a condition that only it can answer, and that holds for every row. */
const READ = [
  { table: "aos_traces", by: "trace_id", is_any: "trace_id >= '' or trace_id is null" },
  { table: "aos_traces_archive", by: "trace_id", is_any: "trace_id >= '' or trace_id is null" },
  {
    table: "aos_trace_steps_archive",
    by: "trace_id",
    is_any: "trace_id >= '' or trace_id is null",
  },
  { table: "aos_trace_steps", by: "trace_id", is_any: "trace_id >= '' or trace_id is null" },
  {
    table: "aos_log_entries",
    by: "log_index",
    is_any: "log_index >= -9223372036854775808 or log_index is null",
  },
  { table: "aos_log_entries", by: "trace_id", is_any: "trace_id >= '' or trace_id is null" },
] as const;

const countBy = (sql: SqlClient, table: string, is_any: string) =>
  sql<{ rows: bigint }>`
    select (${sql.literal(
      is_any
        .split(" or ")
        .map((is) => `(select count(*) from ${table} where ${is})`)
        .join(" + "),
    )})::bigint as rows`.pipe(Effect.map(([row]) => Number(row!.rows)));

const countAll = (sql: SqlClient, table: string) =>
  sql<{ rows: bigint }>`select count(*) as rows from ${sql(table)}`.pipe(
    Effect.map(([row]) => Number(row!.rows)),
  );

/**
 * Counts, in one snapshot, the rows that are there and those that the indexes find which an audit reads by. How it counts
 * stays set until the snapshot ends.
 */
export const readIndexGaps = (sql: SqlClient): Effect.Effect<ReadonlyArray<IndexGap>, SqlError> =>
  Effect.gen(function* () {
    const gaps: Array<IndexGap> = [];
    for (const { table, by, is_any } of READ) {
      yield* preferScans(sql, "table");
      const rows = yield* countAll(sql, table);
      yield* preferScans(sql, "index");
      const found = yield* countBy(sql, table, is_any);
      if (rows !== found) gaps.push({ table, by, rows, found });
    }
    return gaps;
  });
