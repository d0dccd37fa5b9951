import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** What a key that was shown is checked against. */
export interface FoundApiKey {
  readonly tenant_id: string;
  readonly secret_hash: string;
  readonly scopes: ReadonlyArray<string>;
  /** Neither revoked nor expired, by the database's clock. */
  readonly is_live: boolean;
}

/** Finds a key by the part that names it; null where there is none. */
export const findApiKey =
  ({ sql, description }: Database["Service"]) =>
  (key_id: string): Effect.Effect<FoundApiKey | null, DatabaseError> =>
    sql<FoundApiKey>`
      select tenant_id, secret_hash, scopes, is_live from runproof_find_api_key(${key_id})`.pipe(
      Effect.map(([row]) => row ?? null),
      Effect.mapError(databaseError("findApiKey", description)),
    );
