import type * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import { isSqlError, type SqlError } from "effect/sql/SqlError";

/**
 * Runs `effect` in a transaction. Where taking it back fails too, for the connection is gone, the error stays the one that
 * it was taken back for; the client would make a defect of the second one and forget the first.
 */
export const inTransaction = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  Effect.suspend(() => {
    let why: Cause.Cause<E> | null = null;
    const noted = Effect.tapCause(effect, (cause) =>
      Effect.sync(() => {
        why = cause;
      }),
    );
    return Effect.catchDefect(
      sql.withTransaction(noted),
      (defect): Effect.Effect<never, E | SqlError> => {
        if (!isSqlError(defect)) return Effect.die(defect);
        return why === null ? Effect.fail(defect) : Effect.failCause(why);
      },
    );
  });
