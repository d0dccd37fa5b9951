import type { StoredStep } from "@runproof/proof/StoredRun";
import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { forEachPage, type PagedQuery, type UsePage } from "../internal/postgres/forEachPage.ts";
import { stepColumns, storedStep, type StepRow } from "../internal/postgres/StepRow.ts";
import { STEPS } from "../internal/postgres/EvidenceTables.ts";

/**
 * Enough that a round trip is small beside the work on them, and few enough that a page is garbage while it is young: at
 * 1000, an audit of a million steps took half as much memory again.
 */
const PAGE_STEPS = 100;

/** What a step's large columns take, in bytes; a value that is stored out of line is not read for it. */
const stepBytes = `octet_length(record) + coalesce(octet_length(params), 0) + coalesce(octet_length(outcome_data), 0)
                   + coalesce(octet_length(attributes), 0)`;

/** Traces from one id to another, and whether the next page is read ahead. */
export interface StepRange extends Pick<PagedQuery, "ahead"> {
  readonly first: string;
  readonly last: string;
}

/** Which steps of one trace: some, from an index on. */
export interface StepsFrom {
  readonly from: number;
  readonly limit: number;
}

/** Reads the steps of the traces from one id to another, page by page, in the order of trace id and index. */
export const readSteps = <E, R>(
  sql: SqlClient,
  { first, last, ahead }: StepRange,
  use: UsePage<StoredStep, E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachPage<StepRow, E, R>(
    sql,
    {
      name: "steps_read",
      columns: stepColumns,
      source: sql`${sql.literal(STEPS)} s where trace_id >= ${first} and trace_id <= ${last}`,
      order: "trace_id, step_index",
      rows: PAGE_STEPS,
      bytes: stepBytes,
      ahead,
    },
    (rows) => use(rows.map(storedStep)),
  );

/** Reads up to `limit` steps of a trace from an index on, in the order of their index, giving `use` some at a time. */
export const readStepsFrom = <E, R>(
  sql: SqlClient,
  { trace_id, from, limit }: StepsFrom & { readonly trace_id: string },
  use: UsePage<StoredStep, E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  forEachPage<StepRow, E, R>(
    sql,
    {
      name: "steps_from_read",
      columns: stepColumns,
      source: sql`(
        select * from ${sql.literal(STEPS)} s
        where trace_id = ${trace_id} and step_index >= ${BigInt(from)}
        order by trace_id, step_index limit ${BigInt(limit)}) s`,
      order: "step_index",
      rows: PAGE_STEPS,
      bytes: stepBytes,
    },
    (rows) => use(rows.map(storedStep)),
  );
