import type { AuditCode, AuditFinding, AuditReport } from "@runproof/schemas/AuditReport";

/** Most findings that a report lists; the rest are counted by code. */
export const FINDINGS_MAX = 1000;

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
  payloads_erased = 0;
  deletions_recorded = 0;
  /** Verified traces whose start and seal have an index below the one asked for. */
  verified_below = 0;
  #omitted = 0;

  find(found: FoundHere): void {
    this.byCode.set(found.code, (this.byCode.get(found.code) ?? 0) + 1);
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding(found));
    else this.#omitted += 1;
  }

  /** Counts a trace; `signed_size` is the size of the tree that a trusted key signed. */
  addTrace(result: TraceResult, signed_size: number): void {
    this.traces[result.state] += 1;
    this.checked.traces += 1;
    this.payloads_erased += result.payloads_erased;
    this.#omitted += result.findings_omitted;
    for (const found of result.findings) this.find(found);
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
