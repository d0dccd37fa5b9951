import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Order } from "../controls/setHold.ts";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";

/** Puts a policy's canonical text in force as the tenant's next version; answers which. */
export const setPolicy =
  ({ write: sql, description }: Database["Service"]) =>
  (
    { tenant_id, document }: { readonly tenant_id: string; readonly document: string },
    { actor, reason }: Order,
  ): Effect.Effect<number, ControlsError> =>
    sql<{ version: bigint }>`
      select runproof_set_policy(${tenant_id}, ${document}, ${actor}, ${reason}) as version`.pipe(
      Effect.map(([row]) => Number(row!.version)),
      Effect.mapError(controlsError("setPolicy", description, { tenant_id, run_id: null })),
    );
