/** What every read of an audit has in common: one snapshot, and errors that say whether it is what is stored. */
import { type DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import type { UsePage } from "../internal/postgres/forEachPage.ts";
import { inUnpreparedSnapshot } from "../internal/postgres/snapshot.ts";
import { databaseError, sqlState } from "../internal/postgres/sqlReason.ts";

export type { UsePage };

/** What a read may fail with: `StoredDataUnreadable` is about what is stored, the others about reaching it. */
export type AuditReadError = DatabaseError | StoredDataUnreadable;

/** Classes of SQLSTATE that speak of what is stored: data that is corrupt or no such value, tables that are not as made. */
const STORED_CLASSES = ["XX", "22", "42"];

const readError = (operation: string, description: string) => {
  const otherwise = databaseError(operation, description);
  return (error: SqlError) =>
    STORED_CLASSES.includes(sqlState(error)?.slice(0, 2) ?? "")
      ? new StoredDataUnreadable({ where: operation, what: messageOf(error) })
      : otherwise(error);
};

const messageOf = ({ reason, message }: SqlError): string =>
  reason.cause instanceof Error ? reason.cause.message : message;

/** Maps the errors of a read; those of who uses what it reads pass through. */
export const auditRead =
  ({ description }: Database["Service"]) =>
  <A, E, R>(
    operation: string,
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<A, Exclude<E, SqlError> | AuditReadError, R> =>
    Effect.mapError(effect, (error) =>
      isSqlError(error)
        ? readError(operation, description)(error)
        : (error as Exclude<E, SqlError>),
    );

/** Runs reads in one REPEATABLE READ, read-only transaction: what changes meanwhile is not half seen. */
export const inAuditSnapshot =
  (database: Database["Service"]) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | AuditReadError, R> =>
    auditRead(database)("snapshot", inUnpreparedSnapshot(database.sql, effect));
