/** The one door from an audit to everything that is stored, put together from the drivers' functions. */
import {
  auditRead,
  type AuditReadError,
  inAuditSnapshot,
  type UsePage,
} from "@runproof/drivers/audit/AuditReading";
import {
  type AuditedEntry,
  readAuditedEntries,
  readEntriesOf,
  readEntriesOfTraces,
  readEntryEnd,
  readEntryTraces,
  readOpenedOfNone,
  readQueuedEntries,
} from "@runproof/drivers/audit/readAuditedEntries";
import { readAuditedLogSize, readStrayEntries } from "@runproof/drivers/audit/readAuditedLogSize";
import { readAuditedTiles, readStrayTiles } from "@runproof/drivers/audit/readAuditedTiles";
import {
  readAuditedTraces,
  type TraceRange,
  readOpenTraceIds,
  readTraceBoundaries,
  readTraceSizes,
  readUnloggedTraceIds,
} from "@runproof/drivers/audit/readAuditedTraces";
import { readAuditSize } from "@runproof/drivers/audit/readAuditSize";
import { readCheckpointsOver } from "@runproof/drivers/audit/readCheckpointsOver";
import { readIndexGaps } from "@runproof/drivers/audit/readIndexGaps";
import { type Orphan, readOrphans } from "@runproof/drivers/audit/readOrphans";
import { readStoredTraceIds } from "@runproof/drivers/audit/readStoredTraceIds";
import {
  readWaitingEntries,
  type WaitingEntries,
} from "@runproof/drivers/audit/readWaitingEntries";
import { readDrift } from "@runproof/drivers/CatalogDrift";
import { Database } from "@runproof/drivers/Database";
import { HEAD_EVERY_STEPS, LEASE_MS_MAX } from "@runproof/drivers/EvidenceLimits";
import { readLatestCheckpoint } from "@runproof/drivers/ledger/readCheckpoint";
import { readLogNodes } from "@runproof/drivers/ledger/readLogNodes";
import { readSteps } from "@runproof/drivers/logs/readSteps";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import type { StoredStep } from "@runproof/proof/StoredRun";
import { StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { HEAD_EVERY_STEPS, LEASE_MS_MAX };
export type { AuditReadError, Orphan, WaitingEntries };

/** What a read takes beside the client. */
type Input<Read extends (sql: never, input: never) => unknown> = Parameters<Read>[1];

/** A table of the log that is gone or may not be read, in a database that was opened, is about what is stored. */
const evident = <A>(effect: Effect.Effect<A, AuditReadError>): Effect.Effect<A, AuditReadError> =>
  Effect.catchTag(effect, ["SchemaMismatch", "NotAuthorised"], ({ message }) =>
    Effect.fail(new StoredDataUnreadable({ where: "the log", what: message })),
  );

/**
 * Reads of one state of the database. Memory is bounded by the pages, of rows and of bytes; `forEach…`, `strayTiles` and
 * `indexGaps` need a snapshot, and `indexGaps` and `forEachStoredIdPage` one of their own: they slow down later reads.
 */
const readsOf = (database: Database["Service"]) => {
  const { sql } = database;
  const read = auditRead(database);
  return {
    /** For a progress bar; estimates are fine. */
    size: read("readAuditSize", readAuditSize(sql)),
    logSize: read("readAuditedLogSize", readAuditedLogSize(sql)),
    strayEntries: read("readStrayEntries", readStrayEntries(sql)),
    indexGaps: read("readIndexGaps", readIndexGaps(sql)),
    checkpointsOver: (input: Input<typeof readCheckpointsOver>) =>
      read("readCheckpointsOver", readCheckpointsOver(sql, input)),
    /** For workers; the last part is open. */
    traceBoundaries: (parts: number) =>
      read("readTraceBoundaries", readTraceBoundaries(sql, parts)),
    forEachStoredIdPage: <E, R>(use: UsePage<string, E, R>) =>
      read("readStoredTraceIds", readStoredTraceIds(sql, use)),
    traceSizes: (input: Input<typeof readTraceSizes>) =>
      read("readTraceSizes", readTraceSizes(sql, input)),
    openTraceIds: (input: Input<typeof readOpenTraceIds>) =>
      read("readOpenTraceIds", readOpenTraceIds(sql, input)),
    unloggedTraceIds: (input: Input<typeof readUnloggedTraceIds>) =>
      read("readUnloggedTraceIds", readUnloggedTraceIds(sql, input)),
    traces: (range: TraceRange) => read("readAuditedTraces", readAuditedTraces(sql, range)),
    forEachStepPage: <E, R>(range: TraceRange, use: UsePage<StoredStep, E, R>) =>
      read("readSteps", readSteps(sql, range, use)),
    forEachTraceEntryPage: <E, R>(range: TraceRange, use: UsePage<AuditedEntry, E, R>) =>
      read("readEntriesOfTraces", readEntriesOfTraces(sql, range, use)),
    forEachEntryPageOf: <E, R>(
      trace_ids: ReadonlyArray<string>,
      use: UsePage<AuditedEntry, E, R>,
    ) => read("readEntriesOf", readEntriesOf(sql, trace_ids, use)),
    forEachEntryPage: <E, R>(
      range: Parameters<typeof readAuditedEntries>[1],
      use: UsePage<AuditedEntry, E, R>,
    ) => read("readAuditedEntries", readAuditedEntries(sql, range, use)),
    forEachOpenedOfNone: <E, R>(before: number, use: UsePage<AuditedEntry, E, R>) =>
      read("readOpenedOfNone", readOpenedOfNone(sql, before, use)),
    entryEnd: (input: Input<typeof readEntryEnd>) => read("readEntryEnd", readEntryEnd(sql, input)),
    forEachQueuedPage: <E, R>(use: UsePage<AuditedEntry, E, R>) =>
      read("readQueuedEntries", readQueuedEntries(sql, use)),
    waitingEntries: read("readWaitingEntries", readWaitingEntries(sql)),
    entryTraces: (trace_ids: ReadonlyArray<string>) =>
      read("readEntryTraces", readEntryTraces(sql, trace_ids)),
    forEachOrphanPage: <E, R>(use: UsePage<Orphan, E, R>) =>
      read("readOrphans", readOrphans(sql, use)),
    tiles: (input: Input<typeof readAuditedTiles>) =>
      read("readAuditedTiles", readAuditedTiles(sql, input)),
    strayTiles: read("readStrayTiles", readStrayTiles(sql)),
    drift: read("readCatalog", readDrift(sql)),
    /** Hashes of complete subtrees of the log, in the order asked for. */
    nodes: (nodes: ReadonlyArray<TreeNode>) => evident(readLogNodes(database)(nodes)),
    latestCheckpoint: evident(readLatestCheckpoint(database)),
  };
};

/** What can be read of one state of the database. */
export type AuditReads = ReturnType<typeof readsOf>;

/** Reads everything, and changes nothing. */
export class AuditBridge extends Context.Service<
  AuditBridge,
  {
    /** The database's name for people, without its password. */
    readonly database: string;
    /** Gives `use` reads that all see the same state of the database, whatever is written meanwhile. */
    readonly snapshot: <A, E, R>(
      use: (reads: AuditReads) => Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | AuditReadError, R>;
  }
>()("@runproof/spine-coordinators/audit/AuditBridge") {
  static readonly layer: Layer.Layer<AuditBridge, never, Database> = Layer.effect(
    AuditBridge,
    Effect.map(Database, (database) => {
      const reads = readsOf(database);
      const inSnapshot = inAuditSnapshot(database);
      return AuditBridge.of({
        database: database.description,
        snapshot: (use) => inSnapshot(use(reads)),
      });
    }),
  );
}
