import type { AuditedTrace } from "@runproof/drivers/audit/readAuditedTraces";
import { LEASE_MS_MAX } from "../AuditBridge.ts";
import type { FoundHere } from "./AuditTally.ts";

/** The server's clock may be put right, or a restored database's server be behind the one before. */
export const CLOCK_GRACE_MS = 300_000;

/** Where a trace stands by its own rows. */
export interface TraceStand {
  readonly tenant_id: unknown;
  readonly run_id: unknown;
  readonly capture: unknown;
  readonly steps: number;
  /** The link of its last row. */
  readonly link: string;
  /** The tree root over its records; null where one has no text. */
  readonly merkle_root: string | null;
  readonly intents_open: number;
}

/**
 * What the lease of an open trace says that no writer can have left there. It decides where the next step goes, when a HEAD
 * entry is due and when anyone may abort the trace, and no record holds it. `headed` is how many steps the last HEAD covers,
 * null where unknown.
 */
export const leaseFaults = (
  lease: NonNullable<AuditedTrace["lease"]>,
  headed: number | null,
  stand: TraceStand,
): ReadonlyArray<FoundHere> => {
  const differs = (column: "tenant_id" | "run_id" | "capture" | "link") =>
    lease[column] !== stand[column] && "differs from its trace";
  const is = {
    tenant_id: differs("tenant_id"),
    run_id: differs("run_id"),
    capture: differs("capture"),
    next_index:
      lease.next_index !== stand.steps &&
      `says ${lease.next_index}, and the trace has ${stand.steps} steps`,
    link: differs("link"),
    peaks: lease.peaks_root !== stand.merkle_root && "are not those of the trace's records",
    open_intents:
      lease.open_intents.length !== stand.intents_open &&
      `holds ${lease.open_intents.length}, and the trace has ${stand.intents_open} without an outcome`,
    head_index:
      headed !== null &&
      lease.head_index !== headed &&
      `says ${lease.head_index}, and the last HEAD entry covers ${headed} steps`,
    head_logged_at: lease.headed_ms < -CLOCK_GRACE_MS && "is in the future",
    expires_at:
      lease.over_ms < -(LEASE_MS_MAX + CLOCK_GRACE_MS) &&
      `is ${lease.expires_at}: later than the longest lease ends`,
  };
  return Object.entries(is).flatMap(([column, what]) =>
    what === false
      ? []
      : [
          {
            code: "COLUMN_MISMATCH" as const,
            object: "aos_trace_leases",
            message: `the lease: its column ${column} ${what}`,
          },
        ],
  );
};
