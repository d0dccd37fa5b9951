import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

import { textArray } from "../internal/postgres/textArray.ts";

/** What of a key is kept. */
export interface CreateApiKey {
  /** The part of the key that names it. */
  readonly key_id: string;
  readonly tenant_id: string;
  readonly name: string;
  readonly scopes: ReadonlyArray<string>;
  /** SHA-256 of the secret part, in hex. */
  readonly secret_hash: string;
  /** RFC 3339; null for a key that does not expire. */
  readonly expires_at: string | null;
}

/** Stores a key; answers whether there is such a tenant. */
export const createApiKey =
  ({ write: sql, description }: Database["Service"]) =>
  (key: CreateApiKey): Effect.Effect<boolean, DatabaseError> =>
    sql<{ is_made: boolean }>`
      select runproof_create_api_key(
        ${key.key_id}, ${key.tenant_id}, ${key.name}, ${textArray(key.scopes)}, ${key.secret_hash}, ${key.expires_at}::text::timestamptz
      ) as is_made`.pipe(
      Effect.map(([row]) => row!.is_made),
      Effect.mapError(databaseError("createApiKey", description)),
    );
