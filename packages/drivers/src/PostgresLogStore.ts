/** The log store on PostgreSQL. */
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { Database } from "./Database.ts";
import {
  readCheckpointOfSize,
  readCheckpointPage,
  readLatestCheckpoint,
} from "./internal/postgres/readCheckpoint.ts";
import { readLogEntries, readLogEntriesOfTrace } from "./internal/postgres/readLogEntries.ts";
import { readLogNodes } from "./internal/postgres/readLogNodes.ts";
import { readLogSize } from "./internal/postgres/readLogSize.ts";
import { recordEvent } from "./internal/postgres/recordEvent.ts";
import { sequenceLog } from "./internal/postgres/sequenceLog.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";
import { storeCheckpoint } from "./internal/postgres/storeCheckpoint.ts";
import { LogStore } from "./LogStore.ts";

/** Provides `LogStore` from an open `Database`. */
export const layer: Layer.Layer<LogStore, never, Database> = Layer.effect(
  LogStore,
  Effect.map(Database, (database) => {
    const { sql, description } = database;
    return LogStore.of({
      sequence: sequenceLog(database),
      size: readLogSize(database),
      entries: (from, limit) =>
        Effect.mapError(
          readLogEntries(sql, limit === undefined ? { from } : { from, limit }),
          databaseError("readLogEntries", description),
        ),
      entriesOfTrace: (trace_id) =>
        Effect.mapError(
          readLogEntriesOfTrace(sql, trace_id),
          databaseError("readLogEntriesOfTrace", description),
        ),
      nodes: readLogNodes(database),
      recordEvent: recordEvent(database),
      storeCheckpoint: storeCheckpoint(database),
      latestCheckpoint: readLatestCheckpoint(database),
      checkpointPage: readCheckpointPage(database),
      checkpointOfSize: readCheckpointOfSize(database),
    });
  }),
);
