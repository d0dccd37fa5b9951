import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Which sealed traces: those of one tenant, or of all where none is named. */
export interface SealedBefore {
  readonly tenant_id?: string | undefined;
  /** A time in the record's form. */
  readonly sealed_before: string;
  /** Ids after this one. */
  readonly above: string | null;
  readonly limit: number;
}

/** Finds traces that lie outside the archive, were sealed before a time, and are under no hold, in the order of their ids. */
export const findArchivable =
  ({ sql, description }: Database["Service"]) =>
  ({
    tenant_id = "",
    sealed_before,
    above,
    limit,
  }: SealedBefore): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
    sql<{ trace_id: string }>`
      select trace_id from aos_traces t
      where seal_record is not null and sealed_at < ${sealed_before}::text::timestamptz
        and (${tenant_id} = '' or tenant_id = ${tenant_id})
        and (${above}::text is null or trace_id > ${above})
        and not exists (
          select from aos_holds h
          where h.tenant_id = t.tenant_id and (h.run_id is null or h.run_id = t.run_id) and h.lifted_at is null)
      order by trace_id
      limit ${BigInt(limit)}`.pipe(
      Effect.map((rows) => rows.map((row) => row.trace_id)),
      Effect.mapError(databaseError("findArchivable", description)),
    );
