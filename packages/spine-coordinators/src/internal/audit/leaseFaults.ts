import type { AuditedTrace } from "@runproof/drivers/AuditStore";
import { LEASE_MS_MAX } from "../../AuditBridge.ts";
import type { FoundHere } from "./AuditTally.ts";

/** The server's clock may be put right, or a restored database's server be behind the one before. */
export const CLOCK_GRACE_MS = 300_000;

/**
 * What the lease of an open trace says that no writer can have left there. It decides when a HEAD entry is due and when
 * anyone may abort the trace, and no record holds it. `headed` is how many steps the last HEAD covers, null where unknown.
 */
export const leaseFaults = (
  lease: NonNullable<AuditedTrace["lease"]>,
  headed: number | null,
): ReadonlyArray<FoundHere> => {
  const is = {
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
