/** Statements that put rows in by hand, past the product's functions, as an owner of the tables can. */
import { firstLink, leafHash, nextLink } from "@runproof/proof/Chain";
import { prepareStep, type StepInput } from "@runproof/proof/StepRecord";
import { literal } from "./Databases.ts";
import { stepInput } from "./Evidence.ts";

/** A record's text with no payload at all, which the format allows and no recorder here makes. */
export const bare = (text: string) =>
  text.replace(/"attributes":"sha256:[0-9a-f]{64}"/u, '"attributes":null');

/** The record of a step that has no payloads. */
export const bareStep = (trace_id: string, overrides: Partial<StepInput> = {}): string =>
  bare(
    prepareStep(
      stepInput(trace_id, {
        params: undefined,
        outcome_data: undefined,
        attributes: undefined,
        ...overrides,
      }),
    ).record,
  );

/** A step to put in: its record, and what stands beside it where that is not what follows from it. */
export interface StepByHand {
  readonly record: string;
  /** The link of the step, or trace, before it. */
  readonly previous: string;
  readonly columns?: Readonly<Record<string, string>>;
}

const FIELDS = `attributes text, cost_cents double precision, duration_ms double precision, idempotency_key text,
  intent_index bigint, is_synthetic boolean, level text, outcome_category text, outcome_code text, outcome_data text,
  params text, parent_step_index bigint, replay_behavior text, retry_count bigint, skill_id text, skill_name text,
  source text, started_at timestamptz, status text, step_index bigint, synthetic_scenario_id text,
  "timestamp" timestamptz, trace_id text`;

/** Inserts the row that a step's record makes in the run of its trace, or in none where there is no such trace. */
export const insertStep = ({ record, previous, columns = {} }: StepByHand): string => {
  const leaf_hash = leafHash(record);
  const values: Record<string, string> = {
    run_id: "coalesce(t.run_id, '')",
    tenant_id: "coalesce(t.tenant_id, '')",
    record: literal(record),
    leaf_hash: literal(leaf_hash),
    link: literal(nextLink(previous, leaf_hash)),
    subtrees: "(select l.subtrees from aos_trace_leases l where l.trace_id = t.trace_id)",
    ...Object.fromEntries(
      ["params", "outcome_data", "attributes"].map((name) => [`${name}_commitment`, `r.${name}`]),
    ),
  };
  for (const field of FIELDS.matchAll(
    /"?(\w+)"? (?:text|double precision|bigint|boolean|timestamptz)/gu,
  )) {
    const name = field[1]!;
    if (!["attributes", "outcome_data", "params"].includes(name)) values[name] ??= `r."${name}"`;
  }
  Object.assign(values, columns);
  const names = Object.keys(values);
  return `insert into aos_trace_steps (${names.map((name) => `"${name}"`).join(", ")})
    select ${names.map((name) => values[name]).join(", ")}
    from json_to_record(${literal(record)}::json) as r(${FIELDS})
    left join aos_traces t on t.trace_id = r.trace_id`;
};

/** Moves a lease's head on over a step. */
export const moveHead = ({ record, previous }: StepByHand, trace_id: string): string => {
  const leaf = leafHash(record);
  return `update aos_trace_leases set next_index = next_index + 1, link = ${literal(nextLink(previous, leaf))},
      (peaks, subtrees) = (select p.peaks, p.subtrees from runproof_push_leaf(aos_trace_leases.peaks, next_index + 1, decode(${literal(leaf)}, 'hex')) p)
    where trace_id = ${literal(trace_id)}`;
};

/** Puts a lease beside a trace, or beside none. */
export const insertLease = (
  trace_id: string,
  {
    holder = "",
    expires_at = "now()",
  }: { readonly holder?: string; readonly expires_at?: string } = {},
): string => {
  const leaf = leafHash(trace_id);
  return `insert into aos_trace_leases (trace_id, tenant_id, run_id, capture, holder, expires_at, link, peaks)
    values (${literal(trace_id)}, 'tenant', 'run', 'inline', ${literal(holder)}, ${expires_at}, ${literal(firstLink(leaf))},
            array[decode(${literal(leaf)}, 'hex')])`;
};
