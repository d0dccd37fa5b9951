import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import type { Retention } from "./setRetention.ts";

/** A retention as it was set last. */
export interface SetRetention extends Retention {
  readonly actor: string;
  readonly reason: string;
  readonly set_at: string;
}

/** Lists the retention of each tenant that has one. */
export const listRetentions =
  ({ sql, description }: Database["Service"]) =>
  (): Effect.Effect<ReadonlyArray<SetRetention>, DatabaseError> =>
    sql<Omit<SetRetention, "keep_days"> & { readonly keep_days: bigint | null }>`
      select distinct on (tenant_id) tenant_id, keep_days, actor, reason, ${sql.literal(timeText("set_at"))} as set_at
      from aos_retentions order by tenant_id, retention_id desc`.pipe(
      Effect.map((rows) =>
        rows.map((row) => ({
          ...row,
          keep_days: row.keep_days === null ? null : Number(row.keep_days),
        })),
      ),
      Effect.mapError(databaseError("listRetentions", description)),
    );
