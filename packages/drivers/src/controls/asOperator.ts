import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError } from "effect/sql/SqlError";
import { type Database, OPERATOR_ROLE } from "../Database.ts";
import { inTransaction } from "../internal/postgres/inTransaction.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/**
 * Runs `effect` with its writes as the operator's role, in one transaction: all of them, or none. A login that may not take on
 * that role is `NotAuthorised`.
 */
export const asOperator =
  ({ write, description }: Database["Service"]) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseError, R> =>
    inTransaction(
      write,
      Effect.andThen(write.unsafe(`set local role ${OPERATOR_ROLE}`), effect),
    ).pipe(
      Effect.mapError((error) =>
        isSqlError(error) ? databaseError("asOperator", description)(error) : error,
      ),
    );
