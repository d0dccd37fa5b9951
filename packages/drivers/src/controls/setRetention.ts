import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";
import type { Order } from "./setHold.ts";

/** How long a tenant's evidence is kept after its seal; null for ever. */
export interface Retention {
  readonly tenant_id: string;
  readonly keep_days: number | null;
}

/** Sets how long a tenant's evidence is kept. */
export const setRetention =
  ({ write: sql, description }: Database["Service"]) =>
  (
    { tenant_id, keep_days }: Retention,
    { actor, reason }: Order,
  ): Effect.Effect<void, ControlsError> =>
    sql`select runproof_set_retention(
          ${tenant_id}, ${keep_days === null ? null : BigInt(keep_days)}, ${actor}, ${reason})`.pipe(
      Effect.asVoid,
      Effect.mapError(controlsError("setRetention", description, { tenant_id, run_id: null })),
    );
