import type { ControlsError, RunRefused } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";

/** Records that a run was not begun, for its tenant has as many as its limits allow. */
export const recordRefusal =
  ({ write: sql, description }: Database["Service"]) =>
  (refused: RunRefused): Effect.Effect<void, ControlsError> =>
    sql`select runproof_record_refusal(
          ${refused.tenant_id}, ${refused.run_id}, ${refused.kind}, ${refused.value}, ${refused.observed})`.pipe(
      Effect.asVoid,
      Effect.mapError(controlsError("recordRefusal", description, refused)),
    );
