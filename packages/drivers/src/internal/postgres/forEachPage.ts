import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { Fragment } from "effect/sql/Statement";

/**
 * Payloads may be large: a page ends with the row that brings it over this many bytes. Pages of 1 MiB are read no faster, and
 * an audit of them takes half as much memory again.
 */
const PAGE_BYTES = 256 * 1024;

/** A query to read page by page. The texts are this package's own, never a caller's. */
export interface PagedQuery {
  /** Of the cursor: each query has a name of its own. */
  readonly name: string;
  readonly columns: string;
  /** What follows `from`: the table and the condition. */
  readonly source: Fragment;
  readonly order: string;
  /** Most rows of a page. */
  readonly rows: number;
  /** An expression for what the row's large columns take, in bytes. */
  readonly bytes: string;
  /** Whether the next page is made ready while one is used: it holds two of them, and is for who reads alone. */
  readonly ahead?: boolean | undefined;
}

/** Takes a page of rows. */
export type UsePage<Row, E, R> = (rows: ReadonlyArray<Row>) => Effect.Effect<void, E, R>;

/** How many rows each page takes. */
const readPageLengths = (
  sql: SqlClient,
  { source, order, rows: page_rows, bytes }: PagedQuery,
): Effect.Effect<ReadonlyArray<number>, SqlError> =>
  sql<{ length: bigint }>`
    select count(*) as length
    from (
      select row_number() over by_order - 1 as row_before,
             sum(${sql.literal(bytes)}) over by_order - (${sql.literal(bytes)}) as bytes_before
      from ${source}
      window by_order as (order by ${sql.literal(order)} rows unbounded preceding)
    ) as places
    group by row_before / ${BigInt(page_rows)}, div(bytes_before, ${BigInt(PAGE_BYTES)})
    order by min(row_before)`.pipe(Effect.map((rows) => rows.map((row) => Number(row.length))));

const selectAll = (sql: SqlClient, { columns, source, order }: PagedQuery): Fragment =>
  sql`select ${sql.literal(columns)} from ${source} order by ${sql.literal(order)}`;

/**
 * Gives `use` every row of a query, page by page, in order: within a snapshot, which keeps the cursor. Pages by key would
 * hide rows that a broken key has twice, or null.
 */
export const forEachPage = <Row extends object, E, R>(
  sql: SqlClient,
  query: PagedQuery,
  use: UsePage<Row, E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  Effect.gen(function* () {
    const lengths = yield* readPageLengths(sql, query);
    if (lengths.length === 0) return;
    if (lengths.length === 1) return yield* use(yield* sql<Row>`${selectAll(sql, query)}`);
    const cursor = sql.literal(query.name);
    yield* sql`declare ${cursor} no scroll cursor for ${selectAll(sql, query)}`;
    // A prepared FETCH would keep the columns of the cursor that had this name before.
    const fetch = (length: number) =>
      sql<Row>`fetch ${sql.literal(String(length))} from ${cursor}`.unprepared;
    if (query.ahead === true) {
      const [first = 0, ...others] = lengths;
      let page = yield* fetch(first);
      for (const next of others)
        [, page] = yield* Effect.all([use(page), fetch(next)], { concurrency: 2 });
      yield* use(page);
    } else {
      for (const length of lengths) yield* use(yield* fetch(length));
    }
    yield* sql`close ${cursor}`;
  });
