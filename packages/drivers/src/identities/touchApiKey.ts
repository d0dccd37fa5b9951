import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Notes that a key is used, to the minute. */
export const touchApiKey =
  ({ write: sql, description }: Database["Service"]) =>
  (key_id: string): Effect.Effect<void, DatabaseError> =>
    sql`select runproof_touch_api_key(${key_id})`.pipe(
      Effect.asVoid,
      Effect.mapError(databaseError("touchApiKey", description)),
    );
