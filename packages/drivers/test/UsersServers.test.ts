/** Servers as users have them: with default privileges, event triggers, schemas and settings of their own. */
import { describe, expect, it as test } from "@effect/vitest";
import { catalogDrift } from "@runproof/drivers/CatalogDrift";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { checkOpenDatabase } from "@runproof/drivers/Doctor";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isSqlError } from "effect/sql/SqlError";
import { randomBytes } from "node:crypto";
import { readCatalog } from "../src/internal/postgres/readCatalog.ts";
import { inSnapshot } from "../src/internal/postgres/snapshot.ts";
import { databaseError } from "../src/internal/postgres/sqlReason.ts";
import { emptyDatabase, migratedDatabase, urlWith } from "./Databases.ts";
import { sealedRun, verify } from "./Evidence.ts";
import { serverConfig, storesOn } from "./Stores.ts";

const asRoot = (url: string, ...statements: ReadonlyArray<string>) =>
  Effect.promise(() => queryDatabase(url, ...statements));

const opened = <A, E>(url: string, effect: Effect.Effect<A, E, Database>) =>
  Effect.provide(effect, Layer.fresh(Database.layer(serverConfig(url))));

const checkNamed = (name: string) =>
  Effect.map(checkOpenDatabase, (checks) => checks.find((check) => check.name === name));

/** A role that goes with the scope, with what it was given in the database. */
const role = (url: string, attributes: string) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const name = `t_role_${randomBytes(6).toString("hex")}`;
      yield* asRoot(url, `create role ${name} ${attributes}`);
      return name;
    }),
    (name) => asRoot(url, `drop owned by ${name} cascade`, `drop role ${name}`),
  );

describe("a migrated database", () => {
  test.live("gives no right to whom the database gives all by default", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const other = yield* role(url, "nologin");
      yield* asRoot(
        url,
        ...["tables", "sequences", "functions"].map(
          (what) => `alter default privileges in schema public grant all on ${what} to ${other}`,
        ),
      );
      yield* migrateDatabase(serverConfig(url));
      const rights = yield* asRoot(
        url,
        `select c.relname::text as name from pg_class c, aclexplode(c.relacl) a where a.grantee = '${other}'::regrole
         union all
         select p.proname::text from pg_proc p, aclexplode(p.proacl) a where a.grantee = '${other}'::regrole`,
      );
      expect(rights).toEqual([]);
      const drift = opened(
        url,
        Effect.flatMap(Database, ({ sql }) => Effect.map(readCatalog(sql), catalogDrift)),
      );
      expect(yield* drift).toEqual([]);
      // A sequence that another sets back would stop all writers.
      yield* asRoot(url, `grant all on sequence aos_log_queue_queue_id_seq to ${other}`);
      expect((yield* drift).map(({ object }) => object)).toContain("aos_log_queue_queue_id_seq");
    }),
  );

  test.live("has no row security, though an event trigger switches it on for every table", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      yield* asRoot(
        url,
        `create function rls_on() returns event_trigger language plpgsql as $f$
         declare c record;
         begin
           for c in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop
             execute format('alter table %s enable row level security', c.object_identity);
           end loop;
         end $f$`,
        "create event trigger rls_on on ddl_command_end when tag in ('CREATE TABLE') execute function rls_on()",
      );
      yield* migrateDatabase(serverConfig(url));
      const verdict = yield* Effect.flatMap(sealedRun(1), verify).pipe(
        Effect.provide(Layer.fresh(storesOn(serverConfig(url)))),
      );
      expect(verdict.verification_status).toBe("VERIFIED");
    }),
  );

  test.live("whose rows are hidden says so, and never that they are gone", () =>
    Effect.gen(function* () {
      for (const [table, statement] of [
        ["aos_schema_migrations", "alter table aos_schema_migrations enable row level security"],
        ["aos_log_entries", "alter table aos_log_entries enable row level security"],
        ["aos_trace_steps", "create policy hide on aos_trace_steps as restrictive using (false)"],
        ["aos_traces", "drop policy application on aos_traces"],
      ] as const) {
        const { url } = yield* migratedDatabase;
        yield* asRoot(url, statement);
        expect(yield* Effect.flip(opened(url, Effect.void))).toMatchObject({
          _tag: "SchemaMismatch",
          what: expect.stringMatching(new RegExp(`on for ${table}: .* may be hidden`, "u")),
          remedy: expect.stringContaining(`ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY;`),
        });
      }
    }),
  );

  test.live("is not made in a schema that only its own login finds", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const login = yield* role(url, "login superuser password 'x'");
      yield* asRoot(url, `create schema ${login} authorization ${login}`);
      const own = urlWith(url, { username: login, password: "x" });
      expect(yield* Effect.flip(migrateDatabase(serverConfig(own)))).toMatchObject({
        _tag: "SchemaMismatch",
        what: expect.stringContaining(`found by the login ${login} alone`),
        remedy: expect.stringContaining(`SET search_path = ${login};`),
      });
      yield* asRoot(
        url,
        `alter database ${new URL(url).pathname.slice(1)} set search_path = ${login}`,
      );
      yield* migrateDatabase(serverConfig(own));
      yield* opened(own, Effect.void);
      // Another login finds the same.
      yield* opened(url, Effect.void);
    }),
  );

  for (const encoding of ["SQL_ASCII", "LATIN1"]) {
    test.live(`that is encoded in ${encoding} is refused before anything is made in it`, () =>
      Effect.gen(function* () {
        const { url } = yield* emptyDatabase;
        const name = `${new URL(url).pathname.slice(1)}_${encoding.toLowerCase()}`;
        yield* asRoot(
          url,
          `create database ${name} encoding '${encoding}' template template0 lc_collate 'C' lc_ctype 'C'`,
        );
        const other = urlWith(url, { pathname: `/${name}` });
        expect(yield* Effect.flip(migrateDatabase(serverConfig(other)))).toMatchObject({
          _tag: "SchemaMismatch",
          what: expect.stringContaining(`encoded in ${encoding}`),
          remedy: expect.stringContaining("ENCODING 'UTF8'"),
        });
        const made = "select relname from pg_class where relname ~ '^(aos_|runs$)'";
        expect(yield* Effect.promise(() => queryDatabase(other, made))).toEqual([]);
        yield* asRoot(url, `drop database ${name}`);
      }),
    );
  }

  test.live("that lost a table is not called at head", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      yield* asRoot(url, "drop table aos_checkpoints cascade");
      expect(yield* Effect.flip(migrateDatabase(serverConfig(url)))).toMatchObject({
        _tag: "SchemaDamaged",
        what: expect.stringContaining("aos_checkpoints"),
      });
    }),
  );
});

describe("who serves tenants", () => {
  test.live(
    "reads the rows of the tenant that the session names, none without one, and writes nothing",
    () =>
      Effect.gen(function* () {
        const { url } = yield* migratedDatabase;
        const stores = Layer.fresh(storesOn(serverConfig(url)));
        const runs = yield* Effect.provide(Effect.all([sealedRun(2), sealedRun(1)]), stores);
        const [{ tenant_id }] = runs;
        expect(runs[1].tenant_id).not.toBe(tenant_id);
        const login = yield* role(url, "login password 'x'");
        yield* asRoot(url, `grant runproof_tenant to ${login}`);
        const tenant = urlWith(url, { username: login, password: "x" });
        const count = (...before: ReadonlyArray<string>) =>
          Effect.map(
            asRoot(
              tenant,
              ...before,
              `select (select count(*)::int from aos_traces) as traces, (select count(*)::int from aos_trace_steps) as steps,
                    (select count(*)::int from runs) as runs`,
            ),
            ([row]) => row,
          );
        expect(yield* count()).toEqual({ traces: 0, steps: 0, runs: 0 });
        expect(yield* count("set runproof.tenant_id = 'nobody'")).toEqual({
          traces: 0,
          steps: 0,
          runs: 0,
        });
        expect(yield* count(`set runproof.tenant_id = '${tenant_id}'`)).toEqual({
          traces: 1,
          steps: 2,
          runs: 1,
        });
        for (const statement of [
          "delete from aos_traces",
          "insert into runs (tenant_id, run_id) values ('a', 'b')",
          "select * from aos_trace_leases",
          "select * from aos_log_entries",
          "select runproof_sequence_log(1)",
        ])
          yield* Effect.flip(Effect.tryPromise(() => queryDatabase(tenant, statement)));
        // A right to read that was given for reports goes on showing all.
        const reports = yield* role(url, "login password 'x'");
        yield* asRoot(url, `grant select on aos_traces to ${reports}`);
        const others = urlWith(url, { username: reports, password: "x" });
        expect(yield* asRoot(others, "select count(*)::int as n from aos_traces")).toEqual([
          { n: 2 },
        ]);
      }),
  );
});

describe("the doctor", () => {
  test.live(
    "names a table that was dropped, to the application's login too, and says nothing else of the others",
    () =>
      Effect.gen(function* () {
        const { url } = yield* migratedDatabase;
        const app = yield* role(url, "login password 'x'");
        yield* asRoot(url, `grant runproof_app to ${app}`, "drop table aos_traces cascade");
        const checks = yield* opened(
          urlWith(url, { username: app, password: "x" }),
          checkOpenDatabase,
        );
        expect(checks.find(({ name }) => name === "defences")).toMatchObject({
          status: "fail",
          detail: expect.stringContaining("aos_traces: the table is missing"),
        });
        expect(JSON.stringify(checks)).not.toContain("the other tables by");
      }),
  );
});

describe("a server that takes no writes", () => {
  test.live("is read, migrated as far as it is, and says why it can't record", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const stores = Layer.fresh(storesOn(serverConfig(url)));
      const run = yield* Effect.provide(sealedRun(1), stores);
      yield* asRoot(
        url,
        `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
      );
      expect(yield* migrateDatabase(serverConfig(url))).toEqual([]);
      const readOnly = Layer.fresh(storesOn(serverConfig(url)));
      expect((yield* Effect.provide(verify(run), readOnly)).verification_status).toBe("VERIFIED");
      expect(yield* Effect.flip(Effect.provide(sealedRun(1), readOnly))).toMatchObject({
        _tag: "DatabaseUnfit",
        what: expect.stringContaining("takes no writes"),
        remedy: expect.stringContaining("DATABASE_URL"),
      });
      expect(yield* opened(url, checkNamed("writes"))).toMatchObject({ status: "fail" });
    }),
  );
});

describe("a connection that is lost in a transaction", () => {
  test.live("is told as a lost connection, whatever taking the transaction back says", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const lost = Effect.flatMap(Database, ({ sql }) =>
        inSnapshot(
          sql,
          Effect.gen(function* () {
            const [row] = yield* sql<{ pid: number }>`select pg_backend_pid() as pid`;
            yield* asRoot(url, `select pg_terminate_backend(${row!.pid})`);
            return yield* sql`select 1`;
          }),
        ),
      );
      const error = yield* Effect.flip(opened(url, lost));
      expect(isSqlError(error) && databaseError("read", "here")(error)).toMatchObject({
        _tag: "DatabaseUnreachable",
      });
    }),
  );
});

describe("databases that share a server", () => {
  test.live(
    "are told that they share the application's role, until each lets in its own logins only",
    () =>
      Effect.gen(function* () {
        const here = yield* migratedDatabase;
        const there = yield* migratedDatabase;
        const app = yield* role(here.url, "login password 'x'");
        yield* asRoot(here.url, `grant runproof_app to ${app}`);
        const url = urlWith(here.url, { username: app, password: "x" });
        const reach = yield* opened(url, checkNamed("reach"));
        expect(reach).toMatchObject({
          status: "warn",
          detail: expect.stringContaining(there.name),
        });
        const remedies = reach!.remedy!.split("; ").slice(0, 2);
        expect(remedies[1]).toContain(`TO ${app}`);
        yield* asRoot(here.url, ...remedies);
        expect(yield* opened(url, checkNamed("reach"))).toMatchObject({ status: "ok" });
        const other = yield* role(there.url, "login password 'x'");
        yield* asRoot(there.url, `grant runproof_app to ${other}`);
        const foreign = urlWith(here.url, { username: other, password: "x" });
        expect(yield* Effect.flip(opened(foreign, Effect.void))).toMatchObject({
          _tag: "NotAuthorised",
        });
      }),
  );
});
