import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";
import type { Order } from "./setHold.ts";

/** What a tenant's runs may be limited in. */
export const LIMIT_KINDS = [
  "steps_per_run",
  "cost_cents_per_run",
  "duration_ms_per_run",
  "retries_per_run",
  "runs_per_minute",
  "concurrent_runs",
] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/** A limit of a tenant's; without a value there is none. */
export interface Limit {
  readonly kind: LimitKind;
  readonly value: number | null;
}

/** Sets a limit of a tenant's. */
export const setLimit =
  ({ write: sql, description }: Database["Service"]) =>
  (
    { tenant_id, kind, value }: Limit & { readonly tenant_id: string },
    { actor, reason }: Order,
  ): Effect.Effect<void, ControlsError> =>
    sql`select runproof_set_limit(${tenant_id}, ${kind}, ${value}, ${actor}, ${reason})`.pipe(
      Effect.asVoid,
      Effect.mapError(controlsError("setLimit", description, { tenant_id, run_id: null })),
    );
