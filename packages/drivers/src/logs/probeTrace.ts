import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { isStorable } from "../internal/postgres/storableText.ts";
import { timeText } from "../internal/postgres/timeText.ts";

/** A trace as the earlier system's two test statements see it: what a validation starts from. */
export interface TraceProbe {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly started_at: string;
  readonly status: string;
  /** `COUNT(*)` of `aos_trace_steps` by run id. */
  readonly step_count: number;
}

/** Reads the tenant's newest trace, or the one of a run, and counts the steps that carry its run id. */
export const probeTrace =
  ({ sql, description }: Database["Service"]) =>
  (input: {
    readonly tenant_id: string;
    readonly run_id?: string | undefined;
  }): Effect.Effect<TraceProbe | null, DatabaseError> =>
    !isStorable(input.run_id ?? "") || !isStorable(input.tenant_id)
      ? Effect.succeed(null)
      : sql<Omit<TraceProbe, "step_count"> & { readonly step_count: bigint }>`
      select t.run_id, t.tenant_id,
             ${sql.literal(timeText("t.started_at"))} as started_at,
             t.status,
             (select count(*) from aos_trace_steps s where s.run_id = t.run_id and s.tenant_id = t.tenant_id) as step_count
      from aos_traces t
      where t.tenant_id = ${input.tenant_id}
        and (${input.run_id ?? null}::text is null or t.run_id = ${input.run_id ?? null})
      order by t.started_at desc, t.trace_id desc
      limit 1`.pipe(
          Effect.map(([row]) =>
            row === undefined ? null : { ...row, step_count: Number(row.step_count) },
          ),
          Effect.mapError(databaseError("probeTrace", description)),
        );
