import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

import { timeText } from "../internal/postgres/timeText.ts";

/** A tenant. */
export interface Tenant {
  readonly tenant_id: string;
  readonly created_at: string;
}

/** Lists the tenants by their ids. */
export const listTenants =
  ({ sql, description }: Database["Service"]) =>
  (): Effect.Effect<ReadonlyArray<Tenant>, DatabaseError> =>
    sql<Tenant>`
      select tenant_id, ${sql.literal(timeText("created_at"))} as created_at
      from aos_tenants order by tenant_id`.pipe(
      Effect.mapError(databaseError("listTenants", description)),
    );
