import { type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { SqlClient } from "effect/sql/SqlClient";
import { isSqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { inTransaction } from "../internal/postgres/inTransaction.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** The transaction in which writes are meant to stand or fall together: one that `joined` opened, and none inside it. */
const Joined = Context.Reference<unknown>("@runproof/drivers/joinedTransaction", {
  defaultValue: () => null,
});

/** The clients of one database: what writes, and what reads, which may be one. */
type Clients = Pick<Database["Service"], "sql" | "write">;

const transactionOf = (client: SqlClient): Effect.Effect<unknown> =>
  Effect.map(Effect.serviceOption(client.transactionService), Option.getOrNull);

const openTransaction = ({ sql, write }: Clients): Effect.Effect<unknown> =>
  Effect.flatMap(transactionOf(write), (open) =>
    open === null && sql !== write ? transactionOf(sql) : Effect.succeed(open),
  );

/** Whether a transaction of the caller's is open. */
export const isInTransaction = (clients: Clients): Effect.Effect<boolean> =>
  Effect.map(openTransaction(clients), (open) => open !== null);

const takenBack = () =>
  new InvalidInput({
    what: "this runs inside a transaction of Database.sql, which could take back what is recorded",
    where: "the caller",
    remedy: "Record runs outside of Database.sql.withTransaction.",
  });

/** Fails in any transaction of `sql`: what is acknowledged there is not durable, and may never be. */
export const outsideTransactions = (clients: Clients): Effect.Effect<void, InvalidInput> =>
  Effect.flatMap(openTransaction(clients), (open) =>
    open === null ? Effect.void : Effect.fail(takenBack()),
  );

/** Refuses a write that would join a transaction which does not mean it to. */
export const unlessForeign =
  (clients: Clients) =>
  <A, E, R>(write: Effect.Effect<A, E, R>): Effect.Effect<A, E | InvalidInput, R> =>
    Effect.gen(function* () {
      const open = yield* openTransaction(clients);
      if (open !== null && open !== (yield* Joined)) return yield* takenBack();
      return yield* write;
    });

/** Runs `effect` in one transaction that the writes inside join. In one that is foreign to them they stay refused. */
export const atomically =
  (database: Database["Service"]) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseError, R> =>
    Effect.gen(function* () {
      const { write } = database;
      const outer = yield* openTransaction(database);
      if (outer !== null && outer !== (yield* Joined)) return yield* inTransaction(write, effect);
      return yield* inTransaction(
        write,
        Effect.flatMap(transactionOf(write), (own) => Effect.provideService(effect, Joined, own)),
      );
    }).pipe(
      Effect.mapError((error) =>
        isSqlError(error) ? databaseError("atomically", database.description)(error) : error,
      ),
    );
