import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import { databaseError } from "./sqlReason.ts";

/** A running trace that nobody keeps alive any more. */
export interface ExpiredLease {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly expired_at: string;
}

/** Lists running traces whose lease is over, the longest over first. */
export const listExpiredLeases = ({
  sql,
  description,
}: Database["Service"]): Effect.Effect<ReadonlyArray<ExpiredLease>, DatabaseError> =>
  sql<ExpiredLease>`
    select t.trace_id, t.run_id, t.tenant_id,
           to_char(l.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expired_at
    from aos_trace_leases l
    join aos_traces t on t.trace_id = l.trace_id
    where l.expires_at <= clock_timestamp()
    order by l.expires_at`.pipe(Effect.mapError(databaseError("listExpiredLeases", description)));
