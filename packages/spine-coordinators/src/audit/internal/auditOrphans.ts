import * as Effect from "effect/Effect";
import type { AuditReadError, AuditReads, Orphan } from "../AuditBridge.ts";
import { type AuditRun, orUnreadable } from "./AuditRun.ts";
import { deletedRoot } from "./auditLog.ts";

const ROWS = {
  steps: "steps are there",
  lease: "a lease is there",
  run: "a run says that it began it",
  trace: "its row is there",
} as const;

/** What the row of a run says once its trace was sealed. */
const ENDED: ReadonlyArray<string | null> = ["succeeded", "failed", "aborted"];

/** Of a run that was deleted as recorded, its row stays: one row, of a run that had ended, with the root that the log has. */
class RowsLeft {
  readonly #reads: AuditReads;
  #excused: string | null = null;

  constructor(reads: AuditReads) {
    this.#reads = reads;
  }

  /** Whether an orphan is such a row; they come in the order of the traces that they name. */
  readonly isOne = ({
    rows,
    trace_id,
    status,
    root_hash,
  }: Orphan): Effect.Effect<boolean, AuditReadError> => {
    if (rows !== "run" || trace_id === null || !ENDED.includes(status))
      return Effect.succeed(false);
    if (this.#excused === trace_id) return Effect.succeed(false);
    return Effect.map(deletedRoot(this.#reads, trace_id), (root) => {
      if (root === null || root !== root_hash) return false;
      this.#excused = trace_id;
      return true;
    });
  };
}

const whatOfOrphan = ({ rows, trace_id, status }: Orphan): string => {
  if (trace_id !== null) {
    const is = rows === "run" ? "it is not there, or another run's" : "the trace is not";
    return `trace ${trace_id}: ${ROWS[rows]}, and ${is}`;
  }
  return rows === "run"
    ? `the run: it is ${status}, and names no trace that it began`
    : `${rows}: rows have no trace id`;
};

/** Finds rows that name a trace which is not there, or none where they must. */
export const auditOrphans = (run: AuditRun) =>
  run
    .snapshot((reads) => {
      const left = new RowsLeft(reads);
      return reads.forEachOrphanPage((orphans) =>
        Effect.forEach(
          orphans,
          Effect.fnUntraced(function* (orphan) {
            if (yield* left.isOne(orphan)) return;
            const { trace_id, tenant_id, run_id } = orphan;
            const message = whatOfOrphan(orphan);
            run.tally.find({ code: "ORPHAN_ROWS", trace_id, tenant_id, run_id, message });
          }),
          { discard: true },
        ),
      );
    })
    .pipe(orUnreadable(run, "rows without a trace", undefined));
