import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Makes a tenant; answers whether it is new. */
export const createTenant =
  ({ write: sql, description }: Database["Service"]) =>
  (tenant_id: string): Effect.Effect<boolean, DatabaseError> =>
    sql<{ is_new: boolean }>`
      select runproof_create_tenant(${tenant_id}) as is_new`.pipe(
      Effect.map(([row]) => row!.is_new),
      Effect.mapError(databaseError("createTenant", description)),
    );
