import { type DatabaseError, RunNotFound } from "@runproof/schemas/RunProofError";
import type { Capture } from "@runproof/schemas/TraceRecord";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { TRACES } from "../internal/postgres/EvidenceTables.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import { isStorable } from "../internal/postgres/storableText.ts";
import type { RunName } from "./readRun.ts";

/** A run's trace as a writer that goes on with it must know it. */
export interface OpenTrace {
  readonly trace_id: string;
  readonly status: string;
  readonly capture: Capture;
  readonly is_synthetic: boolean;
  readonly synthetic_scenario_id: string | null;
  readonly started_at: string;
  /** The version of the policy that it began under; null where its tenant had none, or where nobody asks before it acts. */
  readonly policy_version: number | null;
  /** Where its chain stands; null once it is sealed. */
  readonly head: {
    readonly next_index: number;
    readonly link: string;
    /** The roots of the complete subtrees over its leaves, largest first. */
    readonly peaks: ReadonlyArray<string>;
  } | null;
}

/** Reads where a tenant's run stands. Another tenant's run is `RunNotFound`. */
export const readOpenTrace =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  (run: RunName): Effect.Effect<OpenTrace, DatabaseError | RunNotFound> =>
    !isStorable(run.run_id) || !isStorable(run.tenant_id)
      ? Effect.fail(new RunNotFound(run))
      : sql<
          Omit<OpenTrace, "head" | "policy_version"> & {
            readonly policy_version: bigint | null;
            readonly next_index: bigint | null;
            readonly link: string | null;
            readonly peaks: ReadonlyArray<string> | null;
          }
        >`
      select t.trace_id, t.status, t.capture, ${sql.literal(timeText("t.started_at"))} as started_at,
             case when t.capture in ('gated', 'inline') then (t.attributes::json #>> '{runproof,policy,version}')::bigint end as policy_version,
             t.is_synthetic, t.synthetic_scenario_id, l.next_index, l.link,
             (select array_agg(encode(peak, 'hex') order by place) from unnest(l.peaks) with ordinality as p(peak, place)) as peaks
      from ${sql.literal(TRACES)} t left join aos_trace_leases l on l.trace_id = t.trace_id
      where t.tenant_id = ${run.tenant_id} and t.run_id = ${run.run_id}`.pipe(
          Effect.mapError(databaseError("readOpenTrace", description)),
          Effect.flatMap(([row]) => {
            if (row === undefined) return Effect.fail(new RunNotFound(run));
            const { next_index, link, peaks, policy_version: version, ...trace } = row;
            const policy_version = version === null ? null : Number(version);
            const head =
              next_index === null
                ? null
                : { next_index: Number(next_index), link: link!, peaks: peaks! };
            return Effect.succeed({ ...trace, policy_version, head });
          }),
        );
