/** The stores over a database. */
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
import * as PostgresTraceStore from "@runproof/drivers/PostgresTraceStore";
import type { TraceStore } from "@runproof/drivers/TraceStore";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";

/** All that the suites use. */
export type Stores = Database | TraceStore;

/** The configuration of a server's database. */
export const serverConfig = (url: string): DatabaseConfig => ({
  kind: "server",
  url: Redacted.make(url),
});

/** The stores over a database; each call opens it anew, as another process would. */
export const storesOn = (config: DatabaseConfig) =>
  Layer.fresh(PostgresTraceStore.layer.pipe(Layer.provideMerge(Database.layer(config))));

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
