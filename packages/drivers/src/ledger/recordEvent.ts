import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { type Database, SIGNER_ROLE } from "../Database.ts";
import { asRole } from "../internal/postgres/asRole.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Queues the EVENT entry of a key's change with its record, as the signer's role. */
export const recordEvent =
  (database: Database["Service"]) =>
  (record: string): Effect.Effect<void, DatabaseError> =>
    database.write`select runproof_log_event(${record})`.pipe(
      Effect.asVoid,
      Effect.mapError(databaseError("recordEvent", database.description)),
      asRole(SIGNER_ROLE, database),
    );
