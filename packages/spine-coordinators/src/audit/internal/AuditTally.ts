import type { AuditCode, AuditFinding, AuditReport } from "@runproof/schemas/AuditReport";
import { TracesMet } from "./TracesMet.ts";

/**
 * Most findings of one code that a report lists, and most of one code and one run; the rest are counted by code. Each code
 * has a share of its own: thousands of one kind must not hide the one of another.
 */
export const FINDINGS_OF_A_CODE_MAX = 1000;
export const FINDINGS_OF_A_RUN_MAX = 10;

/** A finding as a check makes it: what does not apply is left out. */
export type FoundHere = Pick<AuditFinding, "code" | "message"> & Partial<AuditFinding>;

/** A finding with every field. */
export const finding = (found: FoundHere): AuditFinding => ({
  tenant_id: null,
  run_id: null,
  trace_id: null,
  step_index: null,
  log_index: null,
  object: null,
  ...found,
  ...(Number.isSafeInteger(found.log_index ?? 0) ? {} : { log_index: null }),
});

/** How a checked trace is counted. */
export type TraceState = keyof AuditReport["traces"];

/** What one trace came to. */
export interface TraceResult {
  readonly state: TraceState;
  readonly steps: number;
  readonly findings: ReadonlyArray<AuditFinding>;
  /** Findings beyond those listed. */
  readonly findings_omitted: number;
  readonly payloads_erased: number;
  readonly outcomes_unknown: number;
  /** Where the log holds its start and its seal; null where one of the two has no index. */
  readonly logged_at: number | null;
}

/** What an audit has counted so far. */
export class AuditTally {
  readonly traces: Record<TraceState, number> = {
    verified: 0,
    empty: 0,
    open: 0,
    open_past_lease: 0,
    failed: 0,
  };
  readonly checked = { traces: 0, steps: 0, entries: 0, entries_pending: 0, tiles: 0 };
  readonly findings: Array<AuditFinding> = [];
  readonly byCode = new Map<AuditCode, number>();
  readonly #listedByCode = new Map<AuditCode, number>();
  /** The traces that were checked, or of which it was said that they can't be. */
  readonly met = new TracesMet();
  payloads_erased = 0;
  outcomes_unknown = 0;
  deletions_recorded = 0;
  /** Verified traces whose start and seal have an index below the one asked for. */
  verified_below = 0;
  #omitted = 0;
  readonly #known_claims: ReadonlySet<number>;
  readonly #met_claims = new Set<number>();

  constructor(known_claims: ReadonlyArray<number> = []) {
    this.#known_claims = new Set(known_claims);
  }

  /** Takes a change of key that nobody signed: a finding, unless it is known. */
  findClaim(found: FoundHere & { readonly log_index: number }): void {
    if (this.#known_claims.has(found.log_index)) this.#met_claims.add(found.log_index);
    else this.find(found);
  }

  /** The claims that were said to be known: those that were met, and those that are none. */
  get claims() {
    return {
      met: [...this.#met_claims],
      none: [...this.#known_claims].filter((index) => !this.#met_claims.has(index)),
    };
  }

  find(found: FoundHere): void {
    if (this.#listed(found.code) < FINDINGS_OF_A_CODE_MAX) this.#list(found);
    else this.#omit(found.code);
  }

  /** How many of a code are in the list. */
  #listed(code: AuditCode): number {
    return this.#listedByCode.get(code) ?? 0;
  }

  #list(found: FoundHere): void {
    this.findings.push(finding(found));
    this.#listedByCode.set(found.code, this.#listed(found.code) + 1);
    this.#count(found.code);
  }

  #omit(code: AuditCode): void {
    this.#omitted += 1;
    this.#count(code);
  }

  #count(code: AuditCode): void {
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1);
  }

  /** Counts a trace; `signed_size` is the size of the tree that a trusted key signed. */
  addTrace(result: TraceResult, signed_size: number): void {
    this.traces[result.state] += 1;
    this.checked.traces += 1;
    this.payloads_erased += result.payloads_erased;
    this.outcomes_unknown += result.outcomes_unknown;
    this.#omitted += result.findings_omitted;
    const ofRun = new Map<AuditCode, number>();
    for (const found of result.findings) {
      const before = ofRun.get(found.code) ?? 0;
      ofRun.set(found.code, before + 1);
      if (before < FINDINGS_OF_A_RUN_MAX) this.find(found);
      else this.#omit(found.code);
    }
    const isSigned = result.logged_at !== null && result.logged_at < signed_size;
    if (result.state === "verified" && isSigned) this.verified_below += 1;
  }

  get omitted(): number {
    return this.#omitted;
  }

  /** Whether nothing at all was found. */
  get isClean(): boolean {
    return this.byCode.size === 0 && this.#omitted === 0;
  }
}
