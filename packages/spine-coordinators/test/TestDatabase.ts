/** Databases of their own for tests: one on the run's real server, one embedded in the test's process. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import type { Skill } from "@runproof/drivers/Skill";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { inject } from "vitest";

/** A database on the run's server, at head; dropped with its scope. */
export const migratedDatabase = Effect.acquireRelease(
  Effect.promise(() => createDatabase(inject("postgresUrl"), inject("migratedDatabase"))),
  ({ drop }) => Effect.promise(drop),
);

/** Its configuration. */
export const serverConfig = Effect.map(migratedDatabase, ({ url }): DatabaseConfig => ({
  kind: "server",
  url: Redacted.make(url),
}));

/** An embedded database at head in a folder of its own; removed with its scope. */
export const embeddedConfig = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "runproof-test-"))),
  (home) => Effect.sync(() => rmSync(home, { recursive: true, force: true })),
).pipe(
  Effect.tap((home) =>
    Effect.sync(() => cpSync(inject("embeddedFolder"), home, { recursive: true })),
  ),
  Effect.map((home): DatabaseConfig => ({ kind: "embedded", home })),
);

/** The coordinators over a new database. */
export const runproof = (config: typeof serverConfig, skills: ReadonlyArray<Skill> = []) =>
  Layer.unwrap(
    Effect.map(config, (opened) =>
      RunproofLayer.layer(skills).pipe(Layer.provideMerge(Database.layer(opened))),
    ),
  );

/** Both databases, for tests that must hold on each. */
export const databases = [
  ["a real server", serverConfig],
  ["the embedded database", embeddedConfig],
] as const;
