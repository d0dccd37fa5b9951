/**
 * A database that is made to be attacked, by a superuser who may do anything to it. It is always one of its own: what an
 * attack does to evidence can't be taken back.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { DatabaseFailed } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Redacted from "effect/Redacted";
import { SqlClient } from "effect/sql/SqlClient";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { type Drift, readDrift } from "@runproof/drivers/CatalogDrift";
import {
  Database,
  type DatabaseConfig,
  migrateDatabase,
  type OpenError,
} from "@runproof/drivers/Database";
import { asOwner } from "./internal/asOwner.ts";
import { type Change, changeRow } from "./internal/changeRow.ts";
import { type EvidenceTable, evidenceTables } from "./internal/EvidenceTable.ts";
import { keepRows, restoreRows, restoreSchema } from "./internal/keptState.ts";
import { pastTriggers } from "./internal/pastTriggers.ts";
import { readRows } from "./internal/readRows.ts";
import { throwawayDatabase } from "./internal/throwawayDatabase.ts";
import { logSignerConfig } from "@runproof/drivers/LogSigner";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";

export type { Change, Drift, EvidenceTable };

/** Every row of every table of evidence, each as JSON has it, in the order of its key. */
export type EvidenceRows = Readonly<Record<EvidenceTable, ReadonlyArray<JsonObject>>>;

/** What the database answered to a statement that it refused. */
export interface StatementRefusal {
  /** The SQLSTATE. */
  readonly code: string;
  readonly message: string;
}

/** Whose rights a statement is tried with. */
export type Login = "application" | "superuser";

/** What statements came to: what refused one of them, or else what the check of the defences found then. */
export interface Attempted {
  readonly refusal: StatementRefusal | null;
  readonly drift: ReadonlyArray<Drift>;
}

/** Attacks the lab's own database. */
export class AttackLab extends Context.Service<
  AttackLab,
  {
    /** Keeps the state as it is now, to come back to, and answers its rows. */
    readonly keep: Effect.Effect<EvidenceRows, DatabaseFailed>;
    /** Changes rows past all triggers, and leaves no trace of that in the catalog. */
    readonly change: (changes: ReadonlyArray<Change>) => Effect.Effect<void, DatabaseFailed>;
    /** Runs statements in one transaction as the superuser, triggers and all. */
    readonly execute: (statements: ReadonlyArray<string>) => Effect.Effect<void, DatabaseFailed>;
    /** Runs statements in a transaction, and takes them back. */
    readonly attempt: (login: Login, statements: ReadonlyArray<string>) => Effect.Effect<Attempted>;
    /** Comes back to what was kept: the rows alone, or the whole schema where that was changed too. */
    readonly restore: (what: "rows" | "schema") => Effect.Effect<void, DatabaseFailed>;
  }
>()("./AttackLab.ts") {
  /** Makes a database on the server of a superuser's URL, or an embedded one; gone with the scope. */
  static readonly layer = (
    url: Redacted.Redacted | null,
  ): Layer.Layer<AttackLab | Database | LedgerBridge, OpenError> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder;
        const config: DatabaseConfig =
          url === null
            ? { kind: "embedded", home: folder }
            : yield* Effect.tap(throwawayDatabase(url), migrateDatabase);
        // The log's key is a file of the lab's own, whatever the environment says.
        const signer = logSignerConfig({}, { kind: "embedded", home: folder });
        return Layer.effect(AttackLab, Effect.map(Database, openLab)).pipe(
          Layer.merge(LedgerBridge.layer(signer)),
          Layer.provideMerge(Database.layer(config)),
        );
      }),
    );
}

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-attack-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
);

/** Takes back what was not refused. */
class NotRefused {
  readonly _tag = "NotRefused";
  readonly drift: ReadonlyArray<Drift>;
  constructor(drift: ReadonlyArray<Drift>) {
    this.drift = drift;
  }
}

const refusalOf = (error: SqlError): StatementRefusal => {
  const cause = error.reason.cause as { readonly code?: string; readonly message?: string };
  return { code: cause.code ?? "", message: cause.message ?? error.message };
};

const openLab = (database: Database["Service"]) => {
  const { sql } = database;
  const own = asOwner(database);
  const failed = (error: { readonly message: string }) =>
    new DatabaseFailed({
      operation: "AttackLab",
      detail: isSqlError(error) ? refusalOf(error).message : error.message,
    });
  const readAll = Effect.flatMap(SqlClient, (owner) =>
    Effect.forEach(evidenceTables, (table) =>
      Effect.map(readRows(owner, table), (rows) => [table, rows] as const),
    ),
  );
  const tried = (statements: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const client = yield* SqlClient;
      for (const statement of statements) yield* client.unsafe(statement);
      return yield* Effect.fail(new NotRefused(yield* readDrift(client)));
    });
  const asApplication = <A, E>(effect: Effect.Effect<A, E, SqlClient>) =>
    sql.withTransaction(Effect.provideService(effect, SqlClient, sql));
  return AttackLab.of({
    keep: own(Effect.andThen(keepRows, readAll)).pipe(
      Effect.map((tables) => Object.fromEntries(tables) as EvidenceRows),
      Effect.mapError(failed),
    ),
    change: (changes) =>
      own(
        Effect.flatMap(SqlClient, (owner) =>
          pastTriggers(
            owner,
            Effect.forEach(changes, (change) => changeRow(owner, change), { discard: true }),
          ),
        ),
      ).pipe(Effect.mapError(failed)),
    execute: (statements) =>
      own(
        Effect.flatMap(SqlClient, (owner) =>
          Effect.forEach(statements, (statement) => owner.unsafe(statement), { discard: true }),
        ),
      ).pipe(Effect.mapError(failed)),
    attempt: (login, statements) =>
      (login === "superuser" ? own(tried(statements)) : asApplication(tried(statements))).pipe(
        Effect.catch((error) =>
          Effect.succeed(
            error._tag === "NotRefused"
              ? { refusal: null, drift: error.drift }
              : { refusal: refusalOf(error), drift: [] },
          ),
        ),
      ),
    restore: (what) =>
      own(what === "rows" ? restoreRows : restoreSchema).pipe(Effect.mapError(failed)),
  });
};
