/** Whether two recorded runs agree on everything deterministic: each is verified first, and compared from those very rows. */
import {
  type Act,
  type ComparedField,
  compareActs,
  PARITY_FIELDS,
  type ParityRow,
} from "@runproof/proof/Parity";
import type { InvalidInput, RunNotFound } from "@runproof/schemas/RunProofError";
import type { VerificationStatus } from "@runproof/schemas/RunProofResult";
import type { Lifecycle } from "@runproof/schemas/SealRecord";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type BundleError, RunProofCoordinator } from "../proof/RunProofCoordinator.ts";
import { type Evidence, readEvidence, wordOf } from "./internal/Evidence.ts";
import {
  type Divergence,
  isMasked,
  named,
  sayChange,
  type ShownAct,
  type ShownRow,
  shownRow,
} from "./internal/ShownRows.ts";

export type { Divergence, ShownAct, ShownRow };

/** Which runs of a tenant to compare, and by what. */
export interface CompareRuns {
  readonly tenant_id: string;
  readonly run_a: string;
  readonly run_b: string;
  /** Compared beside what is deterministic: what calls answered, what they cost, how long they took. */
  readonly outcomes?: boolean | undefined;
  readonly costs?: boolean | undefined;
  readonly times?: boolean | undefined;
}

/** One of the runs, and what may be believed of it. */
export interface ComparedRun {
  readonly run_id: string;
  readonly verification_status: VerificationStatus;
  readonly failure_reason: string | null;
  readonly lifecycle: Lifecycle | null;
  readonly status: string;
  readonly step_count: number;
  readonly act_count: number;
  readonly retry_count: number;
  /** Sums over the acts that say it; null where none does. */
  readonly cost_cents: number | null;
  readonly duration_ms: number | null;
}

/** What comparing two runs came to. */
export interface ParityReport {
  /** `UNKNOWN` where a run can't be believed, is not complete, or what would decide it was erased: never `PARITY`. */
  readonly verdict: "PARITY" | "DIVERGED" | "UNKNOWN";
  /** Why, in a sentence; null for `PARITY`. */
  readonly reason: string | null;
  readonly compared: ReadonlyArray<ComparedField>;
  readonly run_a: ComparedRun;
  readonly run_b: ComparedRun;
  readonly first_divergence: Divergence | null;
  /** The second run's sums less the first's; null where one of them is not known. */
  readonly delta: {
    readonly acts: number;
    readonly cost_cents: number | null;
    readonly duration_ms: number | null;
  };
  /** Acts that agree and hold values that were masked in both: whether these were the same, nobody can say. */
  readonly masked_acts: number;
  /** False where the runs differ so much that their acts are only set side by side. */
  readonly is_aligned: boolean;
  /** Empty where a run is FAILED: what its rows say is no evidence. */
  readonly rows: ReadonlyArray<ShownRow>;
}

/** What keeps two runs from being compared. */
export type CompareError = BundleError | RunNotFound | InvalidInput;

/** Compares recorded runs. */
export class ParityCoordinator extends Context.Service<
  ParityCoordinator,
  { readonly compare: (input: CompareRuns) => Effect.Effect<ParityReport, CompareError> }
>()("@runproof/spine-coordinators/replay/ParityCoordinator") {
  static readonly layer: Layer.Layer<ParityCoordinator, never, RunProofCoordinator> = Layer.effect(
    ParityCoordinator,
    Effect.map(RunProofCoordinator, (proofs) =>
      ParityCoordinator.of({
        compare: Effect.fn("ParityCoordinator.compare")(function* (input) {
          const { tenant_id, run_a, run_b } = input;
          // One after the other: each holds a connection while it is read, and the embedded database has one.
          const a = yield* readEvidence(proofs, { tenant_id, run_id: run_a });
          const b = yield* readEvidence(proofs, { tenant_id, run_id: run_b });
          return reportOn(input, a, b);
        }),
      }),
    ),
  );
}

const reportOn = (input: CompareRuns, a: Evidence, b: Evidence): ParityReport => {
  const compared = fieldsOf(input);
  const [run_a, run_b] = [comparedRun(input.run_a, a), comparedRun(input.run_b, b)];
  const unfit = [unfitness("A", run_a), unfitness("B", run_b)].filter((why) => why !== null);
  const isFailed = [run_a, run_b].some(
    ({ verification_status }) => verification_status === "FAILED",
  );
  const { rows, is_aligned, first_divergence, first_unknown } = isFailed
    ? { rows: [], is_aligned: true, first_divergence: null, first_unknown: null }
    : compareActs(a.acts, b.acts, compared);
  const divergence = isFailed ? null : divergenceOf(a, b, rows, first_divergence, run_a, run_b);
  const [verdict, reason] =
    unfit.length > 0
      ? (["UNKNOWN", unfit.join("; ")] as const)
      : divergence !== null
        ? (["DIVERGED", sayDivergence(divergence, first_unknown)] as const)
        : first_unknown !== null
          ? (["UNKNOWN", sayUnknown(rows[first_unknown]!, a)] as const)
          : (["PARITY", null] as const);
  return {
    verdict,
    reason,
    compared,
    run_a,
    run_b,
    first_divergence: divergence,
    delta: {
      acts: run_b.act_count - run_a.act_count,
      cost_cents: less(run_b.cost_cents, run_a.cost_cents),
      duration_ms: less(run_b.duration_ms, run_a.duration_ms),
    },
    masked_acts: rows.filter((row) => isMasked(row, a.acts, compared)).length,
    is_aligned,
    rows: rows.map((row) => shownRow(row, a.acts, b.acts)),
  };
};

const fieldsOf = ({ outcomes, costs, times }: CompareRuns): ReadonlyArray<ComparedField> => [
  ...PARITY_FIELDS,
  ...(outcomes === true ? (["outcome_category", "outcome_code", "outcome_data"] as const) : []),
  ...(costs === true ? (["cost_cents"] as const) : []),
  ...(times === true ? (["duration_ms"] as const) : []),
];

const comparedRun = (
  run_id: string,
  { verdict, trace, acts, step_count }: Evidence,
): ComparedRun => ({
  run_id,
  verification_status: verdict.integrity.verification_status,
  failure_reason: verdict.integrity.failure_reason,
  lifecycle: verdict.lifecycle,
  status: wordOf(trace?.["status"] ?? "not stored"),
  step_count,
  act_count: acts.length,
  retry_count: acts.filter(({ status }) => status === "retry").length,
  cost_cents: sum(acts.map(({ cost_cents }) => cost_cents)),
  duration_ms: sum(acts.map(({ duration_ms }) => duration_ms)),
});

const sum = (values: ReadonlyArray<number | null>): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
};

const less = (left: number | null, right: number | null): number | null =>
  left === null || right === null ? null : left - right;

/** Why nothing may be claimed of a run; null where it is whole. */
const unfitness = (name: string, run: ComparedRun): string | null => {
  const { verification_status, lifecycle, failure_reason } = run;
  const what = `run ${name} (${run.run_id})`;
  const why = failure_reason === null ? "" : `: ${failure_reason}`;
  if (verification_status === "FAILED") return `${what} is FAILED${why}`;
  if (lifecycle === "ABORTED") return `${what} is ABORTED: what it did not come to do is not known`;
  if (verification_status === "VERIFIED" && lifecycle === "COMPLETE") return null;
  return `${what} is ${lifecycle === "OPEN" ? "OPEN" : verification_status}${why}`;
};

const divergenceOf = (
  a: Evidence,
  b: Evidence,
  rows: ReadonlyArray<ParityRow>,
  at: number | null,
  run_a: ComparedRun,
  run_b: ComparedRun,
): Divergence | null => {
  if (at === null) {
    return run_a.status === run_b.status
      ? null
      : {
          row: null,
          reason: `all acts agree, and A is ${run_a.status}, B ${run_b.status}`,
          value: null,
        };
  }
  const row = rows[at]!;
  const [left, right] = [actAt(a, row.a), actAt(b, row.b)];
  if (left !== null && right !== null) return changed(at, row, left, right);
  const other = otherSide(rows, at);
  if (other !== null) {
    const [there, here] = left === null ? [actAt(a, other.a), right] : [left, actAt(b, other.b)];
    const reason = `A calls ${named(there)}, B calls ${named(here)}`;
    return { row: at, reason, value: null };
  }
  const [only, none, act] = left === null ? ["B", "A", right] : ["A", "B", left];
  return { row: at, reason: `only ${only} calls ${named(act)}; ${none} does not`, value: null };
};

const actAt = ({ acts }: Evidence, at: number | null) => (at === null ? null : acts[at]!);

/** What the other run does in the same gap between acts that agree: the first act that stands alone on its side. */
const otherSide = (rows: ReadonlyArray<ParityRow>, at: number): ParityRow | null => {
  const { kind } = rows[at]!;
  for (const row of rows.slice(at + 1)) {
    if (row.kind === kind) continue;
    return row.kind === "only_a" || row.kind === "only_b" ? row : null;
  }
  return null;
};

const changed = (at: number, row: ParityRow, left: Act, right: Act): Divergence => {
  const field = row.fields[0]!;
  const where =
    left.step_index === right.step_index
      ? named(left)
      : `${left.skill_id} (step ${left.step_index} of A, ${right.step_index} of B)`;
  const { what, value } = sayChange(field, left, right, ["in A", "in B"]);
  return { row: at, reason: `${where}: ${what}`, value };
};

const sayDivergence = ({ row, reason }: Divergence, first_unknown: number | null): string =>
  first_unknown !== null && (row === null || first_unknown < row)
    ? `${reason}; what comes before it can't all be compared, as payloads were erased`
    : reason;

const sayUnknown = ({ a, fields }: ParityRow, { acts }: Evidence): string =>
  `${fields.join(", ")} of ${named(acts[a!]!)} can't be compared: the payload was erased`;
