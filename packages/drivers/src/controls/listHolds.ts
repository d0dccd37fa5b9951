import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";

/** A hold, in force until it is lifted. */
export interface Hold {
  readonly hold_id: number;
  readonly tenant_id: string;
  /** Null where all runs of the tenant are held. */
  readonly run_id: string | null;
  readonly actor: string;
  readonly reason: string;
  readonly set_at: string;
  readonly lifted_at: string | null;
}

/** Lists a tenant's holds, the newest first, those that were lifted too. */
export const listHolds =
  ({ sql, description }: Database["Service"]) =>
  (tenant_id: string): Effect.Effect<ReadonlyArray<Hold>, DatabaseError> =>
    sql<Omit<Hold, "hold_id"> & { readonly hold_id: bigint }>`
      select hold_id, tenant_id, run_id, actor, reason,
             ${sql.literal(timeText("set_at"))} as set_at, ${sql.literal(timeText("lifted_at"))} as lifted_at
      from aos_holds where tenant_id = ${tenant_id} order by hold_id desc`.pipe(
      Effect.map((rows) => rows.map((row) => ({ ...row, hold_id: Number(row.hold_id) }))),
      Effect.mapError(databaseError("listHolds", description)),
    );
