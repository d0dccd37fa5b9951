import type { AuditFinding } from "@runproof/schemas/AuditReport";
import { type Expected, matches, type RowPlan } from "./Attack.ts";

/** What came of one attack. */
export interface Judgement {
  readonly is_right: boolean;
  /** What is wrong, where something is. */
  readonly what: string | null;
}

const RIGHT: Judgement = { is_right: true, what: null };

const describe = (expected: Expected): string =>
  Object.entries(expected)
    .map(([, value]) => String(value))
    .join(" ");

const describeFinding = ({ code, step_index, log_index, object, message }: AuditFinding): string =>
  [code, step_index ?? log_index ?? object ?? "", `(${message})`].join(" ");

/** Judges what was found of an attack: everything expected, and nothing but that and its consequences. */
export const judge = (
  { expected, also = [] }: Pick<RowPlan, "expected" | "also">,
  findings: ReadonlyArray<AuditFinding>,
): Judgement => {
  const missed = expected.filter((each) => !findings.some((found) => matches(found, each)));
  if (missed.length > 0) {
    const found = findings.map(describeFinding).join("; ") || "nothing";
    return {
      is_right: false,
      what: `not found: ${missed.map(describe).join(", ")}; found: ${found}`,
    };
  }
  const allowed = [...expected, ...also];
  const surplus = findings.filter((found) => !allowed.some((each) => matches(found, each)));
  return surplus.length === 0
    ? RIGHT
    : { is_right: false, what: `found too: ${surplus.map(describeFinding).join("; ")}` };
};

/** The findings of each attack, by the traces that it touched; those of no touched trace are false alarms. */
export const shareFindings = (
  touched: ReadonlyArray<ReadonlySet<string>>,
  findings: ReadonlyArray<AuditFinding>,
): {
  readonly of: ReadonlyArray<ReadonlyArray<AuditFinding>>;
  readonly alarms: ReadonlyArray<AuditFinding>;
} => {
  const of = touched.map((): Array<AuditFinding> => []);
  const alarms: Array<AuditFinding> = [];
  const owners = new Map(touched.flatMap((ids, at) => [...ids].map((id) => [id, at] as const)));
  for (const finding of findings) {
    const owner = finding.trace_id === null ? undefined : owners.get(finding.trace_id);
    (owner === undefined ? alarms : of[owner]!).push(finding);
  }
  return { of, alarms };
};
