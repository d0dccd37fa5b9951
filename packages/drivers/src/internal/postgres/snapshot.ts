import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { BeginTransaction, type SqlClient } from "effect/sql/SqlClient";
import type { Connection } from "effect/sql/SqlConnection";
import type { SqlError } from "effect/sql/SqlError";
import { inTransaction } from "./inTransaction.ts";

/** Runs reads in one transaction that sees one state of the database, whatever is written meanwhile. */
export const inSnapshot = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  Effect.provideService(
    inTransaction(sql, effect),
    BeginTransaction,
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
  );

/**
 * The same with no statement prepared. Of a connection that lasts, a prepared one fails for ever once a column was changed,
 * which is just what an audit is there to tell.
 */
export const inUnpreparedSnapshot = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, R> =>
  inSnapshot(
    sql,
    Effect.flatMap(Effect.serviceOption(sql.transactionService), (transaction) => {
      if (Option.isNone(transaction)) return Effect.die("a snapshot is a transaction");
      const [connection, ...rest] = transaction.value;
      return Effect.provideService(effect, sql.transactionService, [
        unprepared(connection),
        ...rest,
      ]);
    }),
  );

const unprepared = (connection: Connection): Connection => ({
  execute: (...statement) => connection.executeUnprepared(...statement),
  executeUnprepared: (...statement) => connection.executeUnprepared(...statement),
  executeValues: (...statement) => connection.executeValuesUnprepared(...statement),
  executeValuesUnprepared: (...statement) => connection.executeValuesUnprepared(...statement),
  executeRaw: (...statement) => connection.executeRaw(...statement),
  executeStream: (...statement) => connection.executeStream(...statement),
});
