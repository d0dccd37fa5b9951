import type { StoredStep } from "@runproof/proof/StoredRun";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { stepColumns, storedStep, type StepRow } from "./StepRow.ts";

/**
 * Reads all steps of a trace in order, in one statement: pages by index would hide a row whose index is negative, null or
 * there twice.
 */
export const readSteps = (
  sql: SqlClient,
  trace_id: string,
): Effect.Effect<ReadonlyArray<StoredStep>, SqlError> =>
  sql<StepRow>`
    select ${sql.literal(stepColumns)}
    from aos_trace_steps
    where trace_id = ${trace_id}
    order by step_index`.pipe(Effect.map((rows) => rows.map(storedStep)));
