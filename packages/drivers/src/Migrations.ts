/** The schema's migrations: applied in order, in one transaction, with recorded checksums. */
import { createHash } from "node:crypto";
import { SchemaDamaged, SchemaMismatch } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as SqlClient from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { migration as traces } from "./internal/migrations/0001_traces.ts";
import { migration as log } from "./internal/migrations/0002_log.ts";
import { migration as immutability } from "./internal/migrations/0003_immutability.ts";
import { migration as writers } from "./internal/migrations/0004_writers.ts";
import { migration as tenants } from "./internal/migrations/0005_tenants.ts";
import { migration as controls } from "./internal/migrations/0006_controls.ts";
import { migration as enforcement } from "./internal/migrations/0007_enforcement.ts";
import { migration as idempotency } from "./internal/migrations/0008_idempotency.ts";
import { migration as identities } from "./internal/migrations/0009_identities.ts";
import type { Migration } from "./internal/migrations/Migration.ts";
import { inTransaction } from "./internal/postgres/inTransaction.ts";

export type { Migration } from "./internal/migrations/Migration.ts";

/** All migrations, oldest first. */
export const migrations: ReadonlyArray<Migration> = [
  traces,
  log,
  immutability,
  writers,
  tenants,
  controls,
  enforcement,
  idempotency,
  identities,
];

/** A migration that a database records as applied. */
export interface AppliedMigration {
  readonly id: number;
  readonly name: string;
  readonly checksum: string;
}

/** What a migration is known by once applied: SHA-256 of its statements, in hex. */
export const checksum = (migration: Migration): string =>
  createHash("sha256").update(JSON.stringify(migration.statements)).digest("hex");

const label = (migration: { readonly id: number; readonly name: string }) =>
  `${String(migration.id).padStart(4, "0")}_${migration.name}`;

/**
 * Decides which of `known` are still to apply, in order.
 * An applied one that is unknown, was changed, or would have to come before one already applied is a `SchemaMismatch`.
 */
export const pendingMigrations = (
  known: ReadonlyArray<Migration>,
  applied: ReadonlyArray<AppliedMigration>,
): ReadonlyArray<Migration> | SchemaMismatch => {
  for (const done of applied) {
    const migration = known.find((candidate) => candidate.id === done.id);
    if (migration === undefined) {
      return new SchemaMismatch({
        migration: label(done),
        what: "the database has a migration that this version does not know",
        remedy: "Use the runproof version that migrated this database, or a newer one.",
      });
    }
    if (migration.name !== done.name || checksum(migration) !== done.checksum) {
      return new SchemaMismatch({
        migration: label(migration),
        what: "the migration was changed after it was applied",
        remedy: "Restore its statements as they were applied; put changes into a new migration.",
      });
    }
  }
  const newest = Math.max(0, ...applied.map((done) => done.id));
  const pending = known.filter((migration) => !applied.some((done) => done.id === migration.id));
  const late = pending.find((migration) => migration.id < newest);
  if (late !== undefined) {
    return new SchemaMismatch({
      migration: label(late),
      what: `the migration is numbered before ${newest}, which is already applied`,
      remedy: "Give it a number above every applied one.",
    });
  }
  return pending.toSorted((left, right) => left.id - right.id);
};

/** The statement that makes the table of what is applied. */
export const createMigrationsTable = `create table if not exists aos_schema_migrations (
  id         integer     primary key,
  name       text        not null,
  checksum   text        not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

/** What migrations make under the product's own names, which nobody else's tables and functions have. */
const madeBy = (some: ReadonlyArray<Migration>): Set<string> =>
  new Set(
    some
      .flatMap(({ statements }) => statements)
      .flatMap((statement) => [
        ...statement.matchAll(/create (?:table|function) (?<name>(?:aos|runproof)_\w+)/giu),
      ])
      .map(({ groups }) => groups!["name"]!),
  );

/** Which of some tables and functions the database has. */
const present = (names: ReadonlySet<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.unsafe<{ name: string }>(
      `select name from unnest(array[${[...names].map((name) => `'${name}'`).join(", ")}]::text[]) as name
       where to_regclass(name) is not null or exists (
         select from pg_proc where proname = name and pronamespace = to_regnamespace(current_schema()))`,
    ),
  );

/**
 * Fails where the database has what a migration makes that it does not record as applied. A migration and its record are
 * committed at once, so what is there before the record is read is recorded, or its record was removed.
 */
const requireRecorded = (known: ReadonlyArray<Migration>, there: ReadonlyArray<{ name: string }>) =>
  Effect.fnUntraced(function* (pending: ReadonlyArray<Migration>) {
    const made = madeBy(pending);
    for (const name of madeBy(known.filter((migration) => !pending.includes(migration))))
      made.delete(name);
    const unrecorded = there.filter(({ name }) => made.has(name));
    const [first] = unrecorded;
    if (first === undefined) return;
    const others = unrecorded.length - 1;
    return yield* new SchemaDamaged({
      what: `the database has ${first.name}${others === 0 ? "" : ` and ${others} more tables and functions`} of the schema, and no record of the migration that made them (aos_schema_migrations): the record was removed`,
    });
  });

/** One migrator at a time in a database; released with its transaction. */
const lock = `select pg_advisory_xact_lock(hashtextextended('runproof_migrations', 0))`;

/** Functions keep the search path they are made under: the schema migrated, and never a caller's temporary one first. */
const pinSearchPath = `select pg_catalog.set_config('search_path', pg_catalog.concat(pg_catalog.quote_ident(pg_catalog.current_schema()), ', pg_temp'), true)`;

/** Fails where something is gone that applied migrations made: migrating again would not bring it back. */
const requireMade = Effect.fnUntraced(function* (known: ReadonlyArray<Migration>) {
  const gone = madeBy(known);
  for (const { name } of yield* present(gone)) gone.delete(name);
  const [first] = gone;
  if (first === undefined) return;
  return yield* new SchemaDamaged({
    what: `${first}${gone.size === 1 ? "" : ` and ${gone.size - 1} more tables and functions`} of the schema can't be found, and the migration that made them is recorded as applied: they were removed, or the search path leads elsewhere`,
  });
});

/** Fails where the schema that would be made is found by this login alone, and so by no session of the application's. */
const requireSharedSchema = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient;
  const [found] = yield* sql<{ schema: string | null; database: string; is_own: boolean }>`
    select quote_ident(current_schema()) as schema, quote_ident(current_database()) as database,
           current_schema() = current_user and current_setting('search_path') ~ '"?\\$user"?' as is_own`;
  if (found?.schema == null) {
    return yield* new SchemaMismatch({
      migration: "traces",
      what: "no schema of the search path exists",
      remedy: "Create the schema that search_path names, or set search_path to one that exists.",
    });
  }
  if (!found.is_own) return;
  const { schema, database } = found;
  return yield* new SchemaMismatch({
    migration: "traces",
    what: `the schema ${schema} is found by the login ${schema} alone, for search_path begins with "$user": the application would look for it elsewhere`,
    remedy: `Name it for everyone (ALTER DATABASE ${database} SET search_path = ${schema};) and connect again, or drop it and use public.`,
  });
});

/** Fails where the database can't hold every text as it is hashed: in UTF-8. */
const requireUtf8 = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient;
  const [found] = yield* sql<{ encoding: string; database: string }>`
    select getdatabaseencoding() as encoding, quote_ident(current_database()) as database`;
  if (found!.encoding === "UTF8") return;
  const { encoding, database } = found!;
  return yield* new SchemaMismatch({
    migration: "traces",
    what: `the database ${database} is encoded in ${encoding}, and records are texts in UTF-8: some would be refused, or changed, after their act`,
    remedy: "Make a database for it: CREATE DATABASE <name> ENCODING 'UTF8' TEMPLATE template0;",
  });
});

const apply = Effect.fnUntraced(function* (known: ReadonlyArray<Migration>) {
  const sql = yield* SqlClient.SqlClient;
  yield* sql.unsafe(lock);
  yield* requireSharedSchema;
  yield* requireUtf8;
  yield* sql.unsafe(pinSearchPath);
  yield* sql.unsafe(createMigrationsTable);
  const pending = pendingMigrations(known, yield* appliedMigrations);
  if (pending instanceof SchemaMismatch) return yield* pending;
  yield* requireRecorded(known, yield* present(madeBy(known)))(pending);
  for (const migration of pending) {
    for (const statement of migration.statements) yield* sql.unsafe(statement);
    yield* sql`insert into aos_schema_migrations (id, name, checksum)
      values (${migration.id}, ${migration.name}, ${checksum(migration)})`;
  }
  if (pending.length > 0) yield* sql`grant select on aos_schema_migrations to runproof_app`;
  return pending.map(label);
});

/** Brings the schema to its head as the owner, and answers the names of what was applied. At head nothing is written. */
export const migrate = (
  known: ReadonlyArray<Migration> = migrations,
): Effect.Effect<
  ReadonlyArray<string>,
  SqlError | SchemaMismatch | SchemaDamaged,
  SqlClient.SqlClient
> =>
  Effect.gen(function* () {
    const pending = pendingMigrations(known, (yield* recordedMigrations).applied);
    if (pending instanceof SchemaMismatch) return yield* pending;
    if (pending.length > 0) return yield* inTransaction(yield* SqlClient.SqlClient, apply(known));
    yield* requireMade(known);
    return [];
  });

/** What the database records as applied, oldest first. */
export const appliedMigrations: Effect.Effect<
  ReadonlyArray<AppliedMigration>,
  SqlError,
  SqlClient.SqlClient
> = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<AppliedMigration>`select id, name, checksum from aos_schema_migrations order by id`,
);

/** What is recorded, if anything is, and whether row security keeps rows of it from this login. */
const recordedMigrations = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient;
  const [found] = yield* sql<{ is_there: boolean; is_hidden: boolean }>`
    select r.it is not null as is_there, coalesce(row_security_active(r.it), false) as is_hidden
    from (select to_regclass('aos_schema_migrations')::oid as it) r`;
  if (found?.is_hidden === true) return yield* hidden(["aos_schema_migrations"]);
  return { applied: found?.is_there === true ? yield* appliedMigrations : [] };
});

const hidden = (tables: ReadonlyArray<string>) =>
  new SchemaMismatch({
    migration: "row security",
    what: `row-level security is on for ${tables.join(", ")}: rows that are there may be hidden from this login, so nothing can be said of them`,
    remedy: `Find out who switched it on (an event trigger, perhaps), then, as the owner: ${tables.map((table) => `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY;`).join(" ")}`,
  });

/** Fails where row security may hide rows of evidence from this login. */
export const requireAllRows: Effect.Effect<void, SqlError | SchemaMismatch, SqlClient.SqlClient> =
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient;
    const tables = yield* sql<{ name: string }>`
      select c.relname::text as name from pg_class c
      where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relkind = 'r'
        and (c.relname like 'aos\\_%' or c.relname = 'runs') and row_security_active(c.oid)
        -- Under the policies of the migrations this login sees all; another policy may take rows away again.
        and not (exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'application')
                 and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname not in ('application', 'tenants', 'others')))
      order by 1`;
    if (tables.length > 0) return yield* hidden(tables.map(({ name }) => name));
  });

/** Fails unless the database is exactly at this version's head. */
export const requireHead: Effect.Effect<
  void,
  SqlError | SchemaMismatch | SchemaDamaged,
  SqlClient.SqlClient
> = Effect.gen(function* () {
  const there = yield* present(madeBy(migrations));
  const pending = pendingMigrations(migrations, (yield* recordedMigrations).applied);
  if (pending instanceof SchemaMismatch) return yield* pending;
  const [first] = pending;
  if (first === undefined) return;
  yield* requireRecorded(migrations, there)(pending);
  return yield* new SchemaMismatch({
    migration: label(first),
    ...(there.length === 0 ? { is_empty: true } : {}),
    what: `${pending.length} migration${pending.length === 1 ? "" : "s"} not applied yet`,
    remedy: "Run `runproof migrate` with the owner's DATABASE_URL.",
  });
});
