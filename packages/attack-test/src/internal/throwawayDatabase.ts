import { randomBytes } from "node:crypto";
import * as PgClient from "@effect/sql-pg/PgClient";
import {
  ConfigurationInvalid,
  type DatabaseError,
  NotAuthorised,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import type { SqlClient } from "effect/sql/SqlClient";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import {
  type DatabaseConfig,
  databaseConfig,
  databaseError,
  hidePassword,
} from "@runproof/drivers/Database";

/** What every database that is made to be attacked begins with: no other is ever dropped. */
const NAME_PREFIX = "runproof_attack_";

const onServer = <A, E>(
  url: Redacted.Redacted,
  use: (sql: SqlClient) => Effect.Effect<A, E | SqlError>,
): Effect.Effect<A, E | DatabaseError> => {
  const map = databaseError("throwawayDatabase", hidePassword(Redacted.value(url)));
  return PgClient.make({ url, applicationName: "runproof attack-test", maxConnections: 1 }).pipe(
    Effect.flatMap(use),
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.mapError((error) => (isSqlError(error) ? map(error) : error)),
  );
};

const requireSuperuser = (sql: SqlClient) =>
  sql<{ is_superuser: boolean }>`
    select rolsuper as is_superuser from pg_roles where rolname = session_user`.pipe(
    Effect.filterOrFail(
      ([row]) => row?.is_superuser === true,
      () =>
        new NotAuthorised({
          detail: "the login is no superuser, and the attacks are a superuser's",
          remedy:
            "Give the URL of a superuser on a server for tests, or leave it out to use an embedded database.",
        }),
    ),
  );

/** What is wrong with the URL; null where it is one of a server. No URL at all is none, and never the user's own database. */
const urlFault = (url: string): ConfigurationInvalid | null => {
  const config = databaseConfig({ DATABASE_URL: url });
  if (config instanceof ConfigurationInvalid) return config;
  if (config.kind === "server") return null;
  return new ConfigurationInvalid({
    setting: "DATABASE_URL",
    what: "it is empty",
    remedy: "Give the URL of a superuser on a server for tests, or leave it out.",
  });
};

/** Makes an empty database beside the one that the URL names, and drops it with the scope. */
export const throwawayDatabase = (
  url: Redacted.Redacted,
): Effect.Effect<DatabaseConfig, DatabaseError | ConfigurationInvalid, Scope.Scope> => {
  const fault = urlFault(Redacted.value(url));
  if (fault !== null) return Effect.fail(fault);
  const name = `${NAME_PREFIX}${randomBytes(6).toString("hex")}`;
  const made = new URL(Redacted.value(url));
  made.pathname = `/${name}`;
  return Effect.acquireRelease(
    onServer(url, (sql) =>
      Effect.andThen(requireSuperuser(sql), sql.unsafe(`create database ${name}`)),
    ),
    () =>
      Effect.orDie(
        onServer(url, (sql) => sql.unsafe(`drop database if exists ${name} with (force)`)),
      ),
  ).pipe(Effect.as({ kind: "server", url: Redacted.make(made.href) }));
};
