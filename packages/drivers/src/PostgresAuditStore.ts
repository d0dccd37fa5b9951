/** The audit's reads on PostgreSQL. */
import { StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { AuditStore } from "./AuditStore.ts";
import { catalogDrift } from "./CatalogDrift.ts";
import { Database } from "./Database.ts";
import {
  readAuditedEntries,
  readEntriesOf,
  readEntriesOfTraces,
  readEntryEnd,
  readEntryTraces,
  readOpenedOfNone,
  readQueuedEntries,
} from "./internal/postgres/readAuditedEntries.ts";
import { readAuditedLogSize, readStrayEntries } from "./internal/postgres/readAuditedLogSize.ts";
import { readAuditedSteps } from "./internal/postgres/readAuditedSteps.ts";
import { readAuditedTiles, readStrayTiles } from "./internal/postgres/readAuditedTiles.ts";
import {
  readAuditedTraces,
  readOpenTraceIds,
  readTraceBoundaries,
  readTraceSizes,
  readUnloggedTraceIds,
} from "./internal/postgres/readAuditedTraces.ts";
import { readAuditSize } from "./internal/postgres/readAuditSize.ts";
import { readCatalog } from "./internal/postgres/readCatalog.ts";
import { readCheckpointsOver } from "./internal/postgres/readCheckpointsOver.ts";
import { readIndexGaps } from "./internal/postgres/readIndexGaps.ts";
import { readOrphans } from "./internal/postgres/readOrphans.ts";
import { inUnpreparedSnapshot } from "./internal/postgres/snapshot.ts";
import { databaseError, sqlState } from "./internal/postgres/sqlReason.ts";

/** Classes of SQLSTATE that speak of what is stored: data that is corrupt or no such value, tables that are not as made. */
const STORED_CLASSES = ["XX", "22", "42"];

const readError = (operation: string, description: string) => {
  const otherwise = databaseError(operation, description);
  return (error: SqlError) =>
    STORED_CLASSES.includes(sqlState(error)?.slice(0, 2) ?? "")
      ? new StoredDataUnreadable({ where: operation, what: messageOf(error) })
      : otherwise(error);
};

const messageOf = ({ reason, message }: SqlError): string =>
  reason.cause instanceof Error ? reason.cause.message : message;

/** Provides `AuditStore` from an open `Database`. */
export const layer: Layer.Layer<AuditStore, never, Database> = Layer.effect(
  AuditStore,
  Effect.map(Database, ({ sql, description }) => {
    const read = <A>(operation: string, effect: Effect.Effect<A, SqlError>) =>
      Effect.mapError(effect, readError(operation, description));
    /** The errors of `use`, which are the caller's, pass through. */
    const readWith = <A, E, R>(operation: string, effect: Effect.Effect<A, E | SqlError, R>) =>
      Effect.mapError(effect, (error) =>
        isSqlError(error) ? readError(operation, description)(error) : error,
      );
    return AuditStore.of({
      snapshot: (effect) => readWith("snapshot", inUnpreparedSnapshot(sql, effect)),
      size: read("readAuditSize", readAuditSize(sql)),
      logSize: read("readAuditedLogSize", readAuditedLogSize(sql)),
      strayEntries: read("readStrayEntries", readStrayEntries(sql)),
      indexGaps: read("readIndexGaps", readIndexGaps(sql)),
      checkpointsOver: (input) => read("readCheckpointsOver", readCheckpointsOver(sql, input)),
      traceBoundaries: (parts) => read("readTraceBoundaries", readTraceBoundaries(sql, parts)),
      traceSizes: (input) => read("readTraceSizes", readTraceSizes(sql, input)),
      openTraceIds: (input) => read("readOpenTraceIds", readOpenTraceIds(sql, input)),
      unloggedTraceIds: (input) => read("readUnloggedTraceIds", readUnloggedTraceIds(sql, input)),
      traces: (range) => read("readAuditedTraces", readAuditedTraces(sql, range)),
      forEachStepPage: (range, use) =>
        readWith("readAuditedSteps", readAuditedSteps(sql, range, use)),
      forEachTraceEntryPage: (range, use) =>
        readWith("readEntriesOfTraces", readEntriesOfTraces(sql, range, use)),
      forEachEntryPageOf: (trace_ids, use) =>
        readWith("readEntriesOf", readEntriesOf(sql, trace_ids, use)),
      forEachEntryPage: (range, use) =>
        readWith("readAuditedEntries", readAuditedEntries(sql, range, use)),
      forEachOpenedOfNone: (before, use) =>
        readWith("readOpenedOfNone", readOpenedOfNone(sql, before, use)),
      entryEnd: (input) => read("readEntryEnd", readEntryEnd(sql, input)),
      forEachQueuedPage: (use) => readWith("readQueuedEntries", readQueuedEntries(sql, use)),
      entryTraces: (trace_ids) => read("readEntryTraces", readEntryTraces(sql, trace_ids)),
      forEachOrphanPage: (use) => readWith("readOrphans", readOrphans(sql, use)),
      tiles: (input) => read("readAuditedTiles", readAuditedTiles(sql, input)),
      strayTiles: read("readStrayTiles", readStrayTiles(sql)),
      drift: Effect.map(read("readCatalog", readCatalog(sql)), catalogDrift),
    });
  }),
);
