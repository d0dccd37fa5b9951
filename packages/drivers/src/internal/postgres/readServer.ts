import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** The server and the login behind a session. */
export interface Server {
  readonly version: string;
  readonly major_version: number;
  /** Its name as SQL takes it. */
  readonly database: string;
  readonly login: string;
  readonly login_is_superuser: boolean;
  /** What the login could drop, itself or as a role that it may take on. */
  readonly login_owns: ReadonlyArray<string>;
  /** Settings by which a crash of the machine may lose or tear what was committed; none where all is well. */
  readonly undurable: ReadonlyArray<string>;
  readonly takes_writes: boolean;
  /** The other databases of the server where the application's role has rights, while everyone may connect to this one. */
  readonly shared_with: ReadonlyArray<string>;
  /** The newest migration applied; null where their table is gone. */
  readonly head: string | null;
}

/** Reads the server's version, the session's login and the schema's head. */
export const readServer = (sql: SqlClient): Effect.Effect<Server, SqlError> =>
  sql<Server>`
    select version() as version,
           current_setting('server_version_num')::int / 10000 as major_version,
           quote_ident(current_database()) as database, session_user::text as login,
           (select rolsuper from pg_roles where rolname = session_user) as login_is_superuser,
           coalesce((select array_remove(array[
                     case when pg_has_role(session_user, c.relowner, 'member') then 'the tables' end,
                     case when pg_has_role(session_user, n.nspowner, 'member') then 'the schema' end,
                     case when pg_has_role(session_user, d.datdba, 'member') then 'the database' end], null)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace, pg_database d
            where c.oid = to_regclass('aos_traces') and d.datname = current_database()), '{}') as login_owns,
           array(select name from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off' order by 1) as undurable,
           not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes_writes,
           -- Rights that a role has in other databases are known to the whole server; the shared catalogs are database 0.
           case when has_database_privilege('public', current_database(), 'connect') then
             array(select distinct d.datname::text from pg_shdepend s join pg_database d on d.oid = s.dbid
                   where s.refclassid = 'pg_authid'::regclass and s.refobjid = 'runproof_app'::regrole
                     and d.datname <> current_database() order by 1) else '{}' end as shared_with,
           (select lpad(id::text, 4, '0') || '_' || name from aos_schema_migrations order by id desc limit 1) as head`.pipe(
    Effect.map(([row]) => row!),
  );
