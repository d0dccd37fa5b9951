import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** How much is under way in a database, of all tenants together. */
export interface Load {
  readonly open_traces: number;
  /** Open ones whose lease is over: the next sweep's. */
  readonly traces_past_lease: number;
  readonly log_entries: number;
  readonly log_entries_waiting: number;
}

/** Reads how much is under way. */
export const readLoad = ({
  sql,
  description,
}: Database["Service"]): Effect.Effect<Load, DatabaseError> =>
  sql<Record<keyof Load, bigint>>`
    select (select count(*) from aos_trace_leases) as open_traces,
           (select count(*) from aos_trace_leases where expires_at <= clock_timestamp()) as traces_past_lease,
           (select coalesce(max(log_index) + 1, 0) from aos_log_entries) as log_entries,
           (select count(*) from aos_log_queue) as log_entries_waiting`.pipe(
    Effect.map(([row]) => ({
      open_traces: Number(row!.open_traces),
      traces_past_lease: Number(row!.traces_past_lease),
      log_entries: Number(row!.log_entries),
      log_entries_waiting: Number(row!.log_entries_waiting),
    })),
    Effect.mapError(databaseError("readLoad", description)),
  );
