/** The one door from an audit to everything that is stored. */
import {
  type AuditReadError,
  AuditStore,
  HEAD_EVERY_STEPS,
  LEASE_MS_MAX,
  type Orphan,
} from "@runproof/drivers/AuditStore";
import { Database } from "@runproof/drivers/Database";
import { LogStore, type StoredCheckpoint } from "@runproof/drivers/LogStore";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import { StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { HEAD_EVERY_STEPS, LEASE_MS_MAX };
export type { AuditReadError, Orphan };

/** What can be read of one state of the database. */
export interface AuditReads extends Omit<AuditStore["Service"], "snapshot"> {
  /** Hashes of complete subtrees of the log, in the order asked for. */
  readonly nodes: (
    nodes: ReadonlyArray<TreeNode>,
  ) => Effect.Effect<ReadonlyArray<string>, AuditReadError>;
  readonly latestCheckpoint: Effect.Effect<StoredCheckpoint | null, AuditReadError>;
}

/** A table of the log that is gone or may not be read, in a database that was opened, is about what is stored. */
const evident = <A>(effect: Effect.Effect<A, AuditReadError>): Effect.Effect<A, AuditReadError> =>
  Effect.catchTag(effect, ["SchemaMismatch", "NotAuthorised"], ({ message }) =>
    Effect.fail(new StoredDataUnreadable({ where: "the log", what: message })),
  );

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
  static readonly layer: Layer.Layer<AuditBridge, never, AuditStore | LogStore | Database> =
    Layer.effect(
      AuditBridge,
      Effect.gen(function* () {
        const { snapshot, ...reads } = yield* AuditStore;
        const log = yield* LogStore;
        const all: AuditReads = {
          ...reads,
          nodes: (nodes) => evident(log.nodes(nodes)),
          latestCheckpoint: evident(log.latestCheckpoint),
        };
        const { description } = yield* Database;
        return AuditBridge.of({ database: description, snapshot: (use) => snapshot(use(all)) });
      }),
    );
}
