import type * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** What a database, a role or both set for every session that begins. */
export interface CatalogSetting {
  /** Null of what holds for every role. */
  readonly role: string | null;
  /** `name=value`. */
  readonly setting: string;
}

/** Reads what is set for sessions of this database by the product's roles, the tables' owner, this login, or anyone. */
export const readSettings = (
  sql: SqlClient,
  schema: string,
): Effect.Effect<ReadonlyArray<CatalogSetting>, SqlError> =>
  sql<CatalogSetting>`
    select r.rolname::text as role, each.setting
    from pg_db_role_setting s
    left join pg_roles r on r.oid = s.setrole
    cross join unnest(s.setconfig) as each(setting)
    where (s.setdatabase = '0'::oid or s.setdatabase = (select oid from pg_database where datname = current_database()))
      and (s.setrole = '0'::oid or r.rolname in ('runproof_app', 'runproof_tenant', 'runproof_operator', 'runproof_signer', session_user)
           or s.setrole in (select c.relowner from pg_class c join pg_namespace n on n.oid = c.relnamespace
                            where n.nspname = ${schema} and c.relname = 'aos_traces'))
    order by 1, 2`;
