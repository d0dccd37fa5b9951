import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Counts the steps of a run whose trace row is gone. */
export const countOrphanSteps = (
  sql: SqlClient,
  { tenant_id, run_id }: { readonly tenant_id: string; readonly run_id: string },
): Effect.Effect<number, SqlError> =>
  sql<{ steps: bigint }>`
    select count(*) as steps from aos_trace_steps where tenant_id = ${tenant_id} and run_id = ${run_id}`.pipe(
    Effect.map(([row]) => Number(row!.steps)),
  );
