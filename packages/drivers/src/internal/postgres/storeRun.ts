import { InvalidInput, RunExists, type DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { StoreRun } from "../../RunStore.ts";
import { databaseError, sqlState } from "./sqlReason.ts";

const DATA_EXCEPTION = "22";

/** Stores a run as `queued`, with its plan. */
export const storeRun =
  ({ sql, description }: Database["Service"]) =>
  (run: StoreRun): Effect.Effect<void, DatabaseError | InvalidInput | RunExists> =>
    sql`
      select runproof_store_run(
        ${run.tenant_id}, ${run.run_id}, ${run.agent_id}, ${run.origin_system_id}, ${run.goal}, ${run.plan}
      )`.pipe(
      Effect.asVoid,
      Effect.mapError((error) => {
        if (error.reason._tag === "UniqueViolation")
          return new RunExists({ run_id: run.run_id, tenant_id: run.tenant_id });
        if (sqlState(error)?.startsWith(DATA_EXCEPTION) === true) {
          return new InvalidInput({
            what: error.message,
            where: `run ${run.run_id}`,
            remedy: "Leave out characters that PostgreSQL's text can't hold, such as U+0000.",
          });
        }
        return databaseError("storeRun", description)(error);
      }),
    );
