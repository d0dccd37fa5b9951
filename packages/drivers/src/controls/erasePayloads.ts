import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import type { RunName } from "../logs/readRun.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";

/** Erases the payloads of a sealed run that an erasure's EVENT record names, with their salts: all of them, or none. */
export const erasePayloads =
  ({ write: sql, description }: Database["Service"]) =>
  (run: RunName, event_record: string): Effect.Effect<number, ControlsError> =>
    sql<{ erased: bigint }>`
      select runproof_erase_payloads(${run.tenant_id}, ${run.run_id}, ${event_record}) as erased`.pipe(
      Effect.map(([row]) => Number(row!.erased)),
      Effect.mapError(controlsError("erasePayloads", description, run)),
    );
