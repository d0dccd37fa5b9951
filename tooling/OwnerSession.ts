/** What tests do to a database as the login itself, past the role that the product's sessions take on. */
import * as PgClient from "@effect/sql-pg/PgClient";
import * as Effect from "effect/Effect";
import * as Reactivity from "effect/reactivity/Reactivity";
import type * as Redacted from "effect/Redacted";
import { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** As much of an open `Database` as it takes. */
interface Opened {
  readonly config:
    | { readonly kind: "server"; readonly url: Redacted.Redacted }
    | { readonly kind: "embedded" };
  readonly sql: SqlClient;
}

/** Runs in one transaction of the open database with the login's own rights, which the product never needs. */
export const asOwner =
  ({ config, sql }: Opened) =>
  <A, E, R>(
    effect: Effect.Effect<A, E, R | SqlClient>,
  ): Effect.Effect<A, E | SqlError, Exclude<R, SqlClient>> =>
    config.kind === "server" ? onServer(config.url, effect) : inSession(sql, effect);

/** On a connection of its own, which takes on no role. */
const onServer = <A, E, R>(
  url: Redacted.Redacted,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, Exclude<R, SqlClient>> =>
  PgClient.make({ url, applicationName: "runproof test", maxConnections: 1 }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.flatMap((owner) =>
      owner.withTransaction(Effect.provideService(effect, SqlClient, owner)),
    ),
    Effect.scoped,
  );

/** The embedded database has one session, which is the application's again afterwards, in a transaction around this one too. */
const inSession = <A, E, R>(
  sql: SqlClient,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SqlError, Exclude<R, SqlClient>> =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`set local role none`;
      const result = yield* Effect.provideService(effect, SqlClient, sql);
      yield* sql`set local role runproof_app`;
      return result;
    }),
  );
