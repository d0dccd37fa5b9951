import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";
import type { Order } from "./setHold.ts";

/** Lifts a hold of a tenant; answers whether there was one in force. */
export const liftHold =
  ({ write: sql, description }: Database["Service"]) =>
  (
    { tenant_id, hold_id }: { readonly tenant_id: string; readonly hold_id: number },
    { actor, reason }: Order,
  ): Effect.Effect<boolean, ControlsError> =>
    sql<{ was_held: boolean }>`
      select runproof_lift_hold(${tenant_id}, ${BigInt(hold_id)}, ${actor}, ${reason}) as was_held`.pipe(
      Effect.map(([row]) => row!.was_held),
      Effect.mapError(controlsError("liftHold", description, { tenant_id, run_id: null })),
    );
