import type { StoredStep } from "@runproof/proof/StoredRun";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { StepPosition } from "../../AuditStore.ts";
import { stepColumns, storedStep, type StepRow } from "./StepRow.ts";
import { textArray } from "./textArray.ts";

/** Rows of one round trip: some megabytes of usual steps. */
const STEP_PAGE = 1000;

/** Reads a page of the steps of some traces, in the order of trace id and index. */
export const readAuditedSteps = (
  sql: SqlClient,
  {
    trace_ids,
    after,
  }: { readonly trace_ids: ReadonlyArray<string>; readonly after: StepPosition | null },
): Effect.Effect<ReadonlyArray<StoredStep>, SqlError> =>
  sql<StepRow>`
    select ${sql.literal(stepColumns)}
    from aos_trace_steps
    where trace_id = any(${textArray(trace_ids)})
      and (trace_id, step_index) > (${after?.trace_id ?? ""}::text, ${BigInt(after?.step_index ?? -1)}::bigint)
    order by trace_id, step_index
    limit ${BigInt(STEP_PAGE)}`.pipe(Effect.map((rows) => rows.map(storedStep)));
