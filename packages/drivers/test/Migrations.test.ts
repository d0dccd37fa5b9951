import * as PgClient from "@effect/sql-pg/PgClient";
import { describe, expect, it as test } from "@effect/vitest";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import {
  type AppliedMigration,
  appliedMigrations,
  checksum,
  migrate,
  type Migration,
  migrations,
  pendingMigrations,
} from "@runproof/drivers/Migrations";
import { SchemaMismatch } from "@runproof/schemas/RunProofError";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Redacted from "effect/Redacted";
import { SqlClient } from "effect/sql/SqlClient";
import { catalogDrift } from "@runproof/drivers/CatalogDrift";
import { readCatalog } from "../src/internal/postgres/readCatalog.ts";
import {
  asApplication,
  asSuperuser,
  embeddedFolder,
  emptyDatabase,
  migratedDatabase,
  onEachDatabase,
  untilWaiting,
} from "./Databases.ts";
import { sealedRun, verify } from "./Evidence.ts";
import { serverConfig, storesOn } from "./Stores.ts";

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

/** Runs an effect as the login of a URL, with no role taken on and nothing checked. */
const sessionOn =
  (url: string) =>
  <A, E>(effect: Effect.Effect<A, E, SqlClient>) =>
    Effect.flatMap(PgClient.make({ url: Redacted.make(url), maxConnections: 1 }), (sql) =>
      Effect.provideService(effect, SqlClient, sql),
    ).pipe(Effect.scoped, Effect.provide(Reactivity.layer));

const toy = (id: number, name = `toy${id}`): Migration => ({
  id,
  name,
  statements: [`create table toy_${id} (a integer)`],
});

const appliedFrom = (known: ReadonlyArray<Migration>): ReadonlyArray<AppliedMigration> =>
  known.map((migration) => ({ ...migration, checksum: checksum(migration) }));

describe("which migrations are pending", () => {
  const three = [toy(1), toy(2), toy(3)];

  test("all, in order, on a fresh database; then none", () => {
    expect(pendingMigrations([toy(3), toy(1), toy(2)], [])).toEqual(three);
    expect(pendingMigrations(three, appliedFrom(three))).toEqual([]);
    expect(pendingMigrations(three, appliedFrom(three.slice(0, 1)))).toEqual(three.slice(1));
  });

  const refusals: ReadonlyArray<
    readonly [string, ReadonlyArray<Migration>, ReadonlyArray<AppliedMigration>, string, RegExp]
  > = [
    [
      "a statement that was changed",
      [{ ...toy(1), statements: ["create table toy_1 (a bigint)"] }, toy(2)],
      appliedFrom(three.slice(0, 2)),
      "0001_toy1",
      /changed after it was applied/u,
    ],
    [
      "a statement that was taken away",
      [{ ...toy(1), statements: [] }],
      appliedFrom([toy(1)]),
      "0001_toy1",
      /changed/u,
    ],
    ["a name that was changed", [toy(1, "other")], appliedFrom([toy(1)]), "0001_other", /changed/u],
    [
      "one that is numbered before an applied one",
      three,
      appliedFrom([toy(1), toy(3)]),
      "0002_toy2",
      /numbered before 3/u,
    ],
    [
      "an applied one that this version does not know",
      three,
      appliedFrom([...three, toy(4)]),
      "0004_toy4",
      /does not know/u,
    ],
  ];
  for (const [what, known, applied, migration, reason] of refusals)
    test(`stops at ${what}, with its name`, () => {
      const answer = pendingMigrations(known, applied);
      expect(answer).toBeInstanceOf(SchemaMismatch);
      expect(answer).toMatchObject({
        migration,
        what: expect.stringMatching(reason),
        remedy: expect.stringMatching(/./u),
        message: expect.stringContaining(migration),
      });
    });

  test("the released ones are numbered without gap, in order", () => {
    expect(migrations.map(({ id }) => id)).toEqual(migrations.map((_, index) => index + 1));
  });
});

describe("migrating a server", () => {
  test.live("brings an empty database to head, and the second time does nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const config = serverConfig(url);
      expect(yield* migrateDatabase(config)).toEqual(labels);
      const before = yield* sessionOn(url)(appliedMigrations);
      expect(yield* migrateDatabase(config)).toEqual([]);
      expect(yield* sessionOn(url)(appliedMigrations)).toEqual(before);
      expect(before).toEqual(
        migrations.map((migration) => ({
          id: migration.id,
          name: migration.name,
          checksum: checksum(migration),
        })),
      );
    }),
  );

  test.live("brings each older schema to head, without drift, and it works", () =>
    Effect.gen(function* () {
      for (let applied = 0; applied < migrations.length; applied += 1) {
        const { url } = yield* emptyDatabase;
        const session = sessionOn(url);
        expect(yield* session(migrate(migrations.slice(0, applied)))).toEqual(
          labels.slice(0, applied),
        );
        expect(yield* migrateDatabase(serverConfig(url))).toEqual(labels.slice(applied));
        expect(catalogDrift(yield* session(Effect.flatMap(SqlClient, readCatalog)))).toEqual([]);
        const verdict = yield* Effect.flatMap(sealedRun(2), verify).pipe(
          Effect.provide(Layer.fresh(storesOn(serverConfig(url)))),
        );
        expect(verdict.verification_status).toBe("VERIFIED");
      }
    }),
  );

  test.live("stops at a changed and at a late-numbered migration, and applies nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const session = sessionOn(url);
      yield* session(migrate([...migrations, toy(101), toy(103)]));
      const [first, ...others] = migrations;
      const changed = { ...first!, statements: [...first!.statements, "select 1"] };
      for (const [known, migration] of [
        [[changed, ...others, toy(101), toy(103), toy(104)], "0001_traces"],
        [[...migrations, toy(101), toy(102), toy(103), toy(104)], "0102_toy102"],
        [migrations, "0101_toy101"],
      ] as const) {
        expect(yield* Effect.flip(session(migrate(known)))).toMatchObject({
          _tag: "SchemaMismatch",
          migration,
        });
      }
      const tables = yield* Effect.promise(() =>
        queryDatabase(url, "select relname::text as name from pg_class where relname like 'toy%'"),
      );
      expect(new Set(tables.map(({ name }) => name))).toEqual(new Set(["toy_101", "toy_103"]));
    }),
  );

  test.live("takes all of it back where one statement fails", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const broken = {
        ...toy(101),
        statements: ["create table toy_101 (a integer)", "select 1/0"],
      };
      const error = yield* Effect.flip(sessionOn(url)(migrate([...migrations, broken])));
      expect(error._tag).toBe("SqlError");
      const [left] = yield* Effect.promise(() =>
        queryDatabase(
          url,
          "select count(*)::int as tables from pg_class where relnamespace = 'public'::regnamespace",
        ),
      );
      expect(left).toEqual({ tables: 0 });
      expect(yield* migrateDatabase(serverConfig(url))).toEqual(labels);
    }),
  );

  test.live("lets one migrator at a time in, and the others find it done", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const answers = yield* Effect.all(
        Array.from({ length: 6 }, () => migrateDatabase(serverConfig(url))),
        { concurrency: "unbounded" },
      );
      expect(answers.toSorted((left, right) => right.length - left.length)).toEqual([
        labels,
        ...Array.from({ length: 5 }, () => []),
      ]);
    }),
  );

  test.live("waits for a migrator that is at work in another session", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      const answers: Array<string> = [];
      const second = Effect.tap(migrateDatabase(serverConfig(url)), () =>
        Effect.sync(() => answers.push("second")),
      );
      const first = Effect.gen(function* () {
        yield* migrate();
        // Inside the first one's transaction: the second has begun, and waits.
        const waiting = yield* Effect.forkChild(second);
        yield* untilWaiting(url, 1);
        answers.push("first");
        return waiting;
      });
      const waiting = yield* sessionOn(url)(
        Effect.flatMap(SqlClient, (sql) => sql.withTransaction(first)),
      );
      expect(yield* Fiber.join(waiting)).toEqual([]);
      expect(answers).toEqual(["first", "second"]);
    }),
  );

  test.live("opens no database that is not migrated, half migrated, or newer", () =>
    Effect.gen(function* () {
      const opening = (url: string) =>
        Effect.flip(Effect.provide(Database, Layer.fresh(Database.layer(serverConfig(url)))));
      const empty = yield* emptyDatabase;
      expect(yield* opening(empty.url)).toMatchObject({
        _tag: "SchemaMismatch",
        remedy: expect.stringContaining("runproof migrate"),
      });
      yield* sessionOn(empty.url)(migrate(migrations.slice(0, 2)));
      expect(yield* opening(empty.url)).toMatchObject({
        _tag: "SchemaMismatch",
        migration: "0003_immutability",
        what: `${migrations.length - 2} migrations not applied yet`,
      });
      yield* sessionOn(empty.url)(migrate([...migrations, toy(101, "of_tomorrow")]));
      expect(yield* opening(empty.url)).toMatchObject({
        _tag: "SchemaMismatch",
        migration: "0101_of_tomorrow",
        remedy: expect.stringContaining("newer"),
      });
      expect(yield* Effect.flip(migrateDatabase(serverConfig(empty.url)))).toMatchObject({
        migration: "0101_of_tomorrow",
      });
    }),
  );

  test.live("works in a schema of its own, and its functions read no other", () =>
    Effect.gen(function* () {
      const { url, name } = yield* emptyDatabase;
      yield* Effect.promise(() =>
        queryDatabase(
          url,
          "create schema evidence",
          `alter database ${name} set search_path = evidence`,
        ),
      );
      yield* migrateDatabase(serverConfig(url));
      // Tables of the same names where everyone looks first otherwise.
      yield* Effect.promise(() =>
        queryDatabase(
          url,
          "create table public.aos_traces (a int)",
          "create table public.aos_trace_leases (a int)",
        ),
      );
      const program = Effect.gen(function* () {
        expect((yield* verify(yield* sealedRun(1))).verification_status).toBe("VERIFIED");
        return yield* asApplication("select count(*)::int as n from evidence.aos_traces");
      });
      expect(yield* Effect.provide(program, Layer.fresh(storesOn(serverConfig(url))))).toEqual([
        { n: 1 },
      ]);
    }),
  );
});

onEachDatabase("an open database", (it) => {
  it.effect("is at head, with each migration's checksum", () =>
    Effect.gen(function* () {
      const rows = yield* asApplication(
        "select id, name, checksum from aos_schema_migrations order by id",
      );
      expect(rows).toEqual(
        migrations.map((migration) => ({
          id: migration.id,
          name: migration.name,
          checksum: checksum(migration),
        })),
      );
    }),
  );

  it.effect("is migrated by its owner, and the application can't", () =>
    Effect.gen(function* () {
      const database = yield* Database;
      const { sql } = database;
      const own = asOwner(database);
      expect(yield* own(migrate())).toEqual([]);
      const more = migrate([...migrations, toy(101)]);
      const error = yield* Effect.flip(Effect.provideService(more, SqlClient, sql));
      expect(error._tag).toBe("SqlError");
    }),
  );
});

describe("an embedded database", () => {
  test.live("of a newer version is not opened, and says which migration it is", () =>
    Effect.gen(function* () {
      const config = { kind: "embedded", home: yield* embeddedFolder } as const;
      const opened = <A, E>(effect: Effect.Effect<A, E, Database>) =>
        Effect.provide(effect, Layer.fresh(Database.layer(config)));
      yield* opened(
        asSuperuser(
          "insert into aos_schema_migrations (id, name, checksum) values (101, 'of_tomorrow', 'x')",
        ),
      );
      expect(yield* Effect.flip(opened(Effect.void))).toMatchObject({
        _tag: "SchemaMismatch",
        migration: "0101_of_tomorrow",
      });
    }),
  );
});
