/** What is done with a database, by the drivers' functions. */
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import {
  readCheckpointOfSize,
  readLatestCheckpoint,
} from "@runproof/drivers/ledger/readCheckpoint";
import { readLogEntries } from "@runproof/drivers/ledger/readLogEntries";
import { readLogNodes } from "@runproof/drivers/ledger/readLogNodes";
import { readLogSize } from "@runproof/drivers/ledger/readLogSize";
import { recordEvent } from "@runproof/drivers/ledger/recordEvent";
import { sequenceLog } from "@runproof/drivers/ledger/sequenceLog";
import { storeCheckpoint } from "@runproof/drivers/ledger/storeCheckpoint";
import { abortExpired } from "@runproof/drivers/logs/abortExpired";
import { appendStep } from "@runproof/drivers/logs/appendStep";
import { appendSteps } from "@runproof/drivers/logs/appendSteps";
import { atomically, outsideTransactions } from "@runproof/drivers/logs/atomically";
import { probeTrace } from "@runproof/drivers/logs/probeTrace";
import { readHead } from "@runproof/drivers/logs/readHead";
import { readRun, type RunName } from "@runproof/drivers/logs/readRun";
import { readStats } from "@runproof/drivers/logs/readStats";
import { renewLeases } from "@runproof/drivers/logs/renewLeases";
import { sealTrace } from "@runproof/drivers/logs/sealTrace";
import { searchSteps } from "@runproof/drivers/logs/searchSteps";
import { searchTraces } from "@runproof/drivers/logs/searchTraces";
import { startTrace } from "@runproof/drivers/logs/startTrace";
import type { StoredStep } from "@runproof/proof/StoredRun";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";

/** The configuration of a server's database. */
export const serverConfig = (url: string): DatabaseConfig => ({
  kind: "server",
  url: Redacted.make(url),
});

/** An open database; each call opens it anew, as another process would. */
export const storesOn = (config: DatabaseConfig) => Layer.fresh(Database.layer(config));

/** What is done with the log of the open database. */
export const ledger = Effect.map(Database, (database) => ({
  sequence: sequenceLog(database),
  size: readLogSize(database),
  entries: readLogEntries(database),
  nodes: readLogNodes(database),
  recordEvent: recordEvent(database),
  storeCheckpoint: storeCheckpoint(database),
  latestCheckpoint: readLatestCheckpoint(database),
  checkpointOfSize: readCheckpointOfSize(database),
}));

/** What is done with the traces of the open database. */
export const traces = Effect.map(Database, (database) => ({
  start: startTrace(database),
  append: appendStep(database),
  appendSteps: appendSteps(database),
  seal: sealTrace(database),
  head: readHead(database),
  renewLeases: renewLeases(database),
  abortExpired: abortExpired(database),
  get: (input: RunName) =>
    readRun(database)(
      input,
      Effect.fnUntraced(function* (run) {
        const steps: Array<StoredStep> = [];
        yield* run.forEachStepPage((page) => Effect.sync(() => steps.push(...page)));
        return { ...run, steps };
      }),
    ),
  ensureDurable: outsideTransactions(database),
  atomically: atomically(database),
  search: searchTraces(database),
  searchSteps: searchSteps(database),
  stats: readStats(database),
  probe: probeTrace(database),
}));
