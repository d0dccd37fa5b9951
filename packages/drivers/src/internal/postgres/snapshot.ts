import * as Effect from "effect/Effect";
import { BeginTransaction, type SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Runs reads in one transaction that sees one state of the database, whatever is written meanwhile. */
export const inSnapshot = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  Effect.provideService(
    sql.withTransaction(effect),
    BeginTransaction,
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
  );
