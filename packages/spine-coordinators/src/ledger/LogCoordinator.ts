/** The signed log: checkpoints, proofs, and its publication. */
import { LogEntryKind } from "@runproof/proof/LogEntry";
import type { LogProofs } from "@runproof/schemas/Bundle";
import {
  type DatabaseError,
  type FileFailed,
  type InvalidInput,
  type LockHeld,
  LogEntryNotFound,
  type LogForked,
  type LogShrunk,
  RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { LedgerBridge, type SignError, type SignerError } from "./LedgerBridge.ts";
import { checkpointLog, type LogCheckpoint, settleLog } from "./internal/checkpointLog.ts";
import { type ExportedLog, type ExportTiles, exportTiles } from "./internal/exportTiles.ts";
import { latestHead, unknownSigner } from "./internal/latestHead.ts";
import { type EntryProof, proveEntry } from "./internal/proveEntry.ts";
import {
  type ExtensionProof,
  proveExtension,
  type TreeReference,
} from "./internal/proveExtension.ts";
import { publishedFile } from "./internal/publishedFile.ts";
import { LogsBridge } from "../logs/LogsBridge.ts";

export type { EntryProof, ExportedLog, ExportTiles, ExtensionProof, LogCheckpoint, TreeReference };

/** One of the two entries that every sealed run has in the log. */
export interface RunEntry {
  readonly tenant_id: string;
  readonly run_id: string;
  readonly entry: "opened" | "sealed";
}

/** An entry of the log: by its index, or by its run. */
export type EntryReference = { readonly index: number } | RunEntry;

/** A sealed trace with the digests that its two entries must hold: C_0 and the root. */
export interface LoggedTrace {
  readonly trace_id: string;
  readonly opened: string;
  readonly sealed: string;
}

/** What proving an entry may fail with. */
export type ProveEntryError =
  | DatabaseError
  | LogEntryNotFound
  | LogForked
  | LogShrunk
  | SignerError
  | StoredDataUnreadable;

/** Signs, proves and publishes the log. */
export class LogCoordinator extends Context.Service<
  LogCoordinator,
  {
    /**
     * Signs the log as it is now. `LogShrunk` and `LogForked` say that the database no longer holds what was signed
     * before; without a key this is `ConfigurationInvalid`.
     */
    readonly checkpoint: () => Effect.Effect<
      LogCheckpoint,
      SignError | DatabaseError | StoredDataUnreadable
    >;
    /** The latest checkpoint's note, as proofs are made under it; null where there is none yet. Nothing is signed. */
    readonly latest: Effect.Effect<
      string | null,
      DatabaseError | StoredDataUnreadable | SignerError
    >;
    /** Proves one entry under the latest checkpoint, which must cover it. */
    readonly proveInclusion: (
      entry: EntryReference,
    ) => Effect.Effect<EntryProof, ProveEntryError | RunNotFound | InvalidInput>;
    /** Proves that one tree extends another; `to` is the latest checkpoint's where it is left out. */
    readonly proveConsistency: (input: {
      readonly from: TreeReference;
      readonly to?: TreeReference | undefined;
    }) => Effect.Effect<
      ExtensionProof,
      | DatabaseError
      | InvalidInput
      | LogEntryNotFound
      | LogForked
      | LogShrunk
      | SignerError
      | StoredDataUnreadable
    >;
    /**
     * What to say beside a proof or an export where nobody knows who signed its checkpoint: this process has no key, and
     * there are no `TrustedKeys`. Null otherwise.
     */
    readonly unknownSigner: Effect.Effect<string | null>;
    /** The proofs of a sealed trace's two entries, which must hold these digests. */
    readonly proveTrace: (trace: LoggedTrace) => Effect.Effect<LogProofs, ProveEntryError>;
    /** The bytes of a tile or a bundle of entries, by its path of C2SP tlog-tiles. */
    readonly publishedFile: (
      path: string,
    ) => Effect.Effect<
      Uint8Array,
      DatabaseError | LogEntryNotFound | LogForked | LogShrunk | SignerError | StoredDataUnreadable
    >;
    /**
     * Writes the latest checkpoint's tree into a folder for a static host, as far as it is not there yet. What is published
     * already is looked at only where `checks` is true, and is repaired then.
     */
    readonly exportTiles: (
      input: ExportTiles,
    ) => Effect.Effect<
      ExportedLog,
      | DatabaseError
      | FileFailed
      | InvalidInput
      | LockHeld
      | LogEntryNotFound
      | LogForked
      | LogShrunk
      | SignerError
      | StoredDataUnreadable
    >;
  }
>()("@runproof/spine-coordinators/ledger/LogCoordinator") {
  static readonly layer: Layer.Layer<LogCoordinator, never, LedgerBridge | LogsBridge> =
    Layer.effect(
      LogCoordinator,
      Effect.gen(function* () {
        const context = yield* Effect.context<LedgerBridge | LogsBridge>();
        return LogCoordinator.of({
          checkpoint: () => Effect.provideContext(checkpointLog, context),
          latest: Effect.provideContext(
            Effect.map(latestHead, (head) => head?.note ?? null),
            context,
          ),
          proveInclusion: (entry) =>
            Effect.provideContext(Effect.flatMap(findEntry(entry), proveEntry), context),
          proveConsistency: ({ from, to }) =>
            Effect.provideContext(proveExtension(from, to ?? null), context),
          unknownSigner: Effect.provideContext(unknownSigner, context),
          proveTrace: (trace) => Effect.provideContext(proveTrace(trace), context),
          publishedFile: (path) => Effect.provideContext(publishedFile(path), context),
          exportTiles: (input) => Effect.provideContext(exportTiles(input), context),
        });
      }),
    );
}

const findEntry = (entry: EntryReference) =>
  "index" in entry ? findByIndex(entry.index) : findByRun(entry);

const findByIndex = Effect.fnUntraced(function* (index: number) {
  const { log } = yield* LedgerBridge;
  const [found] = yield* log.entries({ from: index, limit: 1 });
  if (found !== undefined) return found;
  const { size } = yield* log.size;
  return yield* new LogEntryNotFound({
    what: `there is no log entry ${index}`,
    remedy:
      index < size
        ? "It was removed: run `runproof audit` to see what else was."
        : `The log has ${size} entries so far.`,
  });
});

const findByRun = Effect.fnUntraced(function* ({ tenant_id, run_id, entry }: RunEntry) {
  const logs = yield* LogsBridge;
  const { traces } = yield* logs.search({ tenant_id, run_id, limit: 1 });
  const [trace] = traces;
  if (trace === undefined) return yield* new RunNotFound({ run_id, tenant_id });
  const kind = entry === "opened" ? LogEntryKind.OPENED : LogEntryKind.SEALED;
  yield* settleLog;
  const { log } = yield* LedgerBridge;
  const found = (yield* log.entries(trace)).find((logged) => logged.kind === kind);
  if (found !== undefined) return found;
  return yield* new LogEntryNotFound({
    what: `the log holds no ${entry.toUpperCase()} entry of run ${run_id}`,
    remedy:
      entry === "sealed" && trace.status === "running"
        ? "The run is open: it is entered as sealed when it ends."
        : "It was removed: run `runproof audit` to see what else was.",
  });
});

const proveTrace = Effect.fnUntraced(function* ({ trace_id, opened, sealed }: LoggedTrace) {
  yield* settleLog;
  const { log } = yield* LedgerBridge;
  const entries = yield* log.entries({ trace_id });
  const prove = Effect.fnUntraced(function* (name: string, kind: number, digest: string) {
    const found = entries.find((entry) => entry.kind === kind && entry.digest === digest);
    if (found !== undefined) return (yield* proveEntry(found)).text;
    const what = `the log holds no ${name} entry of trace ${trace_id}`;
    const { pending } = yield* log.size;
    return yield* pending > 0
      ? new LogEntryNotFound({ what, remedy: "It may be queued still: try again." })
      : new StoredDataUnreadable({ where: "the log", what: `${what}: it was removed` });
  });
  return {
    opened: yield* prove("OPENED", LogEntryKind.OPENED, opened),
    sealed: yield* prove("SEALED", LogEntryKind.SEALED, sealed),
  } satisfies LogProofs;
});
