/** A recorded and signed log for tests: its database, its key and its state, each in the test's hands. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logSigner, logSignerConfig } from "@runproof/drivers/LogSigner";
import * as Effect from "effect/Effect";
import { configOf } from "./LogPrograms.ts";
import { migratedDatabase } from "./TestDatabase.ts";

export * from "./LogPrograms.ts";

export const ORIGIN = "example.com/log";

/** Where a log is: what a process needs to record and sign. */
export interface LogPlace {
  readonly url: string;
  /** A folder of the test's own, with the key in it. */
  readonly folder: string;
  readonly key: string;
  readonly vkey: string;
}

/** A migrated database on the run's server, and a key in a folder; both gone with the scope. */
export const logPlace = Effect.gen(function* () {
  const { url } = yield* migratedDatabase;
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "runproof-log-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  );
  const key = join(folder, "log.key");
  const signer = logSigner(logSignerConfig({ RUNPROOF_LOG_KEY_FILE: key }, configOf(url)));
  const { vkey } = yield* signer.generate({ origin: ORIGIN, path: key });
  return { url, folder, key, vkey } satisfies LogPlace;
});
