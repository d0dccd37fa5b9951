/** The audit's reads on PostgreSQL. */
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { AuditStore } from "./AuditStore.ts";
import { catalogDrift } from "./CatalogDrift.ts";
import { Database } from "./Database.ts";
import { readAuditedEntries, readEntryTraces } from "./internal/postgres/readAuditedEntries.ts";
import { readAuditedSteps } from "./internal/postgres/readAuditedSteps.ts";
import { readAuditedTiles } from "./internal/postgres/readAuditedTiles.ts";
import { readAuditedTraces, readTraceBoundaries } from "./internal/postgres/readAuditedTraces.ts";
import { readAuditSize } from "./internal/postgres/readAuditSize.ts";
import { readCatalog } from "./internal/postgres/readCatalog.ts";
import { readLogEntries } from "./internal/postgres/readLogEntries.ts";
import { inSnapshot } from "./internal/postgres/snapshot.ts";
import { readOrphanTraceIds } from "./internal/postgres/readOrphanTraceIds.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";

/** Provides `AuditStore` from an open `Database`. */
export const layer: Layer.Layer<AuditStore, never, Database> = Layer.effect(
  AuditStore,
  Effect.map(Database, ({ sql, description }) => {
    const read = <A>(operation: string, effect: Effect.Effect<A, SqlError>) =>
      Effect.mapError(effect, databaseError(operation, description));
    return AuditStore.of({
      snapshot: (effect) =>
        inSnapshot(sql, effect).pipe(
          Effect.mapError((error) =>
            isSqlError(error) ? databaseError("snapshot", description)(error) : error,
          ),
        ),
      size: read("readAuditSize", readAuditSize(sql)),
      traces: (input) => read("readAuditedTraces", readAuditedTraces(sql, input)),
      traceBoundaries: (parts) => read("readTraceBoundaries", readTraceBoundaries(sql, parts)),
      steps: (input) => read("readAuditedSteps", readAuditedSteps(sql, input)),
      entriesOfTraces: (trace_ids) =>
        read("readAuditedEntries", readAuditedEntries(sql, trace_ids)),
      entries: (from) => read("readLogEntries", readLogEntries(sql, { from })),
      entryTraces: (trace_ids) => read("readEntryTraces", readEntryTraces(sql, trace_ids)),
      orphanTraceIds: read("readOrphanTraceIds", readOrphanTraceIds(sql)),
      tiles: (input) => read("readAuditedTiles", readAuditedTiles(sql, input)),
      drift: Effect.map(read("readCatalog", readCatalog(sql)), catalogDrift),
    });
  }),
);
