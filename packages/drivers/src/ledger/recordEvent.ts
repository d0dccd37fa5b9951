import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Queues an EVENT entry with its record. */
export const recordEvent =
  ({ write: sql, description }: Database["Service"]) =>
  (record: string): Effect.Effect<void, DatabaseError> =>
    sql`select runproof_log_event(${record})`.pipe(
      Effect.asVoid,
      Effect.mapError(databaseError("recordEvent", description)),
    );
