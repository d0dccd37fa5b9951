import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError } from "effect/sql/SqlError";
import type { Database } from "../../Database.ts";
import { inTransaction } from "./inTransaction.ts";
import { databaseError } from "./sqlReason.ts";

/**
 * Runs `effect` with its writes as a role, in one transaction: all of them, or none. A login that may not take on that role is
 * `NotAuthorised`.
 */
export const asRole =
  (role: string, { write, description }: Database["Service"]) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseError, R> =>
    inTransaction(write, Effect.andThen(write.unsafe(`set local role ${role}`), effect)).pipe(
      Effect.mapError((error) =>
        isSqlError(error) ? databaseError(`as ${role}`, description)(error) : error,
      ),
    );
