import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";

/** One row of the audit ledger: who did what to a tenant's evidence, or said it of a run. */
export interface LedgerEntry {
  readonly ledger_id: number;
  readonly tenant_id: string;
  readonly run_id: string | null;
  readonly event: string;
  readonly actor: string;
  readonly reason: string;
  /** JSON text. */
  readonly detail: string;
  readonly recorded_at: string;
}

/** Reads a tenant's ledger in the order it was written: of one run, or all of it. */
export const readLedger =
  ({ sql, description }: Database["Service"]) =>
  ({
    tenant_id,
    run_id,
  }: {
    readonly tenant_id: string;
    readonly run_id?: string | undefined;
  }): Effect.Effect<ReadonlyArray<LedgerEntry>, DatabaseError> =>
    sql<Omit<LedgerEntry, "ledger_id"> & { readonly ledger_id: bigint }>`
      select ledger_id, tenant_id, run_id, event, actor, reason, detail, ${sql.literal(timeText("recorded_at"))} as recorded_at
      from aos_audit_ledger
      where tenant_id = ${tenant_id} and (${run_id ?? null}::text is null or run_id = ${run_id ?? null})
      order by ledger_id`.pipe(
      Effect.map((rows) => rows.map((row) => ({ ...row, ledger_id: Number(row.ledger_id) }))),
      Effect.mapError(databaseError("readLedger", description)),
    );
