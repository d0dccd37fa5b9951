/** Each trick that changes the defences and no row, and what it is reported as. All are rolled back: none outlives its test. */
import { expect } from "@effect/vitest";
import { catalogDrift, type Drift } from "@runproof/drivers/CatalogDrift";
import { Database } from "@runproof/drivers/Database";
import { checkOpenDatabase } from "@runproof/drivers/Doctor";
import { migrations } from "@runproof/drivers/Migrations";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import { SqlClient } from "effect/sql/SqlClient";
import { readCatalog } from "../src/internal/postgres/readCatalog.ts";
import { asSuperuser, onEachDatabase } from "./Databases.ts";
import { freshIdentity, openRun, record, seal, sealedRun, start, verify } from "./Evidence.ts";

/** What drifts after some statements, which are taken back. */
const driftAfter = (statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const own = asOwner(yield* Database);
    let drift: ReadonlyArray<Drift> = [];
    const takenBack = Effect.gen(function* () {
      const sql = yield* SqlClient;
      for (const statement of statements) yield* sql.unsafe(statement);
      drift = catalogDrift(yield* readCatalog(sql));
      return yield* Effect.fail("taken back" as const);
    });
    expect(yield* Effect.flip(own(takenBack))).toBe("taken back");
    return drift;
  });

const GUARD = "runproof_guard_step_update";

/** A statement on the database itself, whatever its name is. */
const onDatabase = (clause: string) =>
  `do $$ begin execute format('alter database %I ${clause}', current_database()); end $$`;

/** Gives what the migrations made to a login that is no superuser. */
const OWNED_BY_ANOTHER = [
  "create role keeper login",
  `do $$ declare each text; begin
     for each in select format('table %s', c.oid::regclass) from pg_class c
         where c.relnamespace = 'public'::regnamespace and (c.relname like 'aos\\_%' or c.relname = 'runs') and c.relkind = 'r'
       union all select format('function %s', p.oid::regprocedure) from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'runproof\\_%' loop
       execute format('alter %s owner to keeper', each);
     end loop; end $$`,
];

const SCHEMA_OF_THE_DATABASE = "alter schema public owner to pg_database_owner";

/** What an honest database may have, with its statements: none of it is drift. */
const HONEST: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
  [
    "the tables belong to a login that may create in a schema of the superuser's",
    ...OWNED_BY_ANOTHER,
    "alter schema public owner to postgres",
    "grant create on schema public to keeper",
  ],
  [
    "the tables and the schema belong to one login",
    ...OWNED_BY_ANOTHER,
    "alter schema public owner to keeper",
  ],
  [
    "the tables belong to one login, and the database to the superuser",
    ...OWNED_BY_ANOTHER,
    SCHEMA_OF_THE_DATABASE,
    "grant create on schema public to keeper",
  ],
  [
    "the tables belong to the owner of the database",
    ...OWNED_BY_ANOTHER,
    SCHEMA_OF_THE_DATABASE,
    onDatabase("owner to keeper"),
  ],
  [
    "the schema belongs to a group that the tables' owner is of",
    ...OWNED_BY_ANOTHER,
    "create role team",
    "grant team to keeper",
    SCHEMA_OF_THE_DATABASE,
    onDatabase("owner to team"),
  ],
  [
    "the schema belongs to an administrator who may take on the tables' owner",
    ...OWNED_BY_ANOTHER,
    "create role administrator login",
    "grant keeper to administrator",
    "alter schema public owner to administrator",
  ],
  [
    "the schema belongs to one who made the tables' owner, and so may take it on",
    "create role administrator login createrole",
    "set local role administrator",
    "create role keeper login",
    "set local role postgres",
    ...OWNED_BY_ANOTHER.slice(1),
    "alter schema public owner to administrator",
  ],
  [
    "a role reads for reports",
    "create role reporting",
    "grant select on aos_traces, aos_trace_steps, runs, aos_log_entries to reporting",
    "grant select (trace_id, status) on aos_traces to public",
  ],
  [
    "every name is quoted, in what is printed and in what was restored so",
    "set local quote_all_identifiers = on",
    `alter function ${GUARD}() set search_path = "public", "pg_temp"`,
  ],
  [
    "somebody's own functions and operators",
    "create function round(double precision, integer) returns numeric language sql as 'select round($1::numeric, $2)'",
    "create function sha256(text) returns text language sql as 'select encode(sha256(convert_to($1, ''UTF8'')), ''hex'')'",
    "create function larger(uuid, uuid) returns uuid language sql as 'select greatest($1, $2)'",
    "create aggregate max(uuid) (sfunc = larger, stype = uuid)",
    "create function alike(text, text) returns boolean language sql as 'select lower($1) = lower($2)'",
    "create operator % (leftarg = text, rightarg = text, function = alike)",
    "create function without(integer[], integer) returns integer[] language sql as 'select array_remove($1, $2)'",
    "create operator - (leftarg = integer[], rightarg = integer, function = without)",
    "create type pair as (a integer, b integer)",
    "create function same(pair, pair) returns boolean language sql as 'select $1.a = $2.a'",
    "create operator = (leftarg = pair, rightarg = pair, function = same)",
  ],
  ["the built-in names come last", "set local search_path = public, pg_catalog"],
  [
    "sessions have a time zone, a path and costs of their own",
    onDatabase("set search_path = public"),
    onDatabase("set random_page_cost = 1.1"),
    "alter role runproof_app set timezone = 'Europe/Berlin'",
  ],
  [
    "a view for reports, and functions that act with others' rights for few",
    "create role reporting",
    "create view report as select tenant_id, count(*) as runs from aos_traces group by 1",
    "grant select on report to reporting",
    "create function gen_random_uuid() returns uuid language sql as 'select pg_catalog.gen_random_uuid()'",
    "create function rotate() returns void language sql security definer as ''",
    "revoke execute on function rotate() from public",
    "grant execute on function rotate() to reporting",
    "create function note() returns trigger language plpgsql security definer as 'begin return new; end'",
  ],
];

const ORDERED = (operator: string) => [
  "create function behind(text, text) returns integer immutable language sql as 'select -bttextcmp($1, $2)'",
  `create operator class behind_ops for type text using btree as
     operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 ${operator}, function 1 behind(text, text)`,
];

/** Ways to the tables by the rights of others, and what stands in for PostgreSQL's own: as `TRICKS`. */
const INTRUSIONS: ReadonlyArray<readonly [string, RegExp, ...ReadonlyArray<string>]> = [
  [
    "aos_traces",
    /no migration made: one_tenant CHECK/u,
    "alter table aos_traces add constraint one_tenant check (tenant_id <> 'x') not valid",
  ],
  [
    "aos_limits",
    /no migration made: aos_limits_tenant_id_fkey FOREIGN KEY/u,
    "create table known (tenant_id text primary key)",
    "alter table aos_limits add foreign key (tenant_id) references known",
  ],
  [
    "aos_limits",
    /no migration made: .* EXCLUDE/u,
    "alter table aos_limits add exclude using btree (reason with =)",
  ],
  [
    "aos_traces",
    /the constraint \w+ of more refers to it/u,
    "create table more (trace_id text references aos_traces)",
  ],
  [
    "aos_traces",
    /an index that no migration made: btree \(peek/u,
    "create function peek(text) returns text immutable language sql as 'select $1'",
    "create index peeked on aos_traces (peek(tenant_id))",
  ],
  [
    "aos_traces",
    /an index that no migration made: btree \(trace_id public.behind_ops/u,
    ...ORDERED(">"),
    "create index behind on aos_traces (trace_id behind_ops)",
  ],
  ["aos_traces", /an index that no migration made/u, "create index on aos_traces (tenant_id)"],
  [
    "aos_log_entries",
    /its index btree \(trace_id .* is gone/u,
    "drop index aos_log_entries_by_trace",
  ],
  [
    "aos_log_entries",
    /its index btree \(trace_id .* is gone/u,
    "update pg_index set indisready = false where indexrelid = 'aos_log_entries_by_trace'::regclass",
  ],
  [
    "aos_traces",
    /the statistics public.peeked refers to it/u,
    "create statistics peeked on (lower(tenant_id)), (upper(tenant_id)) from aos_traces",
  ],
  [
    "aos_log_queue_queue_id_seq",
    /right that was not given: runproof_app:UPDATE/u,
    "grant update on sequence aos_log_queue_queue_id_seq to runproof_app",
  ],
  [
    "aos_holds_hold_id_seq",
    /numbered from 1 to 5 by 1 and again/u,
    "alter sequence aos_holds_hold_id_seq maxvalue 5 cycle",
  ],
  [
    "aos_log_tiles",
    /it inherits from base/u,
    "create table base (level smallint not null)",
    "alter table aos_log_tiles inherit base",
  ],
  ["aos_more", /a table that no migration made/u, "create table aos_more ()"],
  [
    "cast (timestamp with time zone as text)",
    /read through it/u,
    "create function printed(timestamptz) returns text immutable language sql as $$ select 'then' $$",
    "create cast (timestamptz as text) with function printed(timestamptz)",
  ],
  [
    "cast (regrole as text)",
    /read through it/u,
    "create function printed(regrole) returns text immutable language sql as $$ select 'postgres'::text $$",
    "create cast (regrole as text) with function printed(regrole) as implicit",
  ],
  [
    "operator aside.>=(text, text)",
    /taken for PostgreSQL's own/u,
    "create schema aside",
    "create function aside.later(text, text) returns boolean language sql as 'select true'",
    "create operator aside.>= (leftarg = text, rightarg = text, function = aside.later)",
  ],
  [
    "function aside.to_char(timestamp with time zone, text)",
    /taken for PostgreSQL's own/u,
    "create schema aside",
    "create function aside.to_char(timestamptz, text) returns text language sql as $$ select '' $$",
  ],
  ["operator class public.behind_ops", /orders .* otherwise/u, ...ORDERED(">")],
  [
    "operator family pg_catalog.text_ops",
    /it was added to/u,
    "create function below(text, integer) returns boolean immutable language sql as 'select true'",
    "create operator < (leftarg = text, rightarg = integer, function = below)",
    "alter operator family text_ops using btree add operator 1 < (text, integer)",
  ],
  [
    "the settings of the database",
    /they have enable_indexscan=off/u,
    onDatabase("set enable_indexscan = off"),
  ],
  [
    "the settings of the database",
    /they have search_path=public, aside, pg_catalog/u,
    onDatabase("set search_path = public, aside, pg_catalog"),
  ],
  [
    "the settings of the role runproof_app",
    /they have session_replication_role=replica/u,
    "alter role runproof_app set session_replication_role = replica",
  ],
  [
    "runproof_operator",
    /the operator's role has BYPASSRLS/u,
    "alter role runproof_operator bypassrls",
  ],
  [
    "runproof_operator",
    /has the rights of pg_write_all_data/u,
    "grant pg_write_all_data to runproof_operator",
  ],
  [
    "door",
    /runproof_app has UPDATE on it/u,
    "create view door as select * from aos_trace_steps",
    "grant update on door to runproof_app",
  ],
  [
    "door",
    /public has SELECT on it/u,
    "create view inside as select trace_id, holder from aos_trace_leases",
    "create view door as select * from inside",
    "grant select on door to public",
  ],
  [
    "door",
    /reporting has INSERT \(holder\) on it|reporting has INSERT on it/u,
    "create role reporting",
    "create view door as select * from aos_trace_leases",
    "grant insert (holder) on door to reporting",
  ],
  [
    "door",
    /a rule on it leads to the tables/u,
    "create table door (trace_id text)",
    "create rule through as on insert to door do instead delete from aos_trace_leases l where l.trace_id = new.trace_id",
  ],
  [
    "door",
    /everyone has INSERT on it, and a trigger/u,
    "create table door (trace_id text)",
    "grant insert on door to public",
    "create function through() returns trigger language plpgsql security definer as 'begin return new; end'",
    "create trigger through before insert on door for each row execute function through()",
  ],
  [
    "door",
    /right that was not given: runproof_tenant:SELECT/u,
    "create table door (trace_id text)",
    "grant select on door to runproof_tenant",
  ],
  [
    "function door(text)",
    /everyone may execute it, with the rights of postgres/u,
    "create function door(text) returns void language sql security definer as 'delete from aos_trace_leases where trace_id = $1'",
  ],
  [
    "function door(text)",
    /right that was not given: runproof_app:EXECUTE/u,
    "create function door(text) returns void language sql security definer as ''",
    "revoke execute on function door(text) from public",
    "grant execute on function door(text) to runproof_app",
  ],
];

/** Name, the object that must be reported, what must be said of it, and the statements. */
const TRICKS: ReadonlyArray<readonly [string, RegExp, ...ReadonlyArray<string>]> = [
  [
    "aos_traces.s6_update",
    /not ENABLE ALWAYS \(state D\)/u,
    "alter table aos_traces disable trigger all",
  ],
  ["aos_traces.s6_update", /state D/u, "alter table aos_traces disable trigger s6_update"],
  ["aos_trace_steps.s6_insert", /state O/u, "alter table aos_trace_steps enable trigger s6_insert"],
  ["runs.s6_delete", /state R/u, "alter table runs enable replica trigger s6_delete"],
  ["aos_log_entries.s6_truncate", /missing/u, "drop trigger s6_truncate on aos_log_entries"],
  ["aos_log_queue.s6_change", /missing/u, "drop trigger s6_change on aos_log_queue"],
  [
    "aos_trace_steps.s6_update",
    /calls pass/u,
    "create function pass() returns trigger language plpgsql as 'begin return new; end'",
    "drop trigger s6_update on aos_trace_steps",
    "create trigger s6_update before update on aos_trace_steps for each row execute function pass()",
    "alter table aos_trace_steps enable always trigger s6_update",
  ],
  [
    "aos_trace_steps.s6_update",
    /other events or conditions/u,
    "drop trigger s6_update on aos_trace_steps",
    `create trigger s6_update before update on aos_trace_steps for each row when (false) execute function ${GUARD}()`,
    "alter table aos_trace_steps enable always trigger s6_update",
  ],
  [
    "aos_trace_steps.s6_update",
    /other events or conditions/u,
    "drop trigger s6_update on aos_trace_steps",
    `create trigger s6_update before update of run_id on aos_trace_steps for each row execute function ${GUARD}()`,
    "alter table aos_trace_steps enable always trigger s6_update",
  ],
  [
    "aos_trace_steps.s6_update",
    /other events or conditions/u,
    "drop trigger s6_update on aos_trace_steps",
    `create trigger s6_update after update on aos_trace_steps for each row execute function ${GUARD}()`,
    "alter table aos_trace_steps enable always trigger s6_update",
  ],
  [
    "aos_trace_steps.extra",
    /no migration made/u,
    "create trigger extra before insert on aos_trace_steps for each row execute function runproof_refuse()",
  ],
  [
    GUARD,
    /body was replaced/u,
    `create or replace function ${GUARD}() returns trigger language plpgsql set search_path from current as 'begin return new; end'`,
  ],
  [GUARD, /its settings are none/u, `alter function ${GUARD}() reset search_path`],
  [GUARD, /its settings are/u, `alter function ${GUARD}() set search_path = pg_temp, public`],
  [GUARD, /its settings are/u, `alter function ${GUARD}() set session_replication_role = replica`],
  [GUARD, /rights were changed/u, `alter function ${GUARD}() security definer`],
  [
    "runproof_seal_trace",
    /rights were changed/u,
    "alter function runproof_seal_trace(text, text, text[], text, text, bigint, text) security invoker",
  ],
  [
    "runproof_is_payload",
    /STRICT/u,
    "alter function runproof_is_payload(text, text, text, text) strict",
  ],
  ["runproof_lock_trace", /volatility/u, "alter function runproof_lock_trace(text) stable"],
  [
    "runproof_hash",
    /second function/u,
    "create function runproof_hash(prefix bytea, body varchar) returns text language sql as 'select ''0'''",
  ],
  [
    "runproof_refuse_closed",
    /it is now \(p_trace_id text, x text\)/u,
    "drop function runproof_refuse_closed(text)",
    "create function runproof_refuse_closed(p_trace_id text, x text) returns void language sql as ''",
  ],
  ["runproof_refuse_closed", /missing/u, "drop function runproof_refuse_closed(text)"],
  [
    "runproof_helper",
    /no migration made/u,
    "create function runproof_helper() returns void language sql security definer as ''",
  ],
  [
    "runproof_archive_traces",
    /executed by runproof_app/u,
    "grant execute on function runproof_archive_traces(text[], text[], timestamptz) to runproof_app",
  ],
  [
    "runproof_hash",
    /executed by public/u,
    "grant execute on function runproof_hash(bytea, text) to public",
  ],
  [
    "runproof_sequence_log",
    /executed by nobody/u,
    "revoke execute on function runproof_sequence_log(bigint) from runproof_app",
  ],
  [
    GUARD,
    /owned by pg_database_owner|owned by runproof_app/u,
    `alter function ${GUARD}() owner to runproof_app`,
  ],
  [
    "aos_trace_steps",
    /the rule eat rewrites/u,
    "create rule eat as on insert to aos_trace_steps do instead nothing",
  ],
  [
    "aos_trace_steps",
    /the policy hide can hide rows/u,
    "create policy hide on aos_trace_steps using (false)",
  ],
  ["aos_traces", /who serves one tenant/u, "alter table aos_traces disable row level security"],
  ["aos_log_entries", /can hide rows/u, "alter table aos_log_entries enable row level security"],
  ["aos_traces", /its policy tenants is gone/u, "drop policy tenants on aos_traces"],
  ["runs", /its policy tenants is gone/u, "alter policy tenants on runs using (true)"],
  ["runproof_tenant", /serves tenants has BYPASSRLS/u, "alter role runproof_tenant bypassrls"],
  ["aos_traces", /row-level security/u, "alter table aos_traces force row level security"],
  [
    "aos_trace_steps.s6_insert",
    /missing/u,
    "alter table aos_trace_steps rename to aside",
    "create table aos_trace_steps (like aside including all)",
    "grant select on aos_trace_steps to runproof_app",
  ],
  [
    "aos_traces",
    /of another kind \(v\)/u,
    "alter table aos_traces rename to aside",
    "create view aos_traces as select * from aside",
  ],
  ["aos_checkpoints", /missing/u, "alter table aos_checkpoints rename to aside"],
  [
    "aos_log_entries",
    /missing/u,
    "create schema aside",
    "alter table aos_log_entries set schema aside",
  ],
  [
    "aos_trace_steps",
    /a column that no migration made: retry_count text not null/u,
    "alter table aos_trace_steps alter column retry_count type text using '0'",
  ],
  [
    "aos_traces",
    /its column status text not null is not there/u,
    "alter table aos_traces alter column status drop not null",
  ],
  [
    "aos_traces",
    /a column that no migration made: x integer/u,
    "alter table aos_traces add column x integer",
  ],
  [
    "aos_trace_steps",
    /its column attributes text is not there/u,
    "alter table aos_trace_steps drop column attributes",
  ],
  [
    "aos_trace_steps",
    /constraint PRIMARY KEY \(trace_id, step_index\) is gone/u,
    "alter table aos_trace_steps drop constraint aos_trace_steps_pkey",
  ],
  [
    "aos_traces",
    /constraint UNIQUE \(tenant_id, run_id\) is gone/u,
    "alter table aos_traces drop constraint aos_traces_tenant_id_run_id_key",
    "alter table aos_traces add constraint aos_traces_tenant_id_run_id_key unique (tenant_id, run_id) deferrable initially deferred",
  ],
  [
    "runs",
    /constraint runs_status_known CHECK .* is gone/u,
    "alter table runs drop constraint runs_status_known",
  ],
  [
    "aos_log_queue",
    /constraint aos_log_queue_kind_known CHECK .* is gone/u,
    "alter table aos_log_queue drop constraint aos_log_queue_kind_known",
    "alter table aos_log_queue add constraint aos_log_queue_kind_known check (true)",
  ],
  [
    "aos_log_queue",
    /a column that no migration made: transaction_id bigint not null default 0/u,
    "alter table aos_log_queue alter column transaction_id set default 0",
  ],
  [
    "aos_log_entries",
    /its column sequenced_at .* default clock_timestamp\(\) is not there/u,
    "alter table aos_log_entries alter column sequenced_at drop default",
  ],
  [
    "aos_log_queue",
    /its column queue_id bigint not null generated always as identity is not there/u,
    "alter table aos_log_queue alter column queue_id set generated by default",
  ],
  [
    "aos_trace_steps.hidden",
    /no migration made/u,
    "create trigger hidden before insert on aos_trace_steps for each row execute function runproof_refuse()",
    "update pg_trigger set tgisinternal = true where tgname = 'hidden'",
  ],
  [
    "aos_schema_migrations",
    /constraint PRIMARY KEY \(id\) is gone/u,
    "alter table aos_schema_migrations drop constraint aos_schema_migrations_pkey",
  ],
  ["aos_trace_steps", /do not survive a crash/u, "alter table aos_trace_steps set unlogged"],
  ["aos_traces", /the table child inherits/u, "create table child () inherits (aos_traces)"],
  [
    "aos_traces",
    /right that was not given: runproof_app:UPDATE/u,
    "grant update on aos_traces to runproof_app",
  ],
  ["aos_log_entries", /not given: public:INSERT/u, "grant insert on aos_log_entries to public"],
  [
    "aos_trace_steps",
    /not given: runproof_app:UPDATE \(params\)/u,
    "grant update (params) on aos_trace_steps to runproof_app",
  ],
  ["runs", /runproof_app may not read it/u, "revoke select on runs from runproof_app"],
  [
    "aos_trace_steps",
    /owned by runproof_app/u,
    "alter table aos_trace_steps owner to runproof_app",
  ],
  ["aos_traces", /the application's role owns it/u, "alter table aos_traces owner to runproof_app"],
  ["schema public", /public may create objects/u, "grant create on schema public to public"],
  [
    "schema public",
    /runproof_app may create objects/u,
    "grant create on schema public to runproof_app",
  ],
  [
    "aos_trace_steps.s6_update",
    /calls evil\.runproof_guard_step_update/u,
    "create schema evil",
    `create function evil.${GUARD}() returns trigger language plpgsql as 'begin return new; end'`,
    `create or replace trigger s6_update before update on aos_trace_steps for each row execute function evil.${GUARD}()`,
    "alter table aos_trace_steps enable always trigger s6_update",
  ],
  [
    "aos_trace_steps",
    /a column that no migration made: trace_id text collate public.ci not null|text collate ci not null/u,
    "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "alter table aos_trace_steps alter trace_id type text collate ci",
  ],
  [
    "aos_traces",
    /its column run_id text not null is not there/u,
    `alter table aos_traces alter run_id type text collate "C"`,
  ],
  [
    "schema public",
    /the application's role owns it, and may drop the tables/u,
    "alter schema public owner to runproof_app",
  ],
  ["the database", /the application's role owns it/u, onDatabase("owner to runproof_app")],
  [
    "schema public",
    /the application's role owns it, and may drop the tables/u,
    "alter schema public owner to pg_database_owner",
    onDatabase("owner to runproof_app"),
  ],
  [
    "schema public",
    /the application's role owns it, and may drop the tables/u,
    ...OWNED_BY_ANOTHER,
    "grant runproof_app to keeper",
    "alter schema public owner to runproof_app",
  ],
  [
    "schema public",
    /mallory owns it, and may drop the tables of postgres/u,
    "create role mallory login",
    "alter schema public owner to mallory",
  ],
  [
    "schema public",
    /mallory owns it/u,
    "create role mallory login",
    "alter schema public owner to pg_database_owner",
    onDatabase("owner to mallory"),
  ],
  [
    "the database",
    /runproof_app may create schemas/u,
    `do $$ begin execute format('grant create on database %I to runproof_app', current_database()); end $$`,
  ],
  [
    "pg_catalog.runproof_hash",
    /found before the product's own/u,
    "create function pg_catalog.runproof_hash(prefix bytea, body text) returns text language sql as 'select repeat(''0'', 64)'",
  ],
  [
    "pg_catalog.aos_trace_leases",
    /found before the product's own/u,
    "create domain pg_catalog.aos_trace_leases as text",
  ],
  [
    "operator *(integer, interval)",
    /stands in for PostgreSQL's own/u,
    "create function instead(integer, interval) returns interval language sql as 'select interval ''100 years'''",
    "create operator public.* (leftarg = integer, rightarg = interval, function = instead)",
  ],
  [
    "operator ||(text, bigint)",
    /stands in for PostgreSQL's own/u,
    "create function instead(text, bigint) returns text language sql as 'select $1'",
    "create operator public.|| (leftarg = text, rightarg = bigint, function = instead)",
  ],
  [
    "function to_json(text)",
    /stands in for PostgreSQL's own/u,
    "create function public.to_json(text) returns json language sql as 'select null::json'",
  ],
  [
    "function sha256(bytea)",
    /stands in for PostgreSQL's own/u,
    "create function public.sha256(bytea) returns bytea language sql as 'select $1'",
    "set local search_path = public, pg_catalog",
  ],
  [
    "aos_trace_steps",
    /none of its triggers fires/u,
    "update pg_class set relhastriggers = false where oid = 'aos_trace_steps'::regclass",
  ],
  ...["indisunique", "indisvalid", "indisready", "indislive", "indimmediate"].map(
    (flag) =>
      [
        "aos_traces",
        /constraint PRIMARY KEY \(trace_id\) is gone, or its index is off/u,
        `update pg_index set ${flag} = false where indexrelid = 'aos_traces_pkey'::regclass`,
      ] as const,
  ),
  [
    "aos_log_tiles",
    /constraint PRIMARY KEY \(level, tile_index\) is gone, or its index is off/u,
    "update pg_class set relhasindex = false where oid = 'aos_log_tiles'::regclass",
  ],
  [
    "runs",
    /constraint runs_status_known CHECK .* is gone/u,
    "update pg_class set relchecks = 0 where oid = 'runs'::regclass",
  ],
  [
    GUARD,
    /its settings are search_path="public, pg_temp"/u,
    `alter function ${GUARD}() set search_path = "public, pg_temp"`,
  ],
  [
    "aos_trace_leases",
    /right that was not given: reporting:SELECT/u,
    "create role reporting",
    "grant select on aos_trace_leases to reporting",
  ],
  [
    "aos_trace_leases",
    /right that was not given: runproof_app:SELECT \(holder\)/u,
    "grant select (holder) on aos_trace_leases to runproof_app",
  ],
  [
    "aos_traces",
    /right that was not given: reporting:REFERENCES/u,
    "create role reporting",
    "grant references on aos_traces to reporting",
  ],
  ["runproof_app", /has SUPERUSER/u, "alter role runproof_app superuser"],
  ["runproof_app", /has BYPASSRLS/u, "alter role runproof_app bypassrls"],
  [
    "runproof_app",
    /has the rights of pg_write_all_data/u,
    "grant pg_write_all_data to runproof_app",
  ],
];

onEachDatabase("drift of the catalog", (it) => {
  it.effect("is none where the migrations were applied", () =>
    Effect.gen(function* () {
      expect(yield* driftAfter([])).toEqual([]);
      const checks = yield* checkOpenDatabase;
      expect(checks.find(({ name }) => name === "defences")).toMatchObject({ status: "ok" });
    }),
  );

  it.effect("is none after the migrations' objects were used", () =>
    Effect.gen(function* () {
      yield* sealedRun(1);
      yield* asSuperuser("select runproof_sequence_log(5000)", "analyze");
      expect(yield* driftAfter([])).toEqual([]);
    }),
  );

  // They go with the columns that they number.
  const SEQUENCES = [
    "aos_audit_ledger_ledger_id_seq",
    "aos_checkpoints_checkpoint_id_seq",
    "aos_holds_hold_id_seq",
    "aos_incidents_incident_id_seq",
    "aos_limit_breaches_breach_id_seq",
    "aos_limits_limit_id_seq",
    "aos_log_queue_queue_id_seq",
    "aos_prevention_records_prevention_id_seq",
    "aos_retentions_retention_id_seq",
  ];

  it.effect("compares everything that the migrations make", () =>
    Effect.gen(function* () {
      // Whatever is dropped is missed: tables, functions and triggers alike.
      const made = (pattern: RegExp) =>
        migrations
          .flatMap(({ statements }) => statements)
          .flatMap((statement) => pattern.exec(statement)?.[1] ?? []);
      const tables = made(/^create table (\w+)/u);
      const functions = made(/^create function (\w+)/u);
      const triggers = migrations
        .flatMap(({ statements }) => statements)
        .flatMap((statement) => {
          const match = /^create trigger (\w+) [^]* on (\w+)\s(?:referencing .* )?for each/u.exec(
            statement,
          );
          return match === null ? [] : [`${match[2]}.${match[1]}`];
        });
      expect([tables.length, functions.length, triggers.length]).toEqual([
        21,
        expect.any(Number),
        51,
      ]);
      const drift = yield* driftAfter([
        ...tables.map((table) => `drop table ${table} cascade`),
        `do $$ declare f regprocedure; begin
           for f in select oid::regprocedure from pg_proc where proname like 'runproof\\_%' loop
             execute format('drop function if exists %s cascade', f);
           end loop; end $$`,
      ]);
      const missing = drift.filter(({ what }) => what.endsWith("is missing"));
      expect(missing.map(({ object }) => object).toSorted()).toEqual(
        [...tables, ...SEQUENCES, ...functions, ...triggers].toSorted(),
      );
    }),
  );

  for (const [object, what, ...statements] of [...TRICKS, ...INTRUSIONS])
    it.effect(`names ${object}: ${statements.at(-1)}`, () =>
      Effect.gen(function* () {
        const drift = yield* driftAfter(statements);
        const ofObject = drift.filter((each) => each.object === object).map((each) => each.what);
        expect(ofObject.join("; ")).toMatch(what);
      }),
    );

  for (const [what, ...statements] of HONEST)
    it.effect(`is none where ${what}`, () =>
      Effect.gen(function* () {
        expect(yield* driftAfter(statements)).toEqual([]);
      }),
    );

  it.effect("reads a schema whose name needs quotes", () =>
    Effect.gen(function* () {
      const drift = yield* driftAfter([
        'alter schema public rename to "My-schema"',
        'set local search_path = "My-schema"',
        `do $$ declare f regprocedure; begin
           for f in select p.oid::regprocedure from pg_proc p where 'search_path=public, pg_temp' = any(p.proconfig) loop
             execute format('alter function %s set search_path = "My-schema", pg_temp', f);
           end loop; end $$`,
      ]);
      // Two functions have another setting, and that one comes first now.
      expect(
        drift.filter(({ what }) => !what.startsWith("its settings are enable_seqscan")),
      ).toEqual([]);
    }),
  );

  it.effect("leaves the session's settings as they were", () =>
    Effect.gen(function* () {
      const own = asOwner(yield* Database);
      const settings =
        "select current_setting('search_path') as path, current_setting('quote_all_identifiers') as quoting";
      const [before, after] = yield* own(
        Effect.gen(function* () {
          const sql = yield* SqlClient;
          yield* sql.unsafe("set local quote_all_identifiers = on");
          const before = yield* sql.unsafe(settings);
          yield* readCatalog(sql);
          return [before, yield* sql.unsafe(settings)];
        }),
      );
      expect(after).toEqual(before);
    }),
  );

  it.effect("fails the doctor's check, with what was changed and what to do", () =>
    Effect.gen(function* () {
      yield* asSuperuser("alter table aos_traces disable trigger s6_delete");
      const checks = yield* checkOpenDatabase;
      yield* asSuperuser("alter table aos_traces enable always trigger s6_delete");
      expect(checks.find(({ name }) => name === "defences")).toEqual({
        name: "defences",
        status: "fail",
        detail: "aos_traces.s6_delete: it is not ENABLE ALWAYS (state D)",
        remedy: expect.stringContaining("runproof audit"),
      });
    }),
  );
});

onEachDatabase("tricks that the catalog does not show, or shows too late", (it) => {
  it.effect("a column rewritten by ALTER TYPE is found in every row", () =>
    Effect.gen(function* () {
      const runs = [yield* sealedRun(1), yield* sealedRun(1)];
      yield* asSuperuser(
        "alter table aos_trace_steps alter column skill_name type text using skill_name || 'x'",
      );
      expect(yield* driftAfter([])).toEqual([]);
      for (const run of runs)
        expect(yield* verify(run)).toMatchObject({
          verification_status: "FAILED",
          findings: [{ code: "COLUMN_MISMATCH", step_index: 0 }],
        });
    }),
  );

  it.effect("nothing is acknowledged that a rule took away, or that a trigger did not see", () =>
    Effect.gen(function* () {
      const writes = {
        trace: () => start(freshIdentity()),
        step: (trace_id: string) => record(trace_id),
        seal: (trace_id: string) => seal(trace_id),
      };
      const attempts = [
        ["trace", "create rule eat as on insert to aos_traces do instead nothing"],
        ["step", "create rule eat as on insert to aos_trace_steps do instead nothing"],
        ["seal", "create rule eat as on update to aos_traces do instead nothing"],
        ["seal", "alter table aos_traces disable trigger s6_update"],
        ["step", "alter table aos_trace_steps disable trigger s6_insert"],
        ["trace", "alter table aos_traces disable trigger s6_insert"],
      ] as const;
      const database = yield* Database;
      for (const [write, sabotage] of attempts) {
        const attempt = asOwner(database)(
          Effect.gen(function* () {
            const sql = yield* SqlClient;
            const acknowledged = Effect.gen(function* () {
              const { trace_id } = yield* openRun(1);
              yield* sql.unsafe(sabotage);
              yield* writes[write](trace_id);
              return yield* Effect.fail({ _tag: "Acknowledged" } as const);
            });
            return yield* Effect.provideService(acknowledged, Database, { ...database, sql });
          }),
        );
        const failure: { readonly _tag: string } = yield* Effect.flip(attempt);
        expect(failure._tag, sabotage).toMatch(/^(DatabaseFailed|InvalidInput)$/u);
        // A plan that a rule emptied outlives the rule in its session, and the embedded database has one.
        yield* asSuperuser("discard plans");
      }
      expect(yield* verify(yield* sealedRun(1))).toMatchObject({ verification_status: "VERIFIED" });
    }),
  );
});
