import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import { LogEntryKind } from "@runproof/proof/LogEntry";
import type { FoundHere } from "./AuditTally.ts";
import { eventOf } from "./EventEntry.ts";

/** How many HEAD entries a deletion says that its trace had: a decimal number, none where it says nothing. */
const headsOf = (heads: string | undefined): number | null => {
  if (heads === undefined) return 0;
  return /^(0|[1-9]\d{0,8})$/u.test(heads) ? Number(heads) : null;
};

/**
 * What the log says of a trace that is gone. An entry's trace_id is in no hash: entries of others may name a trace that was
 * deleted as recorded, and hide behind it. So all of them must be just those of one trace, as its deletion counts them.
 */
export class DeletionRecord {
  #opened = 0;
  #heads = 0;
  #sealed: AuditedEntry | null = null;
  #deletion: AuditedEntry | null = null;
  /** A deletion of the sealed root that counts other HEAD entries than came before it. */
  #miscounting: { readonly entry: AuditedEntry; readonly said: string } | null = null;
  #surplus: { readonly entry: AuditedEntry; readonly what: string } | null = null;
  #surplus_more = 0;

  /** Takes an entry that names the trace: the numbered ones in order, then those that wait. */
  add(entry: AuditedEntry): void {
    if (entry.kind === LogEntryKind.OPENED) this.#addOpened(entry);
    else if (entry.kind === LogEntryKind.HEAD) this.#addHead(entry);
    else if (entry.kind === LogEntryKind.SEALED) this.#addSealed(entry);
    else this.#addEvent(entry);
  }

  #addOpened(entry: AuditedEntry): void {
    this.#opened += 1;
    if (this.#opened > 1) this.#isTooMuch(entry, "OPENED", "is one too many");
    else if (this.#sealed !== null) this.#isTooMuch(entry, "OPENED", "comes after its SEALED");
  }

  #addHead(entry: AuditedEntry): void {
    this.#heads += 1;
    if (this.#opened === 0) this.#isTooMuch(entry, "HEAD", "comes before its OPENED");
    else if (this.#sealed !== null) this.#isTooMuch(entry, "HEAD", "comes after its SEALED");
  }

  #addSealed(entry: AuditedEntry): void {
    if (this.#sealed !== null) this.#isTooMuch(entry, "SEALED", "is one too many");
    else if (this.#opened === 0) this.#isTooMuch(entry, "SEALED", "comes before its OPENED");
    this.#sealed ??= entry;
  }

  #addEvent(entry: AuditedEntry): void {
    const event = eventOf(entry);
    if (event?.event !== "deletion" || this.#sealed === null) return;
    const { root_hash, heads } = event.detail;
    if (root_hash !== this.#sealed.digest) return;
    if (headsOf(heads) === this.#heads) this.#deletion ??= entry;
    else this.#miscounting ??= { entry, said: heads ?? "none" };
  }

  #isTooMuch(entry: AuditedEntry, kind: string, what: string): void {
    if (this.#surplus !== null) this.#surplus_more += 1;
    this.#surplus ??= { entry, what: `${kind} ${what}` };
  }

  /** Whether the log records the trace's deletion, and holds of it what a deleted trace leaves and nothing more. */
  get isRecorded(): boolean {
    return this.#deletion !== null && this.#surplus === null;
  }

  /** The root of the trace whose deletion the log records; null where it records none. */
  get root(): string | null {
    return this.isRecorded ? (this.#sealed?.digest ?? null) : null;
  }

  /** Whether an entry is the EVENT by which the deletion is recorded. */
  isRecordedBy({ log_index, digest }: AuditedEntry): boolean {
    const recorded = this.isRecorded ? this.#deletion : null;
    return recorded?.log_index === log_index && recorded.digest === digest;
  }

  /** What is wrong with the entries of the trace, of which one is given; null where its deletion is recorded. */
  fault(named: AuditedEntry): FoundHere | null {
    if (this.isRecorded) return null;
    const { entry, what } = this.#why(named);
    const { trace_id, log_index } = entry;
    return { code: "ORPHAN_LOG_ENTRY", trace_id, log_index, message: `the log: ${what}` };
  }

  #why(named: AuditedEntry): { readonly entry: AuditedEntry; readonly what: string } {
    const { trace_id } = named;
    if (this.#surplus !== null && (this.#deletion !== null || this.#miscounting !== null)) {
      const { entry, what } = this.#surplus;
      const more = this.#surplus_more === 0 ? "" : `, as do ${this.#surplus_more} more`;
      const is = `trace ${trace_id} was deleted, and an entry that names it is another's`;
      return { entry, what: `${is}: ${what}${more}` };
    }
    if (this.#miscounting !== null) {
      const { entry, said } = this.#miscounting;
      const is = `the deletion of trace ${trace_id} counts other HEAD entries than name it`;
      return { entry, what: `${is}: ${said}, and there are ${this.#heads}` };
    }
    return {
      entry: named,
      what: `it has entries of trace ${trace_id}, which is not there, and no deletion of it is recorded`,
    };
  }
}
