import type { AuditedTrace } from "@runproof/drivers/AuditStore";
import type { FoundHere } from "./AuditTally.ts";

/** What the row of a run says once its trace was sealed so. */
const STATUS_OF: Readonly<Record<string, string>> = { completed: "succeeded" };

/** The goal that a trace's attributes hold; undefined where they can't be read, which is found elsewhere. */
const goalOf = (attributes: string | null): unknown => {
  if (attributes === null) return null;
  try {
    const value: unknown = JSON.parse(attributes);
    return typeof value === "object" && value !== null && "goal" in value ? value.goal : null;
  } catch {
    return undefined;
  }
};

/**
 * What the row of a run, which no record holds, says otherwise than its trace. A row that began no trace claims nothing:
 * one may be left where its run id was taken already. An erased payload can't be compared any more.
 */
export const runFaults = ({ trace, run }: AuditedTrace): ReadonlyArray<FoundHere> => {
  if (run === null || (run.trace_id === null && run.status === "queued")) return [];
  const { columns, payloads, status } = trace;
  const isErased = (name: "plan" | "attributes") =>
    payloads[name].text === null && columns[name] !== null;
  const goal = isErased("attributes") ? undefined : goalOf(payloads.attributes.text);
  const differing = {
    trace_id: run.trace_id !== columns["trace_id"],
    status: run.status !== (STATUS_OF[status] ?? status),
    agent_id: run.agent_id !== columns["agent_id"],
    origin_system_id: run.origin_system_id !== columns["origin_system_id"],
    plan: !run.has_plan_of_trace && !isErased("plan"),
    goal: goal !== undefined && (goal !== run.goal || run.is_goal_too_long),
  };
  return Object.entries(differing).flatMap(([column, differs]) =>
    differs
      ? [
          {
            code: "COLUMN_MISMATCH" as const,
            object: "runs",
            message: `the run: its column ${column} differs from its trace`,
          },
        ]
      : [],
  );
};
