import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

import { timeText } from "../internal/postgres/timeText.ts";

/** A key as it may be shown. */
export interface ApiKey {
  readonly key_id: string;
  readonly tenant_id: string;
  readonly name: string;
  readonly scopes: ReadonlyArray<string>;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  /** To the minute. */
  readonly last_used_at: string | null;
}

/** Lists the keys of a tenant, or of all, the newest first. */
export const listApiKeys =
  ({ sql, description }: Database["Service"]) =>
  (tenant_id: string | null): Effect.Effect<ReadonlyArray<ApiKey>, DatabaseError> =>
    sql<ApiKey>`
      select key_id, tenant_id, name, scopes,
             ${sql.literal(timeText("created_at"))} as created_at, ${sql.literal(timeText("expires_at"))} as expires_at,
             ${sql.literal(timeText("revoked_at"))} as revoked_at, ${sql.literal(timeText("last_used_at"))} as last_used_at
      from aos_api_keys
      where ${tenant_id}::text is null or tenant_id = ${tenant_id}
      order by aos_api_keys.created_at desc, key_id`.pipe(
      Effect.mapError(databaseError("listApiKeys", description)),
    );
