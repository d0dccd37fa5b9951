import { LeaseLost, type DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import { databaseError } from "./sqlReason.ts";

/** Gives the holder of a running trace's lease that much time from now. */
export const renewLease =
  ({ sql, description }: Database["Service"]) =>
  (input: {
    readonly trace_id: string;
    readonly holder: string;
    readonly lease_ms: number;
  }): Effect.Effect<void, DatabaseError | LeaseLost> =>
    sql<{ renewed: boolean }>`
      select runproof_renew_lease(${input.trace_id}, ${input.holder}, ${BigInt(input.lease_ms)}) as renewed`.pipe(
      Effect.mapError(databaseError("renewLease", description)),
      Effect.flatMap(([row]) =>
        row?.renewed === true
          ? Effect.void
          : Effect.fail(new LeaseLost({ trace_id: input.trace_id })),
      ),
    );
