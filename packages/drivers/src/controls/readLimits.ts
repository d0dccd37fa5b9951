import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import type { LimitKind } from "./setLimit.ts";

/** A limit that is in force. */
export interface LimitInForce {
  readonly kind: LimitKind;
  readonly value: number;
}

/** Reads a tenant's limits that are in force. */
export const readLimits =
  ({ sql, description }: Database["Service"]) =>
  (tenant_id: string): Effect.Effect<ReadonlyArray<LimitInForce>, DatabaseError> =>
    sql<LimitInForce>`
      select kind, value from (
        select distinct on (kind) kind, value from aos_limits where tenant_id = ${tenant_id} order by kind, limit_id desc
      ) as newest
      where value is not null order by kind`.pipe(
      Effect.mapError(databaseError("readLimits", description)),
    );
