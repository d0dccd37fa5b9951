/**
 * Verifies a run from its database rows, one after another, in O(log n) memory.
 *
 * Two questions are kept apart. What the records say is recomputed from the records alone: that is the root. Where they
 * were changed is found by comparing each row with its own stored hash and with the links beside it, so that one edit is
 * one finding at the row that was edited, and not a cascade. VERIFIED needs both: no finding, and equal roots.
 */
import { type Finding, type FindingCode } from "@runproof/schemas/Finding";
import {
  type IntegrityModel,
  REASON_NO_STEPS,
  REASON_NO_TRACE,
  REASON_OPEN,
  type VerificationStatus,
} from "@runproof/schemas/RunProofResult";
import {
  type Lifecycle,
  lifecycleOf,
  SEAL_RECORD_TYPE,
  SEAL_PAYLOAD_NAMES,
  type SealPayloadName,
  type SealRecord,
  TraceStatus,
} from "@runproof/schemas/SealRecord";
import {
  intentFault,
  STEP_RECORD_KEYS,
  STEP_RECORD_TYPE,
  STEP_PAYLOAD_NAMES,
  type StepPayloadName,
  type StepRecord,
} from "@runproof/schemas/StepRecord";
import { isTimestamp } from "@runproof/schemas/Timestamp";
import {
  type Capture,
  TRACE_RECORD_TYPE,
  TRACE_PAYLOAD_NAMES,
  type TracePayloadName,
  type TraceRecord,
} from "@runproof/schemas/TraceRecord";
import { canonicalize, type JsonObject, PARSED_LIMITS } from "./CanonicalJson.ts";
import { firstLink, leafHash, rootHash } from "./Chain.ts";
import { isHashHex } from "./Hash.ts";
import {
  type Absences,
  checkColumns,
  checkErasedAt,
  checkPayloads,
  fieldOf,
  isObject,
  type PayloadRow,
  type RowName,
} from "./internal/checkRow.ts";
import { failureReason, FindingList } from "./internal/FindingList.ts";
import { IntentBook } from "./internal/IntentBook.ts";
import { type LinkFit, LinkFollower } from "./internal/LinkFollower.ts";
import { RecordDigest } from "./internal/RecordDigest.ts";
import {
  type Reading,
  readSealRecord,
  readStepRecord,
  readTraceRecord,
} from "./internal/RecordReader.ts";
import { recordInColumns } from "./internal/quickStepRecord.ts";
import { type Place, StepOrder } from "./internal/StepOrder.ts";
import { CompactRange } from "./MerkleTree.ts";

export type ColumnValue = string | number | boolean | null;
/** The queryable copies of a record's fields: times in the record's form, numbers as numbers. */
export type Columns = Readonly<Record<string, ColumnValue>>;

/** A payload as it stands beside the record. Both are null where there is none, or where it was erased. */
export interface StoredPayload {
  readonly salt: string | null;
  /** The canonical text of the value. */
  readonly text: string | null;
}

/** The row of a trace. Its columns are the record's keys without `type`. */
export interface StoredTrace {
  readonly record: string;
  readonly leaf_hash: string;
  readonly link: string;
  readonly status: string;
  readonly columns: Columns;
  readonly payloads: Readonly<Record<TracePayloadName, StoredPayload>>;
  /** Set once a payload of the trace or its seal was erased. */
  readonly erased_at: string | null;
  readonly archived_at: string | null;
}

/** The row of a step. Its columns are the record's keys without `type`, and the trace's `run_id` and `tenant_id`. */
export interface StoredStep {
  readonly record: string;
  readonly leaf_hash: string;
  readonly link: string;
  readonly columns: Columns;
  readonly payloads: Readonly<Record<StepPayloadName, StoredPayload>>;
  /** Set once a payload of the step was erased. */
  readonly erased_at: string | null;
  /**
   * The hashes of the complete subtrees that end with the step's leaf, from that of two leaves up, in hex without a space;
   * null where there is none. Left out where a source keeps none: a help for paths, which no verdict needs.
   */
  readonly subtrees?: string | null;
}

/** The seal of a trace. Its columns are the record's keys without `type` and `trace_id`. */
export interface StoredSeal {
  readonly record: string;
  readonly root_hash: string;
  readonly columns: Columns;
  readonly payloads: Readonly<Record<SealPayloadName, StoredPayload>>;
}

/** What the verifier is told from outside the rows. */
export interface StoredRunOptions {
  readonly model?: Exclude<IntegrityModel, "NONE">;
  /**
   * Whether the log records that a payload was erased; `step_index` is null for the trace's and the seal's. By default
   * none is, so that a payload that is gone makes the run FAILED.
   */
  readonly erasure_recorded?: (step_index: number | null, payload_name: string) => boolean;
  /** Whether the log records that the trace was archived. Where it is not given, `archived_at` is not judged. */
  readonly archival_recorded?: () => boolean;
  /** Whether a payload that is not there was withheld, as in a bundle, and is no finding; false by default. */
  readonly may_withhold?: boolean;
}

/** What the rows of one run show. */
export interface StoredRunVerdict {
  readonly model: IntegrityModel;
  readonly verification_status: VerificationStatus;
  readonly failure_reason: string | null;
  /** Number of step rows. */
  readonly chain_length: number;
  /** Recomputed from the records; null without a seal, or where a record has no text. */
  readonly root_hash: string | null;
  /** Recomputed from the records: the root over the trace record and the steps. */
  readonly merkle_root: string | null;
  /** C_0, recomputed from the trace record: what the log's OPENED entry holds. */
  readonly first_link: string | null;
  /** Null where the seal can't be believed. */
  readonly lifecycle: Lifecycle | null;
  /** The trace record's; null where that can't be believed. */
  readonly capture: Capture | null;
  /** Intents that no outcome answers: of an OPEN trace those under way, of a sealed one acts of unknown outcome. */
  readonly intents_open: number;
  readonly findings: ReadonlyArray<Finding>;
  /** How many findings beyond those listed there are. */
  readonly findings_omitted: number;
  readonly legacy_root_hash: string | null;
}

/** The verdict on a run of which nothing is stored. */
export const noTraceVerdict = (): StoredRunVerdict => ({
  model: "NONE",
  verification_status: "UNSUPPORTED",
  failure_reason: REASON_NO_TRACE,
  chain_length: 0,
  root_hash: null,
  merkle_root: null,
  first_link: null,
  lifecycle: null,
  capture: null,
  intents_open: 0,
  findings: [],
  findings_omitted: 0,
  legacy_root_hash: null,
});

const TRACE_ROW: RowName = { name: "the trace", step_index: null };
const stepRow = (step_index: number): RowName => ({ name: `step ${step_index}`, step_index });
const SEAL_ROW: RowName = { name: "the seal", step_index: null };
/** What explains a head or a root that does not match, so that it is not said again of the seal. */
const STRUCTURE_CODES: ReadonlyArray<FindingCode> = [
  "CONTENT_MISMATCH",
  "NOT_CANONICAL",
  "LINK_BROKEN",
  "GAP",
  "TRUNCATED",
  "REORDERED",
  "FOREIGN_RECORD",
];

/** The seal's columns that bind it to the steps. */
const SEAL_FACTS: ReadonlyArray<string> = ["step_count", "chain_head", "merkle_root"];
/** A step's columns: the keys of its record but `type`, with `run_id` and `tenant_id`. */
const STEP_COLUMNS = STEP_RECORD_KEYS.length + 1;
const TRACE_STATUSES: ReadonlyArray<string> = TraceStatus.literals;

const columnsOf = (record: object, without: ReadonlyArray<string>): Map<string, unknown> =>
  new Map(Object.entries(record).filter(([key]) => !without.includes(key)));

const textOrNull = (text: unknown): string | null => (typeof text === "string" ? text : null);

const stepsName = (start: number, end: number): string =>
  start === end ? `step ${start}` : `steps ${start} to ${end}`;

const isIndex = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** What a row's leaf may be: the hash of its record first. */
type Leaves = readonly [string, ...Array<string>];

/**
 * The fields of a record that were edited in place: those which, set to what this row's record must say, give the text
 * whose hash is stored. Null where the record is not this row's at all.
 */
const editedFields = (
  object: JsonObject | null,
  must: Readonly<Record<string, unknown>>,
  isStored: (text: string) => boolean,
): string | null => {
  if (object === null) return null;
  const edited = Object.keys(must).filter((key) => object[key] !== must[key]);
  try {
    return edited.length > 0 && isStored(canonicalize({ ...object, ...must }, PARSED_LIMITS))
      ? edited.join(", ")
      : null;
  } catch {
    return null;
  }
};

/** What is wrong with a record's content, if anything; and whether it is the one that was written all the same. */
interface ContentVerdict {
  readonly fault: { readonly code: FindingCode; readonly what: string } | null;
  readonly isAuthentic: boolean;
}

const faulty = (code: FindingCode, what: string, isAuthentic = false): ContentVerdict => ({
  fault: { code, what },
  isAuthentic,
});

/** Judges a record that says it is of another kind or trace: put there, or edited in place. */
const judgeForeign = (
  reading: Reading<unknown>,
  must: Readonly<Record<string, unknown>>,
  leaves: Leaves,
  what: string,
): ContentVerdict => {
  const edited = editedFields(reading.object, must, (text) => leaves.includes(leafHash(text)));
  return edited === null
    ? faulty("FOREIGN_RECORD", what)
    : faulty("CONTENT_MISMATCH", `the record was changed in ${edited}`);
};

/** Judges a record that is its row's by its hash. `isLinked`: the stored link was made from this very record. */
const judgeContent = (
  reading: Reading<unknown>,
  leaves: Leaves,
  storedLeaf: unknown,
  isLinked: boolean,
): ContentVerdict => {
  const isStored = storedLeaf === leaves[0];
  if (reading.fault === "form" || (reading.fault !== null && isStored)) {
    return faulty("NOT_CANONICAL", `the record is not as the format says: ${reading.what}`);
  }
  if (isStored) return { fault: null, isAuthentic: true };
  return isLinked && reading.record !== null
    ? faulty("CONTENT_MISMATCH", "the stored leaf hash is not the record's", true)
    : faulty("CONTENT_MISMATCH", "the record is not the one whose hash is stored");
};

/** Verifies the rows of one run: construct it with the trace, add each step in the order of its index, finish. */
export class StoredRunVerifier {
  readonly #options: StoredRunOptions;
  readonly #trace: StoredTrace;
  readonly #traceFindings = new FindingList();
  readonly #stepFindings = new FindingList();
  readonly #sealFindings = new FindingList();
  /** The trace record, where it is the one that was written. */
  readonly #traceRecord: TraceRecord | null;
  /** The id that every record of this trace must carry. */
  readonly #traceId: unknown;
  readonly #traceAbsences: Absences | null;
  readonly #digest: RecordDigest;
  /** The tree over the leaves as they are stored, from the first on that is not its record's. */
  #storedLeaves: CompactRange | null = null;
  readonly #links: LinkFollower;
  readonly #order = new StepOrder();
  readonly #intents = new IntentBook();
  /** What is wrong among intents and outcomes: said only where no step is missing, forged or out of place. */
  readonly #intentFaults = new FindingList();
  /** Rows whose subtrees are not what the leaves make: said only where it does not follow from what else is wrong. */
  readonly #subtreeFaults = new FindingList();
  /** The row before, as the links see it. */
  #previous: { readonly row: RowName; readonly isLinkBad: boolean; readonly isReported: boolean };

  constructor(trace: StoredTrace, options: StoredRunOptions = {}) {
    this.#trace = trace;
    this.#options = options;
    const text = textOrNull(fieldOf(trace, "record"));
    const reading = readTraceRecord(text);
    this.#digest = new RecordDigest(text, reading.record?.run_id ?? null);
    const storedLink = fieldOf(trace, "link");
    const leaves = this.#takeLeaves(leafHash(text ?? ""), fieldOf(trace, "leaf_hash"), null);
    const links = leaves.map(firstLink);
    this.#links = new LinkFollower(storedLink, links);

    const content = this.#judgeTrace(reading, leaves, storedLink === links[0]);
    const isLinkBad = typeof storedLink !== "string" || !links.includes(storedLink);
    if (content.fault !== null) this.#report(TRACE_ROW, content.fault.code, content.fault.what);
    else if (isLinkBad)
      this.#report(TRACE_ROW, "LINK_BROKEN", "the stored link does not follow from the leaf");
    this.#previous = {
      row: TRACE_ROW,
      isLinkBad: isLinkBad || content.fault !== null,
      isReported: isLinkBad,
    };
    this.#traceRecord = content.isAuthentic ? reading.record : null;
    this.#traceId = this.#traceRecord?.trace_id ?? fieldOf(fieldOf(trace, "columns"), "trace_id");
    this.#traceAbsences =
      this.#traceRecord === null ? null : this.#checkTraceRow(this.#traceRecord);
    this.#checkArchivedAt();
  }

  #report(row: RowName, code: FindingCode, what: string): void {
    const list =
      row === SEAL_ROW
        ? this.#sealFindings
        : row === TRACE_ROW
          ? this.#traceFindings
          : this.#stepFindings;
    list.add(code, row.step_index, `${row.name}: ${what}`);
  }

  /**
   * Takes a row's leaf into the tree of stored ones, which forks from that of the leaves `before` where it is another;
   * gives what the leaf may be: the record's, and the stored where it differs.
   */
  #takeLeaves(leaf: string, storedLeaf: unknown, before: CompactRange | null): Leaves {
    const isOther = isHashHex(storedLeaf) && storedLeaf !== leaf;
    if (isOther) this.#storedLeaves ??= before?.copy() ?? new CompactRange();
    this.#storedLeaves?.append(isOther ? storedLeaf : leaf);
    return isOther ? [leaf, storedLeaf] : [leaf];
  }

  /** The root over the leaves as they are stored. */
  get #storedRoot(): string {
    return (this.#storedLeaves ?? this.#digest.leaves).root();
  }

  #judgeTrace(reading: Reading<TraceRecord>, leaves: Leaves, isLinked: boolean): ContentVerdict {
    const columns = fieldOf(this.#trace, "columns");
    const record = reading.record;
    // A record that the link was made from is the one written, so it is the column that was edited; unless all were.
    const isOther =
      record !== null &&
      record.trace_id !== fieldOf(columns, "trace_id") &&
      !(isLinked && record.run_id === fieldOf(columns, "run_id"));
    if (reading.fault === "type" || isOther) {
      const must = { type: TRACE_RECORD_TYPE, trace_id: fieldOf(columns, "trace_id") };
      return judgeForeign(
        reading,
        must,
        leaves,
        isOther ? "the record is another trace's" : reading.what,
      );
    }
    return judgeContent(reading, leaves, fieldOf(this.#trace, "leaf_hash"), isLinked);
  }

  #payloadsOf(row: unknown, step_index: number | null): PayloadRow {
    const { erasure_recorded, may_withhold = false } = this.#options;
    return {
      payloads: fieldOf(row, "payloads"),
      isErasureRecorded: (name) => erasure_recorded?.(step_index, name) ?? false,
      may_withhold,
    };
  }

  #checkTraceRow(record: TraceRecord): Absences {
    const expected = columnsOf(record, ["type"]);
    checkColumns(this.#traceFindings, TRACE_ROW, fieldOf(this.#trace, "columns"), expected);
    const payloads = this.#payloadsOf(this.#trace, null);
    return checkPayloads(this.#traceFindings, TRACE_ROW, record, TRACE_PAYLOAD_NAMES, payloads);
  }

  #checkArchivedAt(): void {
    const archivedAt = fieldOf(this.#trace, "archived_at") ?? null;
    if (archivedAt === null) return;
    if (typeof archivedAt !== "string" || !isTimestamp(archivedAt)) {
      this.#report(TRACE_ROW, "COLUMN_MISMATCH", "the column archived_at is no time");
    } else if (this.#options.archival_recorded?.() === false) {
      this.#report(
        TRACE_ROW,
        "COLUMN_MISMATCH",
        "the column archived_at is set, and no archival is recorded",
      );
    }
  }

  /** Adds the next step row, in the order of the `step_index` column. */
  addStep(step: StoredStep): void {
    const text = textOrNull(fieldOf(step, "record"));
    const columns = fieldOf(step, "columns");
    const said = text !== null && isObject(columns) ? recordInColumns(text, columns) : undefined;
    const reading: Reading<StepRecord> =
      said === undefined
        ? readStepRecord(text)
        : { record: said, object: said, fault: null, what: "" };
    const column = fieldOf(columns, "step_index");
    const leaf = leafHash(text ?? "");
    const leaves = this.#takeLeaves(leaf, fieldOf(step, "leaf_hash"), this.#digest.leaves);
    const chained = this.#digest.addStep(text, reading.record, leaf);
    const link = this.#links.follow(fieldOf(step, "link"), leaves, chained);
    const content = this.#judgeStep(
      reading,
      leaves,
      fieldOf(step, "leaf_hash"),
      column,
      link.matchedLeaf === leaves[0],
    );
    const place = this.#order.add(content.isAuthentic ? reading.record!.step_index : null, column);
    const row = stepRow(place.index);
    this.#reportStep(row, content, place);
    const isLinkReported = this.#judgeLink(row, link.fit, content, place);
    // What stands beside a record says something of it only where the record is the one that belongs there.
    const isAtHome =
      !place.isDuplicate && !isLinkReported && (!place.isMisplaced || link.fit !== "none");
    this.#checkSubtrees(row, step, chained.subtrees);
    if (content.isAuthentic) this.#checkIntent(row, reading.record!);
    if (content.isAuthentic && isAtHome)
      this.#checkStepRow(row, reading.record!, step, said !== undefined);
  }

  #checkSubtrees(row: RowName, step: StoredStep, made: ReadonlyArray<Buffer>): void {
    const stored = fieldOf(step, "subtrees");
    if (stored === undefined) return;
    const hex = made.length === 0 ? null : made.map((hash) => hash.toString("hex")).join("");
    if (stored !== hex) {
      const message = `${row.name}: the column subtrees is not what the leaves up to it make`;
      this.#subtreeFaults.add("COLUMN_MISMATCH", row.step_index, message);
    }
  }

  /** Finds an intent or outcome that section 1.1 of the format refuses. */
  #checkIntent(row: RowName, record: StepRecord): void {
    if (this.#traceRecord === null) return;
    const own = intentFault(record, this.#traceRecord.capture);
    const fault = this.#intents.add(record);
    const what = own ?? fault;
    if (what !== null)
      this.#intentFaults.add("INTENT_MISMATCH", row.step_index, `${row.name}: ${what}`);
  }

  /** Says what was found of intents; of a sealed run also which acts have no outcome. */
  #checkIntents(seal: StoredSeal | null): void {
    if (this.#stepFindings.has(STRUCTURE_CODES) || this.#traceFindings.has(STRUCTURE_CODES)) return;
    for (const { code, step_index, message } of this.#intentFaults.kept)
      this.#stepFindings.add(code, step_index, message);
    if (seal === null) return;
    for (const { step_index, skill_id } of this.#intents.open) {
      const what = `no outcome of it is recorded: ${skill_id} may or may not have been done`;
      this.#report(stepRow(step_index), "OUTCOME_UNKNOWN", what);
    }
  }

  #judgeStep(
    reading: Reading<StepRecord>,
    leaves: Leaves,
    storedLeaf: unknown,
    column: unknown,
    isLinked: boolean,
  ): ContentVerdict {
    const record = reading.record;
    const must = { type: STEP_RECORD_TYPE, trace_id: this.#traceId, step_index: column };
    if (reading.fault === "type" || (record !== null && record.trace_id !== this.#traceId)) {
      return judgeForeign(reading, must, leaves, reading.what || "the record is another trace's");
    }
    if (record !== null && record.step_index !== column && storedLeaf !== leaves[0] && !isLinked) {
      const edited = editedFields(reading.object, must, (text) => leaves.includes(leafHash(text)));
      return edited === null
        ? faulty("REORDERED", `the record is that of step ${record.step_index}`)
        : faulty("CONTENT_MISMATCH", `the record was changed in ${edited}`);
    }
    return judgeContent(reading, leaves, storedLeaf, isLinked);
  }

  #reportStep(row: RowName, content: ContentVerdict, place: Place): void {
    if (place.isDuplicate) this.#report(row, "FOREIGN_RECORD", "more than one row is this step");
    else if (content.fault !== null) this.#report(row, content.fault.code, content.fault.what);
    else if (place.isLate) this.#report(row, "REORDERED", "it comes after a later step");
  }

  /** Reports a link that does not follow from the row before, where that row gives ground to say so. */
  #judgeLink(row: RowName, fit: LinkFit, content: ContentVerdict, place: Place): boolean {
    const previous = this.#previous;
    if (fit === "computed" && !previous.isReported) this.#reportLink(previous.row);
    const isLinkBad = fit === "none";
    const isReported =
      isLinkBad && !previous.isLinkBad && content.isAuthentic && place.isNext && !place.isDuplicate;
    if (isReported) this.#reportLink(row);
    this.#previous = { row, isLinkBad: isLinkBad || !content.isAuthentic, isReported };
    return isReported;
  }

  #reportLink(row: RowName): void {
    this.#report(
      row,
      "LINK_BROKEN",
      "the stored link does not follow from the link before and the leaf",
    );
  }

  /** Checks what stands beside a record; `isSaid`: the columns that are the record's own say it, every one. */
  #checkStepRow(row: RowName, record: StepRecord, step: StoredStep, isSaid: boolean): void {
    const columns = fieldOf(step, "columns");
    // Where the trace record can't be believed there is nothing to compare with; that is FAILED already.
    const owner = this.#traceRecord;
    const run_id = owner === null ? fieldOf(columns, "run_id") : owner.run_id;
    const tenant_id = owner === null ? fieldOf(columns, "tenant_id") : owner.tenant_id;
    const isWhole =
      isSaid &&
      fieldOf(columns, "run_id") === run_id &&
      fieldOf(columns, "tenant_id") === tenant_id &&
      Object.keys(columns as object).length === STEP_COLUMNS;
    if (!isWhole) {
      const expected = columnsOf(record, ["type"]);
      expected.set("run_id", run_id).set("tenant_id", tenant_id);
      // What stands in the wrong place is told apart from what was renumbered once all rows are known.
      const column = fieldOf(columns, "step_index");
      if (isIndex(column)) expected.set("step_index", column);
      checkColumns(this.#stepFindings, row, columns, expected);
    }
    const payloads = this.#payloadsOf(step, row.step_index);
    const names = STEP_PAYLOAD_NAMES;
    const absences = checkPayloads(this.#stepFindings, row, record, names, payloads);
    checkErasedAt(this.#stepFindings, row, fieldOf(step, "erased_at"), absences);
  }

  /** Ends with the seal, or null where there is none, and gives the verdict. */
  finish(seal: StoredSeal | null): StoredRunVerdict {
    const sealText = seal === null ? null : textOrNull(fieldOf(seal, "record"));
    const record = seal === null ? null : this.#checkSeal(seal, sealText);
    this.#checkStatus(seal, record);
    this.#checkOrder(record);
    const root_hash = seal === null ? null : this.#digest.rootUnder(sealText);
    if (record !== null) this.#checkBinding(record);
    this.#checkIntents(seal);
    // Where records are gone or in another order, other subtrees are what follows from that.
    const isWhole = record === null ? seal === null && !this.#isFaulty() : this.#agreesWith(record);
    if (isWhole) {
      for (const { code, step_index, message } of this.#subtreeFaults.kept)
        this.#stepFindings.add(code, step_index, message);
    }
    const lifecycle = seal === null ? "OPEN" : record === null ? null : lifecycleOf(record.status);
    const isEqual =
      record !== null && this.#agreesWith(record) && root_hash === fieldOf(seal, "root_hash");
    if (seal !== null && !isEqual && !this.#isHarmful(lifecycle)) {
      this.#report(
        SEAL_ROW,
        "SEAL_MISMATCH",
        "the hashes recomputed from the records are not those of the seal",
      );
    }
    return this.#verdict(lifecycle, root_hash, isEqual);
  }

  get #lists(): ReadonlyArray<FindingList> {
    return [this.#traceFindings, this.#stepFindings, this.#sealFindings];
  }

  #isFaulty(): boolean {
    return this.#lists.some((list) => list.kept.length > 0);
  }

  #isHarmful(lifecycle: Lifecycle | null): boolean {
    return this.#lists.some((list) => list.isHarmful(lifecycle));
  }

  /** The seal record, where it is the one whose root is stored. */
  #checkSeal(seal: StoredSeal, text: string | null): SealRecord | null {
    const reading = readSealRecord(text);
    const storedRoot = fieldOf(seal, "root_hash");
    const isStored = (sealText: string, head: unknown) =>
      isHashHex(head) && rootHash(head, sealText) === storedRoot;
    const isBound = text !== null && isStored(text, reading.object?.["chain_head"]);
    const isOther = reading.record !== null && reading.record.trace_id !== this.#traceId;
    if (reading.fault === "type" || isOther) {
      const must = { type: SEAL_RECORD_TYPE, trace_id: this.#traceId };
      const edited = editedFields(reading.object, must, (sealText) =>
        isStored(sealText, reading.object?.["chain_head"]),
      );
      if (edited !== null)
        this.#report(SEAL_ROW, "SEAL_MISMATCH", `the record was changed in ${edited}`);
      else
        this.#report(
          SEAL_ROW,
          "FOREIGN_RECORD",
          isOther ? "the record is another trace's" : reading.what,
        );
      return null;
    }
    if (reading.fault === "form" || (reading.fault !== null && isBound)) {
      this.#report(
        SEAL_ROW,
        "NOT_CANONICAL",
        `the record is not as the format says: ${reading.what}`,
      );
      return null;
    }
    if (reading.record === null || !isBound) {
      this.#report(
        SEAL_ROW,
        "SEAL_MISMATCH",
        "the stored root is not that of the record: one of the two was changed",
      );
      return null;
    }
    this.#checkSealRow(reading.record, seal);
    return reading.record;
  }

  #checkSealRow(record: SealRecord, seal: StoredSeal): void {
    const expected = columnsOf(record, ["type", "trace_id"]);
    const columns = fieldOf(seal, "columns");
    // The trace's status is the same column; it is judged by itself.
    if (fieldOf(columns, "status") === fieldOf(this.#trace, "status"))
      expected.set("status", fieldOf(columns, "status"));
    checkColumns(this.#sealFindings, SEAL_ROW, columns, expected, (column) =>
      SEAL_FACTS.includes(column) ? "SEAL_MISMATCH" : "COLUMN_MISMATCH",
    );
    const payloads = this.#payloadsOf(seal, null);
    const names = SEAL_PAYLOAD_NAMES;
    const absences = checkPayloads(this.#sealFindings, SEAL_ROW, record, names, payloads);
    this.#checkTraceErasedAt(absences);
  }

  /** The trace's `erased_at` speaks for the trace's payloads and the seal's. */
  #checkTraceErasedAt(ofSeal: Absences): void {
    if (this.#traceAbsences === null) return;
    const { gone, erased } = this.#traceAbsences;
    const absences = { gone: gone + ofSeal.gone, erased: erased + ofSeal.erased };
    checkErasedAt(this.#traceFindings, TRACE_ROW, fieldOf(this.#trace, "erased_at"), absences);
  }

  #checkStatus(seal: StoredSeal | null, record: SealRecord | null): void {
    const stored = fieldOf(this.#trace, "status");
    const status = typeof stored === "string" ? stored : "";
    if (seal === null) this.#checkTraceErasedAt({ gone: 0, erased: 0 });
    if (!TRACE_STATUSES.includes(status)) {
      this.#report(
        TRACE_ROW,
        "COLUMN_MISMATCH",
        `the status ${JSON.stringify(status)} is none that a trace can have`,
      );
    } else if (seal === null && status !== "running") {
      this.#report(TRACE_ROW, "SEAL_MISMATCH", `the status is ${status}, and there is no seal`);
    } else if (record !== null && status !== record.status) {
      const what = `the status is ${status}, and the seal says ${record.status}`;
      this.#report(TRACE_ROW, "COLUMN_MISMATCH", what);
    }
  }

  /** Finds the steps that are missing, too many, or in each other's place. */
  #checkOrder(seal: SealRecord | null): void {
    const found = this.#order.end;
    const isCountTheEdit = seal !== null && seal.step_count !== found && this.#isBoundTo(seal);
    const sealed = seal === null || isCountTheEdit ? found : seal.step_count;
    if (isCountTheEdit) {
      const what = `it counts ${seal.step_count} steps, and is bound to ${found}`;
      this.#report(SEAL_ROW, "SEAL_MISMATCH", what);
    }
    for (const { record, column, isSwapped } of this.#order.misplaced()) {
      const row = stepRow(record);
      if (isSwapped) this.#report(row, "REORDERED", `it stands in the place of step ${column}`);
      else this.#report(row, "COLUMN_MISMATCH", "the column step_index differs from the record");
    }
    this.#stepFindings.drop((finding) => (finding.step_index ?? 0) >= sealed);
    for (const { start, end } of this.#order.presentFrom(sealed)) {
      const what = `the seal counts ${sealed} steps, so ${start === end ? "this is" : "these are"} not of the sealed run`;
      this.#stepFindings.add("FOREIGN_RECORD", start, `${stepsName(start, end)}: ${what}`);
    }
    for (const { start, end } of this.#order.missingBelow(sealed)) {
      const isTail = end === sealed - 1;
      const what = isTail ? `missing: the run was cut, its seal counts ${sealed} steps` : "missing";
      this.#stepFindings.add(
        isTail ? "TRUNCATED" : "GAP",
        start,
        `${stepsName(start, end)}: ${what}`,
      );
    }
  }

  /** Whether the seal is bound to just the rows that are here, by the head or by the tree. */
  #isBoundTo(seal: SealRecord): boolean {
    return this.#links.fitOf(seal.chain_head) !== "none" || this.#storedRoot === seal.merkle_root;
  }

  /** Finds a head or a tree root of the seal that the rows contradict, where the rows themselves are in order. */
  #checkBinding(seal: SealRecord): void {
    const fit = this.#links.fitOf(seal.chain_head);
    if (fit === "computed" && !this.#previous.isReported) this.#reportLink(this.#previous.row);
    if (!this.#order.isInOrder) return;
    if (this.#stepFindings.has(STRUCTURE_CODES) || this.#traceFindings.has(STRUCTURE_CODES)) return;
    if (fit === "none" && !this.#previous.isLinkBad) {
      this.#report(SEAL_ROW, "SEAL_MISMATCH", "its chain_head is not the last link");
    }
    if (![this.#storedRoot, this.#digest.merkleRoot].includes(seal.merkle_root)) {
      this.#report(SEAL_ROW, "SEAL_MISMATCH", "its merkle_root is not that of the leaves");
    }
  }

  /** Whether everything that the seal is bound to equals what was recomputed from the records. */
  #agreesWith(seal: SealRecord): boolean {
    return (
      seal.chain_head === this.#digest.link &&
      seal.merkle_root === this.#digest.merkleRoot &&
      seal.step_count === this.#digest.stepCount
    );
  }

  #verdict(
    lifecycle: Lifecycle | null,
    root_hash: string | null,
    isEqual: boolean,
  ): StoredRunVerdict {
    const steps = this.#stepFindings.kept.toSorted(
      (a, b) => (a.step_index ?? 0) - (b.step_index ?? 0),
    );
    const findings = [...this.#traceFindings.kept, ...steps, ...this.#sealFindings.kept];
    const findings_omitted = this.#lists.reduce((sum, list) => sum + list.omittedCount, 0);
    const unsupported =
      this.#digest.stepCount === 0 ? REASON_NO_STEPS : lifecycle === "OPEN" ? REASON_OPEN : null;
    // `isEqual` is false without a seal: nothing is VERIFIED that was not compared.
    const status = this.#isHarmful(lifecycle)
      ? "FAILED"
      : unsupported !== null
        ? "UNSUPPORTED"
        : isEqual
          ? "VERIFIED"
          : "FAILED";
    return {
      model: this.#options.model ?? "HASH_CHAIN",
      verification_status: status,
      failure_reason: failureReason(findings, findings_omitted, lifecycle) ?? unsupported,
      chain_length: this.#digest.stepCount,
      root_hash,
      merkle_root: this.#digest.merkleRoot,
      first_link: this.#digest.firstLink,
      lifecycle,
      capture: this.#traceRecord?.capture ?? null,
      intents_open: this.#intents.open.length,
      findings,
      findings_omitted,
      legacy_root_hash: this.#digest.legacyRoot,
    };
  }
}
