import type { StoredStep } from "@runproof/proof/StoredRun";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { STEPS } from "../internal/postgres/EvidenceTables.ts";
import { stepColumns, storedStep, type StepRow } from "../internal/postgres/StepRow.ts";

/** Reads one step of a trace; null where there is none, or more than one row claims to be it. */
export const readStep = (
  sql: SqlClient,
  { trace_id, step_index }: { readonly trace_id: string; readonly step_index: number },
): Effect.Effect<StoredStep | null, SqlError> =>
  sql<StepRow>`
    select ${sql.literal(stepColumns)}
    from ${sql.literal(STEPS)} s
    where trace_id = ${trace_id} and step_index = ${BigInt(step_index)}
    limit 2`.pipe(Effect.map((rows) => (rows.length === 1 ? storedStep(rows[0]!) : null)));
