/** Goal: settings choose the one database that is meant, and opening it leaves no dead run looking alive. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, describe, it } from "@effect/vitest";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { SchemaCoordinator } from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { inject } from "vitest";
import { actSkill } from "./Act.ts";
import { asOwner } from "./StoredRuns.ts";
import { embeddedConfig, serverConfig } from "./TestDatabase.ts";

const decide = (env: Record<string, string>, settings: RunproofLayer.RunproofSettings = {}) =>
  RunproofLayer.configFromEnvironment(settings).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
  );

const DATABASE_URL = "postgresql://user:hush@db.example:5432/runs";

describe("the settings", () => {
  it.effect("take the server of DATABASE_URL, and the embedded database without it", () =>
    Effect.gen(function* () {
      const server = yield* decide({ DATABASE_URL });
      assert.strictEqual(server.kind, "server");
      assert.notInclude(JSON.stringify(server), "hush");
      const embedded = yield* decide({ RUNPROOF_HOME: "/home/of/runs" });
      assert.deepStrictEqual(embedded, { kind: "embedded", home: "/home/of/runs" });
    }),
  );

  it.effect("of a caller win over the environment", () =>
    Effect.gen(function* () {
      const home = yield* decide({ DATABASE_URL }, { home: "/elsewhere" });
      assert.deepStrictEqual(home, { kind: "embedded", home: "/elsewhere" });
      const other = "postgresql://db.example:5432/other";
      const server = yield* decide({ DATABASE_URL }, { databaseUrl: other, home: "/elsewhere" });
      assert.strictEqual(server.kind === "server" ? Redacted.value(server.url) : "", other);
    }),
  );

  it.effect("that demand a server never fall back to the embedded database", () =>
    Effect.gen(function* () {
      for (const refused of [
        decide({ USE_POSTGRES_TRACES: "true" }),
        decide({}, { requireServer: true }),
        decide({ DATABASE_URL, USE_POSTGRES_TRACES: "true" }, { home: "/elsewhere" }),
      ]) {
        const error = yield* Effect.flip(refused);
        assert.deepInclude(error, { _tag: "ConfigurationInvalid", setting: "USE_POSTGRES_TRACES" });
      }
      assert.strictEqual(
        (yield* decide({ DATABASE_URL, USE_POSTGRES_TRACES: "true" })).kind,
        "server",
      );
    }),
  );
});

describe("opening", () => {
  it.live("an embedded database brings it to head, and records runs", () =>
    Effect.gen(function* () {
      const home = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-test-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
      );
      const plan = {
        steps: [
          { skill: "http_call", params: { method: "GET", url: "http://127.0.0.1:1" }, retries: 0 },
        ],
      };
      const { status } = yield* Effect.flatMap(RunCoordinator, (runs) =>
        runs.execute({ plan, tenant_id: "t" }),
      ).pipe(Effect.provide(RunproofLayer.fromEnvironment({ home })));
      assert.strictEqual(status, "failed");
    }).pipe(Effect.scoped),
  );

  it.live("aborts what a dead process left, at once and with nothing waiting for it", () =>
    Effect.gen(function* () {
      const config = yield* serverConfig;
      const run_id = "left-behind";
      const open = RunproofLayer.layer().pipe(Layer.provideMerge(Database.layer(config)));
      const leave = Effect.gen(function* () {
        const { sink } = yield* LogsBridge;
        const now = "2026-02-10T12:43:41.549430Z";
        const trace = prepareTrace({
          trace_id: "trace-left-behind",
          run_id,
          tenant_id: "t",
          correlation_id: run_id,
          agent_id: null,
          origin_system_id: null,
          incident_id: null,
          replay_of: null,
          started_at: now,
          created_at: now,
          seed: null,
          frozen_timestamp: null,
          is_synthetic: false,
          synthetic_scenario_id: null,
          redaction: null,
          capture: "inline",
        });
        yield* sink.start({ trace, holder: "a process that died", lease_ms: 60_000 });
        yield* asOwner("update aos_trace_leases set expires_at = clock_timestamp()");
      });
      yield* Effect.provide(leave, open);
      const status = Effect.map(
        TraceCoordinator.use(({ list }) => list({ tenant_id: "t" })),
        ({ traces }) => traces.map((trace) => trace.status),
      );
      // It ends by the sweep alone: there is no other that aborts.
      const swept = Effect.repeat(status, { until: ([first]) => first === "aborted" });
      assert.deepStrictEqual(yield* Effect.provide(swept, open), ["aborted"]);
    }).pipe(Effect.scoped),
  );

  it.live("refuses two skills of one id", () =>
    Effect.gen(function* () {
      const config = yield* embeddedConfig;
      const error = yield* Effect.flip(
        Effect.provide(
          Effect.void,
          RunproofLayer.layer([actSkill, actSkill]).pipe(Layer.provide(Database.layer(config))),
        ),
      );
      assert.deepInclude(error, { _tag: "ConfigurationInvalid", setting: "skills" });
    }).pipe(Effect.scoped),
  );
});

describe("the schema", () => {
  it.live("is brought to head once, and the doctor says what it was before", () =>
    Effect.gen(function* () {
      const { url } = yield* Effect.acquireRelease(
        Effect.promise(() => createDatabase(inject("postgresUrl"))),
        (database) => Effect.promise(() => database.drop()),
      );
      yield* Effect.gen(function* () {
        const { migrate, doctor } = yield* SchemaCoordinator;
        const before = yield* doctor();
        assert.isTrue(before.some(({ status, remedy }) => status === "fail" && remedy !== null));
        const applied = yield* migrate();
        assert.deepStrictEqual(applied[0], { id: 1, name: "traces" });
        assert.isTrue(applied.length > 1);
        assert.lengthOf(yield* migrate(), 0);
        const after = yield* doctor();
        assert.lengthOf(
          after.filter(({ status }) => status === "fail"),
          0,
        );
      }).pipe(Effect.provide(RunproofLayer.schemaFromEnvironment({ databaseUrl: url })));
      const none = yield* Effect.provide(
        Effect.flatMap(SchemaCoordinator, ({ doctor }) => doctor()),
        RunproofLayer.schemaFromEnvironment({ databaseUrl: "postgresql://127.0.0.1:1/none" }),
      );
      assert.deepInclude(none[0], { name: "database", status: "fail" });
      const config = { kind: "server", url: Redacted.make(url) } as const;
      assert.lengthOf(yield* migrateDatabase(config), 0);
    }).pipe(Effect.scoped),
  );
});
