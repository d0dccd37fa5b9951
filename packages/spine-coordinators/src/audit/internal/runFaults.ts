import type { AuditedTrace } from "@runproof/drivers/audit/readAuditedTraces";
import type { FoundHere } from "./AuditTally.ts";
import type { LoggedTimes } from "./TraceLog.ts";

/** What the row of a run says once its trace was sealed so. */
const STATUS_OF: Readonly<Record<string, string>> = { completed: "succeeded" };

/** Whether a time is none of those that the log has; where it has none, that is found by itself. */
const isAnother = (time: string | null, logged: ReadonlyArray<string>): boolean =>
  logged.length > 0 && (time === null || !logged.includes(time));

/** A time in the record's form: such times compare as texts do. */
const TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]{15}Z$/u;

/**
 * What the row of a run, which no record holds, says otherwise than its trace, beside which it was made, or than the log, whose
 * entries were queued at the times that the row has.
 */
export const runFaults = (
  { trace, seal, run }: AuditedTrace,
  { opened, sealed }: LoggedTimes,
): ReadonlyArray<FoundHere> => {
  const fault = (message: string) => ({
    code: "COLUMN_MISMATCH" as const,
    object: "runs",
    message: `the run: ${message}`,
  });
  if (run === null) return [fault("its row is gone, which was made with its trace")];
  const ended = seal === null ? run.completed_at !== null : isAnother(run.completed_at, sealed);
  const differing: ReadonlyArray<readonly [column: string, differs: boolean, from: string]> = [
    ["trace_id", run.trace_id !== trace.columns["trace_id"], "its trace"],
    ["status", run.status !== (STATUS_OF[trace.status] ?? trace.status), "its trace"],
    [
      "created_at",
      !TIME.test(run.created_at) || run.created_at > (run.started_at ?? ""),
      "its start",
    ],
    ["started_at", isAnother(run.started_at, opened), "its entries in the log"],
    ["completed_at", ended, "its entries in the log"],
    // These are of a run whose trace is gone.
    ["root_hash", run.root_hash !== null, "its trace, which is there"],
    ["deleted_at", run.deleted_at !== null, "its trace, which is there"],
  ];
  return differing.flatMap(([column, differs, from]) =>
    differs ? [fault(`its column ${column} differs from ${from}`)] : [],
  );
};
