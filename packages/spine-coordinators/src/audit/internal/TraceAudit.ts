import type { AuditedTrace } from "@runproof/drivers/audit/readAuditedTraces";
import {
  type StoredRunVerdict,
  type StoredStep,
  StoredRunVerifier,
} from "@runproof/proof/StoredRun";
import type { AuditFinding } from "@runproof/schemas/AuditReport";
import { isHarmless } from "@runproof/schemas/Finding";
import { finding, type FoundHere, type TraceResult, type TraceState } from "./AuditTally.ts";
import { leaseFaults } from "./leaseFaults.ts";
import { runFaults } from "./runFaults.ts";
import { type LoggedFacts, type TraceLog } from "./TraceLog.ts";

/** Sweepers look every half minute: until they had their turn twice, a lease that is over says nothing. */
export const LEASE_GRACE_MS = 60_000;

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Checks one trace: construct it with all its entries in the log, add each step in order, finish. */
export class TraceAudit {
  readonly #trace: AuditedTrace;
  readonly #log: TraceLog;
  readonly #verifier: StoredRunVerifier;
  #last_link: string;

  constructor(trace: AuditedTrace, log: TraceLog) {
    this.#trace = trace;
    this.#log = log;
    this.#verifier = new StoredRunVerifier(trace.trace, {
      erasure_recorded: (step_index, name) => log.isErased(step_index, name),
      archival_recorded: () => log.isArchived,
    });
    log.seeLink(trace.trace.link);
    this.#last_link = trace.trace.link;
  }

  addStep(step: StoredStep): void {
    this.#verifier.addStep(step);
    this.#log.seeLink(step.link);
    this.#last_link = step.link;
  }

  finish(): TraceResult {
    const { trace, seal } = this.#trace;
    const verdict = this.#verifier.finish(seal);
    const facts: LoggedFacts = {
      first_links: [trace.link, verdict.first_link],
      roots: [seal?.root_hash ?? null, verdict.root_hash],
      is_sealed: seal !== null,
      is_archived: trace.archived_at !== null,
    };
    const harmful = verdict.findings.filter((found) => !isHarmless(found, verdict.lifecycle));
    const leases = this.#checkLease(verdict);
    const contradictions: ReadonlyArray<FoundHere> = [
      ...harmful,
      ...this.#log.compare(facts),
      ...runFaults(this.#trace, this.#log.times(facts)),
      ...leases.filter(({ code }) => code !== "UNSEALED_PAST_LEASE"),
    ];
    const isFailed =
      contradictions.length > 0 ||
      verdict.findings_omitted > 0 ||
      verdict.verification_status === "FAILED";
    const state = isFailed ? "failed" : stateOf(verdict.verification_status, seal, leases);
    const unnamed: ReadonlyArray<FoundHere> =
      verdict.verification_status === "FAILED" && harmful.length === 0
        ? [{ code: "SEAL_MISMATCH", message: verdict.failure_reason ?? "the run is FAILED" }]
        : [];
    const pastLease = leases.filter(({ code }) => code === "UNSEALED_PAST_LEASE");
    return {
      state,
      steps: verdict.chain_length,
      findings: [...contradictions, ...unnamed, ...pastLease].map((found) => this.#named(found)),
      findings_omitted: verdict.findings_omitted,
      payloads_erased: verdict.findings.filter(({ code }) => code === "PAYLOAD_ERASED").length,
      outcomes_unknown: verdict.findings.filter(({ code }) => code === "OUTCOME_UNKNOWN").length,
      logged_at: this.#log.loggedAt(facts),
    };
  }

  #named(found: FoundHere): AuditFinding {
    const { columns } = this.#trace.trace;
    return finding({
      tenant_id: textOf(columns["tenant_id"]),
      run_id: textOf(columns["run_id"]),
      trace_id: textOf(columns["trace_id"]),
      ...found,
    });
  }

  #checkLease(verdict: StoredRunVerdict): ReadonlyArray<FoundHere> {
    const { trace, lease, seal } = this.#trace;
    if (seal !== null) {
      return lease === null
        ? []
        : [{ code: "ORPHAN_ROWS", message: "the lease: it is left, though the trace is sealed" }];
    }
    if (lease === null) {
      return [
        {
          code: "UNSEALED_PAST_LEASE",
          message: "the trace: it is open, and nothing holds a lease on it",
        },
      ];
    }
    const { tenant_id, run_id, capture } = trace.columns;
    const { chain_length: steps, merkle_root, intents_open } = verdict;
    const link = this.#last_link;
    const stand = { tenant_id, run_id, capture, steps, link, merkle_root, intents_open };
    const faults = leaseFaults(lease, this.#log.headed, stand);
    if (lease.over_ms <= LEASE_GRACE_MS) return faults;
    const message = `the trace: it is open, its lease ended at ${lease.expires_at}, and nobody aborted it`;
    return [...faults, { code: "UNSEALED_PAST_LEASE", message }];
  }
}

const stateOf = (
  status: "VERIFIED" | "FAILED" | "UNSUPPORTED",
  seal: unknown,
  leases: ReadonlyArray<FoundHere>,
): TraceState => {
  if (seal === null) return leases.length > 0 ? "open_past_lease" : "open";
  return status === "VERIFIED" ? "verified" : "empty";
};
