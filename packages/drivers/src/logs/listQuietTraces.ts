import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import type { RunName } from "./readRun.ts";

/** Open traces of one origin that hold a step under a key of some beginning, and whose last step is that old. */
export interface QuietTraces {
  readonly origin_system_id: string;
  readonly key_prefix: string;
  readonly quiet_ms: number;
}

/** Traces of one answer: what one pass seals in a second or so. */
const TRACES_MAX = 200n;

/** Lists the runs that have ended, as far as what was received says so, and have been quiet since. */
export const listQuietTraces =
  ({ sql, description }: Pick<Database["Service"], "sql" | "description">) =>
  ({
    origin_system_id,
    key_prefix,
    quiet_ms,
  }: QuietTraces): Effect.Effect<ReadonlyArray<RunName>, DatabaseError> =>
    sql<RunName>`
      select l.tenant_id, l.run_id
      from aos_trace_leases l join aos_traces t on t.trace_id = l.trace_id
      where t.origin_system_id = ${origin_system_id} and l.expires_at > clock_timestamp()
        and exists (select from aos_trace_steps s
                    where s.trace_id = l.trace_id and starts_with(s.idempotency_key, ${key_prefix}))
        and (select s.timestamp from aos_trace_steps s where s.trace_id = l.trace_id and s.step_index = l.next_index - 1)
            <= clock_timestamp() - ${BigInt(quiet_ms)} * interval '1 millisecond'
      order by l.trace_id limit ${TRACES_MAX}`.pipe(
      Effect.mapError(databaseError("listQuietTraces", description)),
    );
