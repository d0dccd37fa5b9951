import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { AuditReadError, AuditReads, WaitingEntries } from "../AuditBridge.ts";
import { type AuditRun, orUnreadable } from "./AuditRun.ts";
import type { FoundHere } from "./AuditTally.ts";
import type { ReadCheckpoint } from "./CheckpointCheck.ts";
import { DeletionRecord } from "./DeletionRecord.ts";
import { keyChangeFault } from "./KeyChange.ts";
import { entryFaults, type LogWalk } from "./LogWalk.ts";
import type { CompletedTile } from "./TileWalk.ts";

/** Entries of one snapshot. */
const WINDOW_ENTRIES = 5000;

/** Traces that are remembered as missing, so that each is said once. */
const MISSING_MAX = 100_000;

/** What an audit of the log is given. */
export interface LogAudit {
  readonly walk: LogWalk;
  /** Entries below this index count for the tree only. */
  readonly check_from: number;
  /** The log's size when the audit began. */
  readonly size: number;
  /** The checkpoints that the log is compared with. */
  readonly checkpoints: ReadonlyArray<ReadCheckpoint>;
  /** Takes the ids of the traces that entries from `check_from` on name. */
  readonly onTraceIds: (trace_ids: Iterable<string>) => void;
}

/** Finds traces that entries name and that are gone, where no deletion is recorded. */
class MissingTraces {
  readonly #said = new Set<string>();
  readonly #run: AuditRun;

  constructor(run: AuditRun) {
    this.#run = run;
  }

  readonly look = Effect.fnUntraced(
    { self: this },
    function* (
      this: MissingTraces,
      reads: AuditReads,
      entries: ReadonlyArray<AuditedEntry>,
    ): Effect.fn.Return<ReadonlySet<string>, AuditReadError> {
      const first = new Map<string, AuditedEntry>();
      for (const entry of entries) {
        if (entry.trace_id !== null && !first.has(entry.trace_id)) {
          first.set(entry.trace_id, entry);
        }
      }
      if (first.size === 0) return new Set();
      const named = [...first.keys()];
      const there = new Set((yield* reads.entryTraces(named)).map((trace) => trace.trace_id));
      const gone = named.filter((trace_id) => !there.has(trace_id) && !this.#said.has(trace_id));
      if (gone.length > 0) {
        const deletions = yield* readDeletions(reads, gone);
        for (const trace_id of gone) this.#say(deletions.get(trace_id)!, first.get(trace_id)!);
        this.#count(deletions, entries);
      }
      return new Set(named);
    },
  );

  #say(deletion: DeletionRecord, named: AuditedEntry): void {
    const fault = deletion.fault(named);
    if (fault === null) return;
    if (this.#said.size < MISSING_MAX) this.#said.add(named.trace_id!);
    this.#run.tally.find(fault);
  }

  /** Counts each recorded deletion where its EVENT comes. */
  #count(
    deletions: ReadonlyMap<string, DeletionRecord>,
    entries: ReadonlyArray<AuditedEntry>,
  ): void {
    const recorded = entries.filter(
      (entry) => deletions.get(entry.trace_id ?? "")?.isRecordedBy(entry) === true,
    );
    this.#run.tally.deletions_recorded += recorded.length;
  }
}

/** What the log says of the deletion of each of some traces that are gone. */
const readDeletions = Effect.fnUntraced(function* (
  reads: AuditReads,
  trace_ids: ReadonlyArray<string>,
): Effect.fn.Return<ReadonlyMap<string, DeletionRecord>, AuditReadError> {
  const records = new Map(trace_ids.map((trace_id) => [trace_id, new DeletionRecord()]));
  yield* reads.forEachEntryPageOf(trace_ids, (entries) =>
    Effect.sync(() => {
      for (const entry of entries) records.get(entry.trace_id ?? "")?.add(entry);
    }),
  );
  return records;
});

/** The root of a trace that was deleted as recorded; null where that is not recorded. */
export const deletedRoot = (
  reads: AuditReads,
  trace_id: string,
): Effect.Effect<string | null, AuditReadError> =>
  Effect.map(readDeletions(reads, [trace_id]), (records) => records.get(trace_id)!.root);

/** Every process that records numbers what waits, within seconds: longer than this, none does or it can't. */
export const WAITING_MS_MAX = 3_600_000;

/** What keeps entries from the log for so long, as far as it can be told. */
const stallFaults = ({ count, waited_ms, prepared }: WaitingEntries): ReadonlyArray<FoundHere> => {
  if (waited_ms === null || waited_ms <= WAITING_MS_MAX) return [];
  const minutes = Number.isFinite(waited_ms) ? `${Math.round(waited_ms / 60_000)} minutes` : "ever";
  const why =
    prepared.length === 0
      ? "`runproof checkpoint` numbers them; if they stay, a session holds the log's lock (pg_locks)"
      : `a transaction that was prepared and never ended may hold the log's lock (pg_prepared_xacts): ${prepared.join("; ")}`;
  return [
    {
      code: "LOG_STALLED",
      object: "aos_log_queue",
      message: `the log: ${count} entries wait for their index, one for ${minutes}: ${why}`,
    },
  ];
};

const compareTiles = Effect.fnUntraced(function* (
  run: AuditRun,
  reads: AuditReads,
  tiles: ReadonlyArray<CompletedTile>,
): Effect.fn.Return<void, AuditReadError> {
  for (const [level, completed] of Map.groupBy(tiles, (tile) => tile.level)) {
    const from = completed[0]!.tile_index;
    const stored = yield* reads.tiles({ level, from, count: completed.length });
    for (const tile of completed) {
      const found = stored.filter(({ tile_index }) => tile_index === tile.tile_index);
      const isSame = found.some(
        ({ hashes, root }) =>
          root === tile.root && Buffer.from(hashes).toString("hex") === tile.hashes.join(""),
      );
      run.tally.checked.tiles += 1;
      if (isSame && found.length === 1) continue;
      const what = found.length === 0 ? "is missing" : "is not that of the entries";
      run.tally.find({
        code: "TILE_MISMATCH",
        object: `tile ${level}/${tile.tile_index}`,
        message: `the log: tile ${tile.tile_index} of level ${level} ${what}`,
      });
    }
  }
});

const isNumbered = (entry: AuditedEntry): entry is AuditedEntry & { readonly log_index: number } =>
  entry.log_index !== null;

/** Checks the log in both directions but one: what of it a stored trace must match is checked with that trace. */
export const auditLog = Effect.fnUntraced(function* (
  run: AuditRun,
  { walk, check_from, size, checkpoints, onTraceIds }: LogAudit,
): Effect.fn.Return<void, DatabaseError> {
  const missing = new MissingTraces(run);
  const { tally } = run;

  const checkPage = (reads: AuditReads) => (entries: ReadonlyArray<AuditedEntry>) =>
    Effect.gen(function* () {
      const tiles: Array<CompletedTile> = [];
      for (const entry of entries.filter(isNumbered)) {
        const added = walk.add(entry);
        for (const found of added.found) tally.find(found);
        tiles.push(...added.tiles);
      }
      yield* compareTiles(run, reads, tiles);
      const checked = entries.filter(({ log_index }) => (log_index ?? 0) >= check_from);
      tally.checked.entries += checked.length;
      for (const entry of checked) {
        const fault = yield* keyChangeFault(reads, entry, checkpoints);
        if (fault !== null) tally.findClaim(fault);
      }
      onTraceIds(yield* missing.look(reads, checked));
      yield* run.tell;
    });

  const walkTo = (reads: AuditReads, before: number) =>
    reads.forEachEntryPage({ from: walk.next, before }, checkPage(reads));

  while (walk.next < size) {
    const end = yield* run
      .snapshot((reads) => reads.entryEnd({ from: walk.next, before: size, count: WINDOW_ENTRIES }))
      .pipe(orUnreadable(run, "aos_log_entries", null));
    if (end === null) break;
    const isRead = yield* run
      .snapshot((reads) => walkTo(reads, end))
      .pipe(Effect.as(true), orUnreadable(run, `aos_log_entries below ${end}`, false));
    if (!isRead) walk.breakOff(end);
    for (const found of walk.finish(end)) tally.find(found);
  }

  const checkQueued = (reads: AuditReads) => (entries: ReadonlyArray<AuditedEntry>) =>
    Effect.gen(function* () {
      for (const entry of entries) for (const found of entryFaults(entry)) tally.find(found);
      tally.checked.entries_pending += entries.length;
      onTraceIds(yield* missing.look(reads, entries));
    });

  const lookForGone = (reads: AuditReads) => (entries: ReadonlyArray<AuditedEntry>) =>
    Effect.asVoid(missing.look(reads, entries));

  // What came meanwhile and what still waits, from one snapshot: an entry that gets its index is in one of the two.
  yield* run
    .snapshot((reads) =>
      Effect.gen(function* () {
        const now = yield* reads.logSize;
        yield* walkTo(reads, now.size);
        for (const found of walk.finish(Math.max(size, now.size))) tally.find(found);
        yield* reads.forEachQueuedPage(checkQueued(reads));
        for (const found of stallFaults(yield* reads.waitingEntries)) tally.find(found);
        for (const index of yield* reads.strayEntries) {
          const message = `the log: it has an entry with the index ${index}, which no log has`;
          tally.find({ code: "FOREIGN_RECORD", object: "aos_log_entries", message });
        }
        if (check_from > 0) yield* reads.forEachOpenedOfNone(check_from, lookForGone(reads));
        for (const { level, tile_index } of yield* reads.strayTiles) {
          tally.find({
            code: "TILE_MISMATCH",
            object: `tile ${level}/${tile_index}`,
            message: `the log: tile ${tile_index} of level ${level} is there, and the log has no entries for it`,
          });
        }
      }),
    )
    .pipe(orUnreadable(run, "the end of the log", undefined));
});
