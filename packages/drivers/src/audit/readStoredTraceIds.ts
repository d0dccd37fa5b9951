import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";
import type { UsePage } from "../internal/postgres/forEachPage.ts";
import { preferScans } from "../internal/postgres/preferScans.ts";

/** Ids of one fetch: some hundred kilobytes. */
const PAGE_IDS = 5000;

/**
 * Gives `use` the id of every trace as the tables hold them, in no order: by no index and no comparison, which is how all else
 * is read. Within a snapshot of its own, which reads on so until it ends.
 */
export const readStoredTraceIds = <E, R>(
  sql: SqlClient,
  use: UsePage<string, E, R>,
): Effect.Effect<void, E | SqlError, R> =>
  Effect.gen(function* () {
    yield* preferScans(sql, "table");
    yield* sql`declare stored_trace_ids no scroll cursor for
      select trace_id from ${sql.literal(TRACES)} t where trace_id is not null`;
    for (;;) {
      const page = yield* sql<{ trace_id: string }>`
        fetch ${sql.literal(String(PAGE_IDS))} from stored_trace_ids`.unprepared;
      if (page.length === 0) break;
      yield* use(page.map(({ trace_id }) => trace_id));
    }
    yield* sql`close stored_trace_ids`;
  });
