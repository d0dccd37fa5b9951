import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import type { SealedBefore } from "./findArchivable.ts";

/** An archived trace with what the EVENT of its deletion says. */
export interface DeletableTrace {
  readonly trace_id: string;
  readonly root_hash: string;
  /** How many HEAD entries the log has of it. */
  readonly heads: string;
}

/** Finds archived traces of a tenant that were sealed before a time and are under no hold, in the order of their ids. */
export const findDeletable =
  ({ sql, description }: Database["Service"]) =>
  ({
    tenant_id,
    sealed_before,
    above,
    limit,
  }: SealedBefore & { readonly tenant_id: string }): Effect.Effect<
    ReadonlyArray<DeletableTrace>,
    DatabaseError
  > =>
    sql<DeletableTrace>`
      select trace_id, root_hash,
             ((select count(*) from aos_log_entries e where e.trace_id = t.trace_id and e.kind = 3)
              + (select count(*) from aos_log_queue q where q.trace_id = t.trace_id and q.kind = 3))::text as heads
      from aos_traces_archive t
      where tenant_id = ${tenant_id} and sealed_at < ${sealed_before}::text::timestamptz
        and (${above}::text is null or trace_id > ${above})
        and not exists (
          select from aos_holds h
          where h.tenant_id = t.tenant_id and (h.run_id is null or h.run_id = t.run_id) and h.lifted_at is null)
      order by trace_id
      limit ${BigInt(limit)}`.pipe(Effect.mapError(databaseError("findDeletable", description)));
