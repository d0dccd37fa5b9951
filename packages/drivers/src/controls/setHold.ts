import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";

/** Who asks for an operation, and why. */
export interface Order {
  readonly actor: string;
  readonly reason: string;
}

/** A tenant's run, or all of its runs where none is named. */
export interface HoldScope {
  readonly tenant_id: string;
  readonly run_id: string | null;
}

/** Sets a hold; answers its id. */
export const setHold =
  ({ write: sql, description }: Database["Service"]) =>
  (scope: HoldScope, { actor, reason }: Order): Effect.Effect<number, ControlsError> =>
    sql<{ hold_id: bigint }>`
      select runproof_set_hold(${scope.tenant_id}, ${scope.run_id}, ${actor}, ${reason}) as hold_id`.pipe(
      Effect.map(([row]) => Number(row!.hold_id)),
      Effect.mapError(controlsError("setHold", description, scope)),
    );
