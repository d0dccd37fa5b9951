import * as PgTypes from "@effect/sql-pg/PgTypes";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** A lease to renew. */
export interface RenewLease {
  readonly trace_id: string;
  readonly holder: string;
  readonly lease_ms: number;
}

/** Gives the leases of running traces that much time from now; answers the traces whose lease is lost. */
export const renewLeases =
  ({ leases: sql, description }: Pick<Database["Service"], "leases" | "description">) =>
  (renewals: ReadonlyArray<RenewLease>): Effect.Effect<ReadonlySet<string>, DatabaseError> =>
    sql<{ lost_trace_id: string }>`
      select lost_trace_id
      from runproof_renew_leases(
        ${textArray(renewals.map(({ trace_id }) => trace_id))}, ${textArray(renewals.map(({ holder }) => holder))},
        ${Result.getOrThrow(
          PgTypes.array(
            renewals.map(({ lease_ms }) => BigInt(lease_ms)),
            PgTypes.OID.int8,
          ),
        )}
      )`.pipe(
      Effect.map((rows) => new Set(rows.map(({ lost_trace_id }) => lost_trace_id))),
      Effect.mapError(databaseError("renewLeases", description)),
    );
