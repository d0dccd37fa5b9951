import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** The server and the login behind a session. */
export interface Server {
  readonly version: string;
  readonly major_version: number;
  readonly login: string;
  readonly login_is_superuser: boolean;
  /** What the login could drop, itself or as a role that it may take on. */
  readonly login_owns: ReadonlyArray<string>;
  /** Settings by which a crash of the machine may lose or tear what was committed; none where all is well. */
  readonly undurable: ReadonlyArray<string>;
  /** The newest migration applied. */
  readonly head: string;
}

/** Reads the server's version, the session's login and the schema's head. */
export const readServer = (sql: SqlClient): Effect.Effect<Server, SqlError> =>
  sql<Server>`
    select version() as version,
           current_setting('server_version_num')::int / 10000 as major_version,
           session_user::text as login,
           (select rolsuper from pg_roles where rolname = session_user) as login_is_superuser,
           (select array_remove(array[
                     case when pg_has_role(session_user, c.relowner, 'member') then 'the tables' end,
                     case when pg_has_role(session_user, n.nspowner, 'member') then 'the schema' end,
                     case when pg_has_role(session_user, d.datdba, 'member') then 'the database' end], null)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace, pg_database d
            where c.oid = to_regclass('aos_traces') and d.datname = current_database()) as login_owns,
           array(select name from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off' order by 1) as undurable,
           (select lpad(id::text, 4, '0') || '_' || name from aos_schema_migrations order by id desc limit 1) as head`.pipe(
    Effect.map(([row]) => row!),
  );
