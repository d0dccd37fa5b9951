import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import { entryLeafHash, isLogEntry, LogEntryKind } from "@runproof/proof/LogEntry";
import { CompactRange } from "@runproof/proof/MerkleTree";
import type { FoundHere } from "./AuditTally.ts";
import { readEvent } from "./EventEntry.ts";
import { type CompletedTile, TileWalk } from "./TileWalk.ts";

/** Where a walk begins: at a leaf, with the roots of the complete subtrees before it. */
export interface WalkStart {
  readonly size: number;
  readonly peaks: ReadonlyArray<string>;
}

export const FROM_THE_FIRST: WalkStart = { size: 0, peaks: [] };

/** Walks the log from an index to its end: indexes, forms, the tree's roots at some sizes, its full tiles. */
export class LogWalk {
  /** The index of the first entry that is walked over. */
  readonly start: number;
  readonly #wanted: ReadonlySet<number>;
  readonly #roots = new Map<number, string>();
  readonly #tree: CompactRange;
  readonly #tiles: TileWalk;
  #next: number;
  #isBroken = false;

  constructor(start: WalkStart, wanted_sizes: ReadonlyArray<number>) {
    this.start = start.size;
    this.#wanted = new Set(wanted_sizes);
    this.#tree = CompactRange.from(start.size, start.peaks);
    this.#tiles = new TileWalk(start.size);
    this.#next = start.size;
    this.#keepRoot();
  }

  /** The index that the next entry must have. */
  get next(): number {
    return this.#next;
  }

  /** Adds the next entry; gives what is wrong with it and the tiles that it fills. */
  add(entry: AuditedEntry & { readonly log_index: number }): {
    readonly found: ReadonlyArray<FoundHere>;
    readonly tiles: ReadonlyArray<CompletedTile>;
  } {
    const found = [...this.#place(entry.log_index), ...entryFaults(entry)];
    if (this.#isBroken || !isLogEntry(entry)) {
      this.#isBroken = true;
      return { found, tiles: [] };
    }
    const leaf = entryLeafHash(entry);
    this.#tree.append(leaf);
    this.#keepRoot();
    return { found, tiles: this.#tiles.append(leaf) };
  }

  #place(log_index: number): ReadonlyArray<FoundHere> {
    const expected = this.#next;
    if (log_index === expected) {
      this.#next += 1;
      return [];
    }
    this.#isBroken = true;
    if (log_index < expected) {
      const message = `the log: more than one entry has the index ${log_index}`;
      return [{ code: "FOREIGN_RECORD", log_index, message }];
    }
    this.#next = log_index + 1;
    return [gap(expected, log_index - 1)];
  }

  #keepRoot(): void {
    const { size } = this.#tree;
    if (this.#wanted.has(size)) this.#roots.set(size, this.#tree.root());
  }

  /** Gives up on the tree: entries up to an index could not be read. */
  breakOff(next: number): void {
    this.#isBroken = true;
    this.#next = Math.max(this.#next, next);
  }

  /** Ends at the log's size; gives what is missing before it. */
  finish(size: number): ReadonlyArray<FoundHere> {
    if (this.#next >= size) return [];
    const missing = gap(this.#next, size - 1);
    this.breakOff(size);
    return [missing];
  }

  /** The root over the first leaves; null where it was not asked for, or entries before are missing or unreadable. */
  rootAt(size: number): string | null {
    return this.#roots.get(size) ?? null;
  }

  /** The tree over all that was walked; the root is null where entries are missing or unreadable. */
  get head(): { readonly size: number; readonly root_hash: string | null } {
    return { size: this.#next, root_hash: this.#isBroken ? null : this.#tree.root() };
  }
}

const gap = (start: number, end: number): FoundHere => ({
  code: "GAP",
  log_index: start,
  message:
    start === end
      ? `the log: entry ${start} is missing`
      : `the log: entries ${start} to ${end} are missing`,
});

/** What is wrong with an entry by itself. */
export const entryFaults = (entry: AuditedEntry): ReadonlyArray<FoundHere> => {
  const { log_index, trace_id } = entry;
  const name = log_index === null ? "an entry that waits for its index" : `entry ${log_index}`;
  const fault = (code: FoundHere["code"], what: string): ReadonlyArray<FoundHere> => [
    { code, log_index, trace_id, message: `the log: ${name}: ${what}` },
  ];
  if (!isLogEntry(entry)) return fault("NOT_CANONICAL", "its kind or its digest is none");
  if (entry.kind === LogEntryKind.EVENT) {
    const reading = readEvent(entry);
    if (reading.event === null) return fault(reading.code, reading.what);
    const { event } = reading.event;
    if (trace_id !== null || event === "key_added" || event === "key_retired") return [];
    return fault(
      "ORPHAN_LOG_ENTRY",
      `it records ${event === "deletion" ? "a" : "an"} ${event}, and names no trace`,
    );
  }
  return trace_id === null ? fault("ORPHAN_LOG_ENTRY", "it names no trace") : [];
};
