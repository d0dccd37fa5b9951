/** Makes, before a run of the tests, what they copy: a migrated database on the run's server and an embedded one at head. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Database, migrateDatabase } from "@runproof/drivers/Database";
import { checksum, migrations } from "@runproof/drivers/Migrations";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import type { TestProject } from "vitest/node";
import { serverConfig, storesOn } from "./Stores.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The name of a database at head that nobody opens: `createDatabase(inject("postgresUrl"), inject("migratedDatabase"))`. */
    readonly migratedDatabase: string;
    /** A folder with an embedded database at head that nobody opens, to copy. */
    readonly embeddedFolder: string;
  }
}

const CACHE = join(import.meta.dirname, "../node_modules/.cache");

/** What an embedded database is made from: with any of it changed, another one is made. */
const embeddedKey = () => {
  // pnpm puts the version into the path.
  const pglite = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const made = [pglite, ...migrations.map(checksum)].join();
  return createHash("sha256").update(made).digest("hex").slice(0, 16);
};

/** Making an embedded database takes seconds: it is kept between runs. */
const embeddedFolder = async () => {
  const folder = join(CACHE, `embedded-${embeddedKey()}`);
  if (existsSync(folder)) return folder;
  const making = `${folder}.${randomUUID()}`;
  await Effect.runPromise(
    Effect.provide(Effect.asVoid(Database), storesOn({ kind: "embedded", home: making })),
  );
  try {
    renameSync(making, folder);
  } catch {
    // Another run was faster, and a folder with content is not replaced.
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const database = await createDatabase(project.getProvidedContext().postgresUrl);
  await Effect.runPromise(migrateDatabase(serverConfig(database.url)));
  project.provide("migratedDatabase", database.name);
  project.provide("embeddedFolder", await embeddedFolder());
  return database.drop;
}
