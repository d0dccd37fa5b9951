import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { STEPS } from "./EvidenceTables.ts";

/** What is left of a run whose trace row is gone. */
export interface Remnants {
  readonly steps: number;
  /** The trace that the run's own row says it began; null where there is no such row, or it began none. */
  readonly trace_id: string | null;
}

/** Reads what is left of a run whose trace row is gone. */
export const readRemnants = (
  sql: SqlClient,
  { tenant_id, run_id }: { readonly tenant_id: string; readonly run_id: string },
): Effect.Effect<Remnants, SqlError> =>
  sql<{ steps: bigint; trace_id: string | null }>`
    select (select count(*) from ${sql.literal(STEPS)} s where tenant_id = ${tenant_id} and run_id = ${run_id}) as steps,
           (select trace_id from runs where tenant_id = ${tenant_id} and run_id = ${run_id}) as trace_id`.pipe(
    Effect.map(([row]) => ({ steps: Number(row!.steps), trace_id: row!.trace_id })),
  );
