import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

/** Tests of the pure packages need no server, and start none when they run alone. */
const pure = ["packages/schemas/test/**/*.test.ts", "packages/proof/test/**/*.test.ts"];

export default defineConfig({
  test: {
    // Where two cores are shared with a server and child processes, a slow test is no failed one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The tests often wait for the server: one worker fewer than cores would leave a core idle. More gain nothing.
    maxWorkers: Math.max(2, availableParallelism()),
    reporters: ["default", "./tooling/CountsReporter.ts"],
    projects: [
      { extends: true, test: { name: "pure", include: pure } },
      {
        extends: true,
        test: {
          name: "postgres",
          include: [
            "packages/*/test/**/*.test.ts",
            "apps/*/test/**/*.test.ts",
            "tooling/test/**/*.test.ts",
          ],
          exclude: [...configDefaults.exclude, ...pure],
          globalSetup: [
            "./tooling/PostgresGlobalSetup.ts",
            "./packages/drivers/test/PreparedDatabases.ts",
          ],
        },
      },
    ],
  },
});
