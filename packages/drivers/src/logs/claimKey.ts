import type { Database } from "../Database.ts";
import * as Effect from "effect/Effect";
import type { SqlError } from "effect/sql/SqlError";

/** How long a key is kept: longer than anyone sends a request again. */
export const KEY_TTL_MS = 24 * 60 * 60 * 1000;

/** A key that a caller gave with a request, and what it asked for. */
export interface IdempotencyClaim {
  /** 1 to 255 characters, the tenant's own. */
  readonly key: string;
  /** SHA-256 of what the caller asked for, without times or salts: 64 lower-case hex digits. */
  readonly request_hash: string;
}

/** What a key is: claimed now, or another run's. */
export interface ClaimedKey {
  readonly claim: "new" | "duplicate" | "conflict" | "in_progress";
  /** The run that has it. */
  readonly run_id: string;
  readonly trace_id: string;
}

/** Claims a key for a run, in the transaction that begins it. */
export const claimKey =
  ({ write: sql }: Database["Service"]) =>
  (
    { key, request_hash }: IdempotencyClaim,
    run: { readonly tenant_id: string; readonly run_id: string; readonly trace_id: string },
  ): Effect.Effect<ClaimedKey, SqlError> =>
    sql<ClaimedKey>`
      select claim, run_id, trace_id from runproof_claim_key(
        ${run.tenant_id}, ${key}, ${request_hash}, ${run.run_id}, ${run.trace_id}, ${BigInt(KEY_TTL_MS)})`.pipe(
      Effect.map(([row]) => row!),
    );
