import type { AuditedEntry } from "@runproof/drivers/audit/readAuditedEntries";
import { LogEntryKind } from "@runproof/proof/LogEntry";
import { HEAD_EVERY_STEPS } from "../AuditBridge.ts";
import type { FoundHere } from "./AuditTally.ts";
import { erasedPayloads, eventOf } from "./EventEntry.ts";

/** What of a trace its entries are compared with: each hash as it is stored, and as it follows from the records. */
export interface LoggedFacts {
  readonly first_links: ReadonlyArray<string | null>;
  readonly roots: ReadonlyArray<string | null>;
  readonly is_sealed: boolean;
  readonly is_archived: boolean;
}

/** When the entries that hold a trace's start and its seal were put into the log's queue. */
export interface LoggedTimes {
  readonly opened: ReadonlyArray<string>;
  readonly sealed: ReadonlyArray<string>;
}

interface Placed {
  readonly digest: string;
  readonly log_index: number | null;
  readonly queued_at: string;
}

const named = ({ log_index }: Pick<Placed, "log_index">): string =>
  log_index === null ? "waiting for its index" : `at ${log_index}`;

/** What the log says of one trace. HEAD entries take some hundred bytes each; a log has one for a thousand steps. */
export class TraceLog {
  readonly #opened: Array<Placed> = [];
  readonly #sealed: Array<Placed> = [];
  /** HEAD entries whose link was not seen yet. */
  readonly #heads = new Map<string, number | null>();
  readonly #erased = new Map<string, Placed>();
  readonly #archivals: Array<Placed> = [];
  readonly #deletions: Array<Placed> = [];
  /** Steps whose link was seen; the first link is the trace's own. */
  #steps = -1;
  #headed = 0;

  /** Takes an entry that names the trace. One of a kind that is none, or an event that can't be believed, says nothing. */
  add(entry: AuditedEntry): void {
    const { kind, digest, log_index, queued_at } = entry;
    if (kind === LogEntryKind.OPENED) this.#opened.push({ digest, log_index, queued_at });
    else if (kind === LogEntryKind.SEALED) this.#sealed.push({ digest, log_index, queued_at });
    else if (kind === LogEntryKind.HEAD) this.#heads.set(digest, log_index);
    else this.#addEvent(entry);
  }

  #addEvent(entry: AuditedEntry): void {
    const event = eventOf(entry);
    if (event === null) return;
    for (const payload of erasedPayloads(event)) this.#erased.set(payload, entry);
    if (event.event === "archival") this.#archivals.push(entry);
    if (event.event === "deletion") this.#deletions.push(entry);
  }

  /** Whether an erasure names a payload; `step_index` is null for the trace's and the seal's. */
  isErased(step_index: number | null, name: string): boolean {
    const owner =
      step_index !== null ? `step ${step_index}` : name === "metadata" ? "seal" : "trace";
    return this.#erased.has(`${owner}:${name}`);
  }

  /** When the trace's start and its seal were logged; as often as entries that hold them say so. */
  times({ first_links, roots }: LoggedFacts): LoggedTimes {
    const timesOf = (entries: ReadonlyArray<Placed>, digests: ReadonlyArray<string | null>) =>
      entries.flatMap(({ digest, queued_at }) => (digests.includes(digest) ? [queued_at] : []));
    return { opened: timesOf(this.#opened, first_links), sealed: timesOf(this.#sealed, roots) };
  }

  get isArchived(): boolean {
    return this.#archivals.length > 0;
  }

  /** Takes the stored links in order: the trace's own, then each step's. */
  seeLink(link: string): void {
    this.#steps += 1;
    if (this.#heads.size > 0 && this.#heads.delete(link)) this.#headed = this.#steps;
  }

  /** How many steps the last HEAD entry covers; null where one matches no link, so that it can't be told. */
  get headed(): number | null {
    return this.#heads.size === 0 ? this.#headed : null;
  }

  /** What of the trace and its entries does not match, once every link was seen. */
  compare(facts: LoggedFacts): ReadonlyArray<FoundHere> {
    return [
      ...this.#compareOnce("OPENED", this.#opened, facts.first_links, true),
      ...this.#compareOnce("SEALED", this.#sealed, facts.roots, facts.is_sealed),
      ...this.#compareHeads(),
      ...this.#compareUnheaded(),
      ...this.#compareErasures(),
      ...this.#compareEvents(facts),
    ];
  }

  /** Where the later of start and seal stands; null where one of them does not match or has no index. */
  loggedAt({ first_links, roots }: LoggedFacts): number | null {
    const opened = this.#opened.find(({ digest }) => first_links.includes(digest))?.log_index;
    const sealed = this.#sealed.find(({ digest }) => roots.includes(digest))?.log_index;
    return typeof opened === "number" && typeof sealed === "number"
      ? Math.max(opened, sealed)
      : null;
  }

  #compareOnce(
    kind: "OPENED" | "SEALED",
    entries: ReadonlyArray<Placed>,
    digests: ReadonlyArray<string | null>,
    isExpected: boolean,
  ): ReadonlyArray<FoundHere> {
    const own = isExpected ? entries.find(({ digest }) => digests.includes(digest)) : undefined;
    const missing: ReadonlyArray<FoundHere> =
      isExpected && own === undefined
        ? [{ code: "NOT_IN_LOG", message: `the log: no ${kind} entry holds ${holds(kind)}` }]
        : [];
    const others = entries.filter((entry) => entry !== own);
    return [
      ...missing,
      ...others.map((entry) =>
        orphan(
          entry,
          `${kind} ${named(entry)} ${whatOfOther(kind, own !== undefined, isExpected)}`,
        ),
      ),
    ];
  }

  #compareHeads(): ReadonlyArray<FoundHere> {
    const [first] = this.#heads;
    if (first === undefined) return [];
    const [, log_index] = first;
    const more = this.#heads.size === 1 ? "" : `, nor do ${this.#heads.size - 1} more`;
    const what = `HEAD ${named({ log_index })} matches no link of the trace${more}: steps were cut or rewritten`;
    return [orphan({ log_index }, what)];
  }

  /** The steps that bring a HEAD entry put it in the log with them: so many without one were kept out of it. */
  #compareUnheaded(): ReadonlyArray<FoundHere> {
    const { headed } = this;
    if (headed === null || this.#steps - headed < HEAD_EVERY_STEPS) return [];
    const what = `no HEAD entry holds a link of the last ${this.#steps - headed} steps, and one is due within ${HEAD_EVERY_STEPS}`;
    return [{ code: "NOT_IN_LOG", message: `the log: ${what}` }];
  }

  #hasPlaceOf(payload: string): boolean {
    const step = /^step (?<index>\d{1,15}):(params|outcome_data|attributes)$/u.exec(
      payload,
    )?.groups;
    if (step !== undefined) return Number(step["index"]) < this.#steps;
    return ["", "trace:plan", "trace:attributes", "seal:metadata"].includes(payload);
  }

  /** What was erased must be of the trace; a payload that was never there may be named with the others. */
  #compareErasures(): ReadonlyArray<FoundHere> {
    return [...this.#erased]
      .filter(([payload]) => !this.#hasPlaceOf(payload))
      .map(([payload, entry]) =>
        orphan(
          entry,
          `EVENT ${named(entry)} says that ${payload} was erased, and there is no such`,
        ),
      );
  }

  #compareEvents({ is_archived }: LoggedFacts): ReadonlyArray<FoundHere> {
    const archivals = is_archived ? [] : this.#archivals;
    return [
      ...archivals.map((entry) =>
        orphan(entry, `EVENT ${named(entry)} says that the trace was archived, and it is not`),
      ),
      ...this.#deletions.map((entry) =>
        orphan(entry, `EVENT ${named(entry)} says that the trace was deleted, and it is there`),
      ),
    ];
  }
}

const orphan = ({ log_index }: Pick<Placed, "log_index">, what: string): FoundHere => ({
  code: "ORPHAN_LOG_ENTRY",
  log_index,
  message: `the log: ${what}`,
});

const holds = (kind: "OPENED" | "SEALED"): string =>
  kind === "OPENED" ? "the hash of the trace's start" : "the root of the trace's seal";

const whatOfOther = (kind: "OPENED" | "SEALED", hasOwn: boolean, isExpected: boolean): string => {
  if (hasOwn) return `is one too many: the trace has one ${kind} entry`;
  return isExpected
    ? "holds another hash than the trace's: it was rewritten after the log recorded it"
    : "says that the trace was sealed, and it has no seal: it was cut or rolled back";
};
