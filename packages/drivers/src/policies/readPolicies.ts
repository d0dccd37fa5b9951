import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";

/** A version of a tenant's policy, as it was set. */
export interface StoredPolicy {
  readonly version: number;
  /** Canonical JSON of a `Policy`. */
  readonly document: string;
  readonly actor: string;
  readonly reason: string;
  readonly set_at: string;
}

/** Reads a tenant's policies, the newest first, which is in force. */
export const readPolicies =
  ({ sql, description }: Database["Service"]) =>
  (tenant_id: string, limit?: number): Effect.Effect<ReadonlyArray<StoredPolicy>, DatabaseError> =>
    sql<Omit<StoredPolicy, "version"> & { readonly version: bigint }>`
      select version, document, actor, reason, ${sql.literal(timeText("set_at"))} as set_at
      from aos_policies where tenant_id = ${tenant_id}
      order by version desc limit ${limit === undefined ? null : BigInt(limit)}`.pipe(
      Effect.map((rows) => rows.map((row) => ({ ...row, version: Number(row.version) }))),
      Effect.mapError(databaseError("readPolicies", description)),
    );
