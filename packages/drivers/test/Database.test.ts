import { createServer, type Server } from "node:net";
import { inspect } from "node:util";
import { describe, expect, it as test } from "@effect/vitest";
import {
  Database,
  databaseConfig,
  describeDatabase,
  hidePassword,
  migrateDatabase,
  type DatabaseConfig,
} from "@runproof/drivers/Database";
import { checkOpenDatabase, examine } from "@runproof/drivers/Doctor";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { inject } from "vitest";
import {
  asApplication,
  emptyDatabase,
  migratedDatabase,
  onEachDatabase,
  urlWith,
} from "./Databases.ts";
import { openRun, record, seal, verify } from "./Evidence.ts";
import { serverConfig, storesOn, traces } from "./Stores.ts";

const URL_OF_ANY = "postgresql://ann:secret@db.example:5432/evidence";

describe("which database", () => {
  test("a server by DATABASE_URL, whatever else is set", () => {
    for (const USE_POSTGRES_TRACES of [undefined, "", "true", "TRUE", " 1 ", "false", "off"]) {
      const config = databaseConfig({
        DATABASE_URL: ` ${URL_OF_ANY} `,
        RUNPROOF_HOME: "/elsewhere",
        USE_POSTGRES_TRACES,
      });
      expect(config).toMatchObject({ kind: "server" });
      expect(Redacted.value((config as { url: Redacted.Redacted<string> }).url)).toBe(URL_OF_ANY);
    }
  });

  test("without one the embedded, in RUNPROOF_HOME or ./.runproof", () => {
    expect(databaseConfig({ RUNPROOF_HOME: "/some/where" })).toEqual({
      kind: "embedded",
      home: "/some/where",
    });
    for (const settings of [
      {},
      { DATABASE_URL: "", RUNPROOF_HOME: " ", USE_POSTGRES_TRACES: "no" },
    ])
      expect(databaseConfig(settings)).toEqual({
        kind: "embedded",
        home: `${process.cwd()}/.runproof`,
      });
  });

  test("USE_POSTGRES_TRACES without DATABASE_URL is refused: the production path never falls back", () => {
    for (const USE_POSTGRES_TRACES of ["true", "True", "1", "yes", "on", " true "])
      for (const DATABASE_URL of [undefined, "", "  "]) {
        const answer = databaseConfig({ USE_POSTGRES_TRACES, DATABASE_URL, RUNPROOF_HOME: "/x" });
        expect(answer).toBeInstanceOf(ConfigurationInvalid);
        expect(answer).toMatchObject({
          setting: "USE_POSTGRES_TRACES",
          what: expect.stringContaining("DATABASE_URL is not set"),
          remedy: expect.stringContaining("DATABASE_URL"),
        });
      }
  });

  test("a setting that is neither, or no PostgreSQL URL, is refused and not repeated", () => {
    for (const USE_POSTGRES_TRACES of ["ture", "2", "postgres"])
      expect(databaseConfig({ USE_POSTGRES_TRACES, DATABASE_URL: URL_OF_ANY })).toMatchObject({
        _tag: "ConfigurationInvalid",
        setting: "USE_POSTGRES_TRACES",
      });
    for (const DATABASE_URL of [
      "mysql://ann:secret@db/x",
      "ann:secret@db",
      "secret",
      "host=db password=secret",
    ]) {
      const answer = databaseConfig({ DATABASE_URL });
      expect(answer).toMatchObject({ _tag: "ConfigurationInvalid", setting: "DATABASE_URL" });
      expect(renderings(answer)).not.toContain("secret");
    }
  });
});

/** Every way in which something may come before a person or into a file. */
const renderings = (value: unknown): string =>
  [
    String(value),
    JSON.stringify(value),
    inspect(value, { depth: null, showHidden: true }),
    value instanceof Error ? `${value.message} ${value.stack} ${renderings(value.cause)}` : "",
  ].join("\n");

describe("a password", () => {
  const urls = [
    "postgresql://ann:s3cr3t@db.example/evidence",
    "postgres://ann:s3cr3t@db.example:5433/evidence?sslmode=require",
    "postgresql://ann:s3cr3t%40%2F%3A@db.example/evidence",
    "postgresql://db.example/evidence?user=ann&password=s3cr3t",
    "postgresql://db.example/evidence?PASSWORD=s3cr3t&sslpassword=s3cr3t&passfile=s3cr3t",
    "postgresql://:s3cr3t@db.example/evidence",
  ];
  for (const url of urls)
    test(`is hidden in ${url.replaceAll("s3cr3t", "…")}`, () => {
      const config: DatabaseConfig = serverConfig(url);
      expect(hidePassword(url).includes("***")).toBe(new URL(url).password !== "");
      expect(hidePassword(url)).toContain("db.example");
      expect(describeDatabase(config)).toBe(hidePassword(url));
      expect(hidePassword(url) + renderings(config)).not.toContain("s3cr3t");
    });

  test("that is not there is not made up, and what is no URL is not shown", () => {
    expect(hidePassword("postgresql://ann@db.example/evidence")).toBe(
      "postgresql://ann@db.example/evidence",
    );
    expect(hidePassword("ann:s3cr3t@db")).not.toContain("s3cr3t");
  });

  for (const mark of ["#", "/", "?"])
    test(`cut by ${mark} makes a URL that is refused, and shown nowhere`, () => {
      const url = `postgresql://ann:12${mark}s3cr3t@db.example/evidence`;
      const config = databaseConfig({ DATABASE_URL: url });
      expect(config).toBeInstanceOf(ConfigurationInvalid);
      expect(hidePassword(url) + renderings(config)).not.toContain("s3cr3t");
    });
});

/** A port where nothing listens any more. */
const closedPort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = createServer();
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    }),
);

/** A listener that is no PostgreSQL server. */
const listener = (answer: string | null) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<Server>((resolve) => {
            const server = createServer((socket) => {
              socket.on("error", () => {});
              if (answer === null) socket.destroy();
              else socket.end(answer);
            });
            server.listen(0, "127.0.0.1", () => resolve(server));
          }),
      ),
      (server) => Effect.sync(() => server.close()),
    ),
    (server) => (server.address() as { port: number }).port,
  );

describe("a database that can't be opened", () => {
  const PASSWORD = "s3cr3t%40password";

  test.live("fails at start, says where and what to do, and shows no password in any form", () =>
    Effect.gen(function* () {
      const missing = urlWith(inject("postgresUrl"), { pathname: "/no_such_database" });
      const unreachable = (port: number) =>
        `postgresql://ann:${PASSWORD}@127.0.0.1:${port}/evidence`;
      const urls = [
        unreachable(yield* closedPort),
        unreachable(yield* listener(null)),
        unreachable(yield* listener("HTTP/1.1 400 Bad Request\r\n\r\n")),
        `postgresql://ann:${PASSWORD}@no-such-host.invalid/evidence`,
        `postgresql://ann:s3cr3t%@127.0.0.1/evidence`,
        missing,
      ];
      for (const url of urls) {
        const secret = decodeURIComponent(new URL(url).password.replace(/%$/u, ""));
        const forms = [secret, new URL(url).password, encodeURIComponent(secret)].filter(Boolean);
        for (const open of [
          Effect.provide(Effect.void, Layer.fresh(Database.layer(serverConfig(url)))),
          Effect.asVoid(migrateDatabase(serverConfig(url))),
        ]) {
          const exit = yield* Effect.exit(open);
          const error = yield* Effect.flip(open);
          expect(error, url).toMatchObject({
            _tag: "DatabaseUnreachable",
            url: hidePassword(url),
            message: expect.stringContaining(new URL(url).hostname),
            remedy: expect.stringContaining("DATABASE_URL"),
          });
          const shown = [
            renderings(error),
            renderings(exit),
            Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          ].join("\n");
          for (const form of forms) expect(shown).not.toContain(form);
        }
        const [check] = yield* examine(serverConfig(url));
        expect(check).toMatchObject({ name: "database", status: "fail", remedy: error(check) });
        for (const form of forms) expect(renderings(check)).not.toContain(form);
      }
    }),
  );

  const error = (check: { readonly remedy: string | null } | undefined) => check?.remedy ?? "";

  test.live("is a failed check of the doctor's where it is not migrated", () =>
    Effect.gen(function* () {
      const { url } = yield* emptyDatabase;
      expect(yield* examine(serverConfig(url))).toMatchObject([
        { name: "schema", status: "fail", remedy: expect.stringContaining("runproof migrate") },
      ]);
    }),
  );
});

onEachDatabase("an open database", (it) => {
  it.effect("is examined, check by check", () =>
    Effect.gen(function* () {
      const { kind, description } = yield* Database;
      const checks = yield* checkOpenDatabase;
      // The tests' own server is made for speed, and one login does everything.
      const status = { version: "ok", schema: "ok", defences: "ok" };
      const found = Object.fromEntries(checks.map((check) => [check.name, check.status]));
      expect(found).toMatchObject({ database: "ok", ...status });
      for (const check of checks) expect(check.remedy === null).toBe(check.status === "ok");
      const [settings] = yield* asApplication(
        "select current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as is_durable",
      );
      expect(found["durability"]).toBe(settings!["is_durable"] === true ? "ok" : "warn");
      if (kind === "embedded") expect(found["durability"]).toBe("ok");
      expect(found["login"]).toBe(kind === "server" ? "warn" : undefined);
      expect(JSON.stringify(checks)).toContain(description);
      expect(JSON.stringify(checks)).not.toContain(
        new URL(inject("postgresUrl")).password || "///",
      );
    }),
  );

  it.effect("gives the login's rights to an owner's operation only, in one transaction", () =>
    Effect.gen(function* () {
      const database = yield* Database;
      const { sql } = database;
      const own = asOwner(database);
      const who = Effect.map(
        sql<{ role: string }>`select current_user::text as role`,
        ([row]) => row!.role,
      );
      expect(yield* who).toBe("runproof_app");
      yield* own(Effect.flatMap(Database, () => Effect.void));
      yield* Effect.flip(own(Effect.fail("taken back")));
      expect(yield* who).toBe("runproof_app");
      // Inside a transaction of the application's it is the application again afterwards.
      const store = yield* traces;
      const roles = yield* store.atomically(
        Effect.gen(function* () {
          const before = yield* who;
          yield* own(Effect.void);
          yield* Effect.exit(own(Effect.fail("taken back")));
          return [before, yield* who];
        }),
      );
      expect(roles).toEqual(["runproof_app", "runproof_app"]);
    }),
  );
});

describe("a server's sessions", () => {
  test.live("have the settings that the guarantees stand on, whatever the database's are", () =>
    Effect.gen(function* () {
      const { url, name } = yield* migratedDatabase;
      yield* Effect.promise(() =>
        queryDatabase(
          url,
          `alter database ${name} set default_transaction_isolation = 'serializable'`,
          `alter database ${name} set synchronous_commit = off`,
          `alter database ${name} set extra_float_digits = -15`,
          `alter database ${name} set datestyle = 'German'`,
          `alter database ${name} set timezone = 'Asia/Kathmandu'`,
          `alter database ${name} set intervalstyle = 'sql_standard'`,
          `alter database ${name} set bytea_output = 'escape'`,
          `alter database ${name} set standard_conforming_strings = off`,
        ),
      );
      const program = Effect.gen(function* () {
        expect(
          yield* asApplication(
            `select current_setting('transaction_isolation') as isolation, current_setting('synchronous_commit') as commits`,
          ),
        ).toEqual([{ isolation: "read committed", commits: "on" }]);
        const run = yield* openRun(1);
        yield* record(run.trace_id, { cost_cents: 0.1 + 0.2, duration_ms: 1e-7 });
        yield* seal(run.trace_id);
        return yield* verify(run);
      });
      expect(
        yield* Effect.provide(program, Layer.fresh(storesOn(serverConfig(url)))),
      ).toMatchObject({ verification_status: "VERIFIED", findings: [] });
    }),
  );

  test.live("that the server ended are replaced, and what failed meanwhile is said", () =>
    Effect.gen(function* () {
      const { url } = yield* migratedDatabase;
      const program = Effect.gen(function* () {
        const run = yield* openRun(1);
        yield* Effect.promise(() =>
          queryDatabase(
            url,
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()`,
          ),
        );
        // At most the statements of the sessions that are gone fail, each as unreachable.
        let failures = 0;
        for (let step = 1; step < 5;) {
          const result = yield* Effect.result(record(run.trace_id));
          if (result._tag === "Success") step += 1;
          else {
            expect(result.failure._tag).toBe("DatabaseUnreachable");
            failures += 1;
            expect(failures).toBeLessThan(20);
          }
        }
        yield* seal(run.trace_id);
        return yield* verify(run);
      });
      expect(
        yield* Effect.provide(program, Layer.fresh(storesOn(serverConfig(url)))),
      ).toMatchObject({ verification_status: "VERIFIED", chain_length: 5 });
    }),
  );
});
