/** Records a step that was not taken, with what was prevented, in one transaction. */
import type { Refusal } from "@runproof/proof/Refusal";
import { StepBlocked } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { IncidentsBridge } from "../incidents/IncidentsBridge.ts";
import type { Blocked } from "../policies/Guard.ts";
import type { Transactions } from "./LogsBridge.ts";
import type { StepDraft } from "./StepDraft.ts";
import type { TraceWriter, WriteError } from "./TraceWriter.ts";

/** A call that the guard decides on: what rules see of it, and what is recorded of it where it is not taken. */
export interface GuardedCall {
  readonly skill_id: string;
  readonly skill_name: string;
  /** What it is called with. */
  readonly params: unknown;
  /** What may be recorded of that, where it differs. */
  readonly recorded_params?: unknown;
  readonly retry_count: number;
  readonly parent_step_index: number | null;
  readonly idempotency_key: string | null;
}

/** Where steps and incidents are written. */
export interface BlockedStepDoors {
  readonly incidents: IncidentsBridge["Service"];
  readonly transactions: Transactions;
}

const draftOf = (
  call: GuardedCall,
  { policy_version, rule, reason, limit }: Blocked,
): StepDraft => ({
  skill_id: call.skill_id,
  skill_name: call.skill_name,
  source: "engine",
  status: "skipped",
  outcome_category: "PREVENTED",
  outcome_code: limit === null ? "POLICY_BLOCKED" : "LIMIT_EXCEEDED",
  params: call.recorded_params ?? call.params,
  outcome_data: { reason },
  attributes: undefined,
  intent_index: null,
  parent_step_index: call.parent_step_index,
  started_at: null,
  cost_cents: null,
  duration_ms: null,
  retry_count: call.retry_count,
  replay_behavior: "skip",
  idempotency_key: call.idempotency_key,
  decision: {
    effect: "warn",
    note: { decision: "BLOCKED", version: policy_version, rule, reason },
    bound: null,
  },
});

/** What a step that may not be taken fails with. */
export const blockedError = (
  trace_id: string,
  step_index: number,
  { by, reason, limit }: Blocked,
): StepBlocked =>
  new StepBlocked({ trace_id, step_index, what: limit === null ? `${by}: ${reason}` : reason });

/** Records the step as skipped, and answers what ends its run. */
export const recordBlocked = (
  { incidents, transactions }: BlockedStepDoors,
  writer: TraceWriter,
  call: GuardedCall,
  blocked: Blocked,
): Effect.Effect<StepBlocked, Refusal | WriteError> =>
  Effect.gen(function* () {
    const { trace_id } = writer;
    const { policy_version, rule, reason, limit } = blocked;
    const step_index = yield* writer.recordBeside(
      draftOf(call, blocked),
      (index) =>
        incidents.prevented({ trace_id, step_index: index, policy_version, rule, reason, limit }),
      transactions.atomically,
    );
    return blockedError(trace_id, step_index, blocked);
  });
