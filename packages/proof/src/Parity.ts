/** Whether two runs agree on everything deterministic, and where they first do not. */
import type { JsonValue } from "./CanonicalJson.ts";
import { align, type Pair } from "./internal/align.ts";
import { parseCanonical } from "./JsonText.ts";

/** What is compared of two acts unless more is asked for. */
export const PARITY_FIELDS = ["skill_id", "params", "status", "retry_count"] as const;

/** What else can be compared. */
export const FURTHER_FIELDS = [
  "outcome_category",
  "outcome_code",
  "outcome_data",
  "cost_cents",
  "duration_ms",
] as const;

/** A field that is compared. */
export type ComparedField = (typeof PARITY_FIELDS)[number] | (typeof FURTHER_FIELDS)[number];

/**
 * With more insertions and deletions than these two runs are compared place by place: aligning takes time and memory by
 * the square of it, and so many differences no table makes plain.
 */
export const ALIGNED_DIFFERENCES_MAX = 2_000;

/** Stands for a payload that a record commits to and whose text is gone: it is equal to nothing, and differs from nothing. */
export const PAYLOAD_GONE = { is_gone: true } as const;

/** A payload's canonical text; null where the record commits to none. */
export type ComparedPayload = string | null | typeof PAYLOAD_GONE;

/** What a run did once: an outcome, with its intent where there is one. */
export interface Act {
  /** The index of the first of its steps. */
  readonly step_index: number;
  readonly skill_id: string;
  /** `intended` where no outcome is recorded. */
  readonly status: string;
  readonly retry_count: number;
  readonly params: ComparedPayload;
  readonly outcome_category: string;
  readonly outcome_code: string | null;
  readonly outcome_data: ComparedPayload;
  readonly cost_cents: number | null;
  readonly duration_ms: number | null;
}

/** A row of two runs beside each other. `unknown` is what can't be compared, and differs in nothing that can. */
export interface ParityRow {
  readonly kind: "same" | "changed" | "unknown" | "only_a" | "only_b";
  /** Indexes in the lists of acts; null where the run has no such act. */
  readonly a: number | null;
  readonly b: number | null;
  /** Fields that differ, and of a row that is `unknown` those that can't be compared. */
  readonly fields: ReadonlyArray<ComparedField>;
}

/** What comparing two runs came to. */
export interface Comparison {
  /** Whether insertions and deletions were told apart from changes: not where there are more than `ALIGNED_DIFFERENCES_MAX`. */
  readonly is_aligned: boolean;
  readonly rows: ReadonlyArray<ParityRow>;
  /** The first row whose acts differ; null where none does. */
  readonly first_divergence: number | null;
  /** The first row that can't be compared; null where all can. */
  readonly first_unknown: number | null;
}

/** Compares two runs' acts, each in its order, by some fields. */
export const compareActs = (
  a: ReadonlyArray<Act>,
  b: ReadonlyArray<Act>,
  fields: ReadonlyArray<ComparedField> = PARITY_FIELDS,
): Comparison => {
  const pairRow = (left: number, right: number): ParityRow => {
    const { differing, unknown } = compareAct(a[left]!, b[right]!, fields);
    if (differing.length > 0) return { kind: "changed", a: left, b: right, fields: differing };
    const kind = unknown.length > 0 ? "unknown" : "same";
    return { kind, a: left, b: right, fields: unknown };
  };
  const mayMatch = (left: number, right: number) => pairRow(left, right).kind !== "changed";
  const shared = Math.min(a.length, b.length);
  let head = 0;
  while (head < shared && mayMatch(head, head)) head += 1;
  let tail = 0;
  while (tail < shared - head && mayMatch(a.length - 1 - tail, b.length - 1 - tail)) tail += 1;
  const [a_end, b_end] = [a.length - tail, b.length - tail];
  const aligned = align(
    a_end - head,
    b_end - head,
    (left, right) => mayMatch(head + left, head + right),
    ALIGNED_DIFFERENCES_MAX,
  );
  const middle =
    aligned === null
      ? placeByPlace(a_end - head, b_end - head)
      : pairChanged(
          aligned,
          (left, right) => a[head + left]!.skill_id === b[head + right]!.skill_id,
        );
  const rows: Array<ParityRow> = [];
  for (let at = 0; at < head; at += 1) rows.push(pairRow(at, at));
  for (const { left, right } of middle) {
    if (left === null) rows.push({ kind: "only_b", a: null, b: head + right!, fields: [] });
    else if (right === null) rows.push({ kind: "only_a", a: head + left, b: null, fields: [] });
    else rows.push(pairRow(head + left, head + right));
  }
  for (let at = 0; at < tail; at += 1) rows.push(pairRow(a_end + at, b_end + at));
  const placeOf = (test: (row: ParityRow) => boolean) => {
    const place = rows.findIndex(test);
    return place === -1 ? null : place;
  };
  return {
    is_aligned: aligned !== null,
    rows,
    first_divergence: placeOf(({ kind }) => kind !== "same" && kind !== "unknown"),
    first_unknown: placeOf(({ kind }) => kind === "unknown"),
  };
};

const compareAct = (a: Act, b: Act, fields: ReadonlyArray<ComparedField>) => {
  const differing: Array<ComparedField> = [];
  const unknown: Array<ComparedField> = [];
  for (const field of fields) {
    const [left, right] = [a[field], b[field]];
    // That one run has a payload and the other has none is known, whatever it was.
    const isEither = left !== null && right !== null;
    if (isEither && (left === PAYLOAD_GONE || right === PAYLOAD_GONE)) unknown.push(field);
    else if (left !== right) differing.push(field);
  }
  return { differing, unknown };
};

const placeByPlace = (left_length: number, right_length: number): ReadonlyArray<Pair> =>
  Array.from({ length: Math.max(left_length, right_length) }, (_, at) => ({
    left: at < left_length ? at : null,
    right: at < right_length ? at : null,
  }));

/** Between acts that are the same, sets those of one skill beside each other: they were changed, not left out and put in. */
const pairChanged = (
  pairs: ReadonlyArray<Pair>,
  isSameSkill: (left: number, right: number) => boolean,
): ReadonlyArray<Pair> => {
  const joined: Array<Pair> = [];
  let [lefts, rights]: [Array<number>, Array<number>] = [[], []];
  const flush = () => {
    const gap = align(
      lefts.length,
      rights.length,
      (left, right) => isSameSkill(lefts[left]!, rights[right]!),
      ALIGNED_DIFFERENCES_MAX,
    );
    for (const { left, right } of gap ?? placeByPlace(lefts.length, rights.length)) {
      joined.push({
        left: left === null ? null : lefts[left]!,
        right: right === null ? null : rights[right]!,
      });
    }
    [lefts, rights] = [[], []];
  };
  for (const pair of pairs) {
    const { left, right } = pair;
    if (left !== null && right !== null) {
      flush();
      joined.push(pair);
    } else if (left !== null) lefts.push(left);
    else rights.push(right!);
  }
  flush();
  return joined;
};

/** Where two values first differ. A value that is left out is undefined. */
export interface ValueDifference {
  /** A JSON path, such as `$.body.amount`. */
  readonly path: string;
  readonly a: JsonValue | undefined;
  readonly b: JsonValue | undefined;
}

/** Where two payloads first differ, in the order of their canonical text; null where they don't, or it is not known. */
export const firstDifference = (a: ComparedPayload, b: ComparedPayload): ValueDifference | null => {
  if (typeof a === "object" && a !== null) return null;
  if (typeof b === "object" && b !== null) return null;
  return differenceAt("$", valueOf(a), valueOf(b));
};

const valueOf = (text: string | null): JsonValue | undefined =>
  text === null ? undefined : parseCanonical(text);

const differenceAt = (
  path: string,
  a: JsonValue | undefined,
  b: JsonValue | undefined,
): ValueDifference | null => {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return a === b ? null : { path, a, b };
  if (Array.isArray(a) !== Array.isArray(b)) return { path, a, b };
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const place = Array.isArray(a) ? `[${key}]` : memberPath(key);
    const difference = differenceAt(path + place, left.get(key), right.get(key));
    if (difference !== null) return difference;
  }
  return null;
};

const memberPath = (key: string): string =>
  /^[A-Za-z_$][\w$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
