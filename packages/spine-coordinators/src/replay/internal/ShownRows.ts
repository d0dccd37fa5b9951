/** Acts of two runs beside each other, as a report shows them. */
import {
  type Act,
  type ComparedField,
  firstDifference,
  type ParityRow,
  type ValueDifference,
} from "@runproof/proof/Parity";
import { REDACTED } from "@runproof/proof/Redaction";

/** An act as it stands in the table. */
export type ShownAct = Pick<
  Act,
  | "step_index"
  | "skill_id"
  | "status"
  | "retry_count"
  | "outcome_code"
  | "cost_cents"
  | "duration_ms"
>;

/** A row of the table: an act of each run, or of one. */
export interface ShownRow extends Pick<ParityRow, "kind" | "fields"> {
  readonly a: ShownAct | null;
  readonly b: ShownAct | null;
}

/** Where the runs first differ. */
export interface Divergence {
  /** The row's place in the table; null where all acts agree and the runs ended differently. */
  readonly row: number | null;
  readonly reason: string;
  /** Where params or outcome first differ; null where it is not they that do. */
  readonly value: ValueDifference | null;
}

const shownAct = (act: Act): ShownAct => ({
  step_index: act.step_index,
  skill_id: act.skill_id,
  status: act.status,
  retry_count: act.retry_count,
  outcome_code: act.outcome_code,
  cost_cents: act.cost_cents,
  duration_ms: act.duration_ms,
});

/** A row with its acts in place of where they stand. */
export const shownRow = (
  { kind, fields, a: left, b: right }: ParityRow,
  a: ReadonlyArray<Act>,
  b: ReadonlyArray<Act>,
): ShownRow => ({
  kind,
  fields,
  a: left === null ? null : shownAct(a[left]!),
  b: right === null ? null : shownAct(b[right]!),
});

/** Whether two acts were found the same with a mask in place of a value. */
export const isMasked = (
  { kind, a: at }: ParityRow,
  acts: ReadonlyArray<Act>,
  compared: ReadonlyArray<ComparedField>,
): boolean =>
  kind === "same" &&
  at !== null &&
  compared.some((field) => {
    const value = acts[at]![field];
    return typeof value === "string" && value.includes(REDACTED);
  });

/** An act by its skill and its step. */
export const named = (act: Act | null): string =>
  act === null ? "nothing" : `${act.skill_id} (step ${act.step_index})`;

/** Characters of a value that a reason quotes; the report has the whole. */
const QUOTED_CHARACTERS_MAX = 120;

const said = (value: unknown): string => {
  if (value === undefined || value === null) return "none";
  const text = JSON.stringify(value);
  return text.length <= QUOTED_CHARACTERS_MAX
    ? text
    : `${text.slice(0, QUOTED_CHARACTERS_MAX).toWellFormed()}…`;
};

/** What two acts differ in: `status is "success" in A, "failure" in B`. */
export const sayChange = (
  field: ComparedField,
  left: Act,
  right: Act,
  [a, b]: readonly [a: string, b: string],
): { readonly what: string; readonly value: ValueDifference | null } => {
  const value =
    field === "params" || field === "outcome_data"
      ? firstDifference(left[field], right[field])
      : null;
  const what =
    value === null
      ? `${field} is ${said(left[field])} ${a}, ${said(right[field])} ${b}`
      : `${field} ${value.path} is ${said(value.a)} ${a}, ${said(value.b)} ${b}`;
  return { what, value };
};
