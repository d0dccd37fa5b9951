import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import type { RunName } from "./readRun.ts";

/** How a run that is taken stands. */
export interface RunState {
  /** `queued`, `running`, `succeeded`, `failed` or `aborted`. */
  readonly status: string;
  /** Null while it has no seal, and once its evidence was deleted. */
  readonly step_count: number | null;
  readonly is_deleted: boolean;
}

/** Reads how a run stands, in the transaction that is open; null where its id is free. */
export const readRunState =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  ({ tenant_id, run_id }: RunName): Effect.Effect<RunState | null, DatabaseError> =>
    sql<Omit<RunState, "step_count"> & { readonly step_count: bigint | null }>`
      select r.status, t.step_count, r.deleted_at is not null as is_deleted
      from runs r
      left join ${sql.literal(TRACES)} t on t.tenant_id = r.tenant_id and t.run_id = r.run_id
      where r.tenant_id = ${tenant_id} and r.run_id = ${run_id}`.pipe(
      Effect.map(([row]) =>
        row === undefined
          ? null
          : { ...row, step_count: row.step_count === null ? null : Number(row.step_count) },
      ),
      Effect.mapError(databaseError("readRunState", description)),
    );
