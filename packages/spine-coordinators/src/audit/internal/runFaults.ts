import type { AuditedTrace } from "@runproof/drivers/audit/readAuditedTraces";
import type { FoundHere } from "./AuditTally.ts";

/** What the row of a run says once its trace was sealed so. */
const STATUS_OF: Readonly<Record<string, string>> = { completed: "succeeded" };

/** What the row of a run, which no record holds, says otherwise than its trace, beside which it was made. */
export const runFaults = ({ trace, run }: AuditedTrace): ReadonlyArray<FoundHere> => {
  const fault = (message: string) => ({
    code: "COLUMN_MISMATCH" as const,
    object: "runs",
    message: `the run: ${message}`,
  });
  if (run === null) return [fault("its row is gone, which was made with its trace")];
  const differing = {
    trace_id: run.trace_id !== trace.columns["trace_id"],
    status: run.status !== (STATUS_OF[trace.status] ?? trace.status),
  };
  return Object.entries(differing).flatMap(([column, differs]) =>
    differs ? [fault(`its column ${column} differs from its trace`)] : [],
  );
};
