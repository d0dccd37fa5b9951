import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Revokes a key for good; answers whether there is such a key. */
export const revokeApiKey =
  ({ write: sql, description }: Database["Service"]) =>
  (key_id: string): Effect.Effect<boolean, DatabaseError> =>
    sql<{ is_known: boolean }>`
      select runproof_revoke_api_key(${key_id}) as is_known`.pipe(
      Effect.map(([row]) => row!.is_known),
      Effect.mapError(databaseError("revokeApiKey", description)),
    );
