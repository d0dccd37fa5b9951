import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { RunStatus } from "../../RunStore.ts";
import { databaseError } from "./sqlReason.ts";
import { isStorable } from "./storableText.ts";

/** Reads where a run stands; null where it is not stored. */
export const readRunStatus =
  ({ sql, description }: Database["Service"]) =>
  (input: {
    readonly run_id: string;
    readonly tenant_id: string;
  }): Effect.Effect<RunStatus | null, DatabaseError> =>
    !isStorable(input.run_id) || !isStorable(input.tenant_id)
      ? Effect.succeed(null)
      : sql<{ status: RunStatus }>`
      select status from runs where tenant_id = ${input.tenant_id} and run_id = ${input.run_id}`.pipe(
          Effect.map(([row]) => row?.status ?? null),
          Effect.mapError(databaseError("readRunStatus", description)),
        );
