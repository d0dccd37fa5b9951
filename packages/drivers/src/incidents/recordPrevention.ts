import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { LimitKind } from "../controls/setLimit.ts";
import type { Database } from "../Database.ts";
import { traceWriteError } from "../internal/postgres/sqlReason.ts";

/** Why a step was not taken. */
export interface Prevention {
  readonly trace_id: string;
  readonly step_index: number;
  /** The version of the policy whose rule it is; null for a limit. */
  readonly policy_version: number | null;
  /** Such as `rule 3`, or the limit's kind. */
  readonly rule: string;
  readonly reason: string;
  readonly limit: {
    readonly kind: LimitKind;
    readonly value: number;
    readonly observed: number;
  } | null;
}

/** Records what was prevented, with its incident: in the transaction that records the step as skipped. */
export const recordPrevention =
  ({ write: sql, description }: Database["Service"]) =>
  ({
    trace_id,
    step_index,
    policy_version,
    rule,
    reason,
    limit,
  }: Prevention): Effect.Effect<void, TraceWriteError | InvalidInput> =>
    sql`select runproof_record_prevention(
          ${trace_id}, ${BigInt(step_index)}, ${policy_version === null ? null : BigInt(policy_version)}, ${rule}, ${reason},
          ${limit?.kind ?? null}, ${limit?.value ?? null}, ${limit?.observed ?? null})`.pipe(
      Effect.asVoid,
      Effect.mapError(traceWriteError("recordPrevention", description, trace_id)),
    );
