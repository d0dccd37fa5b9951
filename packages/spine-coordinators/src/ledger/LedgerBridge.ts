/** The one door from the coordinators to the signed log, put together from the drivers' functions. */
import { Database } from "@runproof/drivers/Database";
import {
  type CheckpointPage,
  type CheckpointPosition,
  readCheckpointOfSize,
  readCheckpointPage,
  readLatestCheckpoint,
  type StoredCheckpoint,
} from "@runproof/drivers/ledger/readCheckpoint";
import {
  type EntryQuery,
  readLogEntries,
  type StoredLogEntry,
} from "@runproof/drivers/ledger/readLogEntries";
import { readLogNodes } from "@runproof/drivers/ledger/readLogNodes";
import { type LogSize, readLogSize } from "@runproof/drivers/ledger/readLogSize";
import { readTenantEntries } from "@runproof/drivers/ledger/readTenantEntries";
import { recordEvent } from "@runproof/drivers/ledger/recordEvent";
import { sequenceLog } from "@runproof/drivers/ledger/sequenceLog";
import { storeCheckpoint } from "@runproof/drivers/ledger/storeCheckpoint";
import {
  type KeyRotation,
  type LogKey,
  type LogSigner,
  logSigner,
  type LogSignerConfig,
  noKeyConfigured,
  type RotationSteps,
  SIGNED_LAST,
  type SignedCheckpoint,
  type SignerError,
  type SignerStatus,
  type SignError,
  type TreeProposal,
} from "@runproof/drivers/LogSigner";
import {
  openTiles,
  publishCheckpoint,
  readPublished,
  restoreTile,
  writeTileOnce,
} from "@runproof/drivers/TileFolder";
import type { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { noKeyConfigured, SIGNED_LAST };
export type {
  CheckpointPage,
  CheckpointPosition,
  EntryQuery,
  KeyRotation,
  LogKey,
  LogSigner,
  LogSize,
  RotationSteps,
  SignedCheckpoint,
  SignerError,
  SignerStatus,
  SignError,
  StoredCheckpoint,
  StoredLogEntry,
  TreeProposal,
};

const doorsOf = (
  database: Database["Service"],
  signer: LogSignerConfig | ConfigurationInvalid,
) => ({
  /** Numbers, reads and extends the log. */
  log: {
    sequence: sequenceLog(database),
    size: readLogSize(database),
    entries: readLogEntries(database),
    ofTenant: readTenantEntries(database),
    nodes: readLogNodes(database),
    recordEvent: recordEvent(database),
  },
  /** Signed checkpoints that the database keeps. Trust comes from copies outside it. */
  checkpoints: {
    store: storeCheckpoint(database),
    latest: readLatestCheckpoint(database),
    page: readCheckpointPage(database),
    ofSize: readCheckpointOfSize(database),
  },
  /** Signs trees, and makes, lists and changes keys. Where no key is configured, everything else works. */
  signer: logSigner(signer),
  /** Folders in which the log is published, for static hosts. */
  tiles: {
    open: openTiles,
    checkpoint: readPublished,
    write: writeTileOnce,
    restore: restoreTile,
    publish: publishCheckpoint,
  },
});

/** The signed log: its entries, checkpoints, signer and tiles. The door to traces is `LogsBridge`. */
export class LedgerBridge extends Context.Service<LedgerBridge, ReturnType<typeof doorsOf>>()(
  "@runproof/spine-coordinators/ledger/LedgerBridge",
) {
  static readonly layer = (
    signer: LogSignerConfig | ConfigurationInvalid,
  ): Layer.Layer<LedgerBridge, never, Database> =>
    Layer.effect(
      LedgerBridge,
      Effect.map(Database, (database) => LedgerBridge.of(doorsOf(database, signer))),
    );
}
