import type { StoredStep } from "@runproof/proof/StoredRun";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { stepColumns, storedStep, type StepRow } from "./StepRow.ts";

/** Rows of one round trip: some megabytes of usual steps. */
export const STEP_PAGE = 1000;

/** Reads up to `STEP_PAGE` steps of a trace above an index (-1 from the start), in order. */
export const readSteps = (
  sql: SqlClient,
  { trace_id, above }: { readonly trace_id: string; readonly above: number },
): Effect.Effect<ReadonlyArray<StoredStep>, SqlError> =>
  sql<StepRow>`
    select ${sql.literal(stepColumns)}
    from aos_trace_steps
    where trace_id = ${trace_id} and step_index > ${BigInt(above)}
    order by step_index
    limit ${BigInt(STEP_PAGE)}`.pipe(Effect.map((rows) => rows.map(storedStep)));
