/** Executes the steps of a plan on a trace, one after the other: whoever keeps the trace decides what becomes of it. */
import type { PlanStep } from "@runproof/schemas/Plan";
import type { ReplayBehavior } from "@runproof/schemas/StepRecord";
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Random from "effect/Random";
import type * as Schema from "effect/Schema";
import { now } from "../../internal/now.ts";
import { invalidInput, isRefusal } from "../../internal/refused.ts";
import { type Ending, type OpenTrace, recordText } from "../../logs/RecordedRun.ts";
import { INTENDED, type StepDraft } from "../../logs/StepDraft.ts";
import { DEFAULT_REDACTOR } from "../../logs/WriteRules.ts";
import { type SkillCall, type SkillOutcome, SkillsBridge } from "../../skills/SkillsBridge.ts";
import { backoff_ms, mayRepeat } from "./Backoff.ts";

/** How long one attempt may last where the plan names no `timeout_ms`: what people wait for an API at most. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** What `onStep` is told. `plan_step` is the index in the plan, `attempt` 0 for the first try. */
export type StepEvent =
  | {
      readonly event: "started";
      readonly plan_step: number;
      readonly attempt: number;
      readonly skill_id: string;
    }
  | {
      readonly event: "recorded";
      readonly plan_step: number;
      readonly attempt: number;
      readonly skill_id: string;
      readonly step_index: number;
      /** `skipped` where nothing was called, and what was recorded before stood in. */
      readonly status: "success" | "failure" | "retry" | "skipped";
      readonly outcome_code: string | null;
      readonly duration_ms: number;
    };

/** What is known of how a call went. */
type KnownOutcome = Pick<SkillOutcome, "status" | "outcome_category" | "outcome_code">;

/** What stands in for a call that is not made. */
export interface StandIn {
  readonly outcome: KnownOutcome;
  readonly outcome_data: Schema.Json | undefined;
  /** What the step's attributes say of where it comes from. */
  readonly attributes: Readonly<Record<string, Schema.Json>>;
}

interface PlannedStep {
  readonly plan_step: number;
  readonly skill_id: string;
  readonly skill_name: string;
  readonly recorded_params: Schema.Json;
  readonly replay_behavior: ReplayBehavior;
  readonly step: PlanStep;
}

/** One step of a plan, its skill found and its params checked. */
export interface PreparedCall extends PlannedStep {
  readonly redaction: string | null;
  /** What of an outcome a replay compares. */
  readonly comparable: (outcome_data: Schema.Json) => Schema.Json;
  readonly call: SkillCall;
}

/** One step of a plan that is not taken. */
export interface StoodIn extends PlannedStep {
  readonly stand_in: StandIn;
}

/** Finds a step's skill, and checks its params. */
export const prepareCall = Effect.fnUntraced(function* (step: PlanStep, plan_step: number) {
  const skills = yield* SkillsBridge;
  const skill = yield* skills.get(step.skill);
  const call = yield* skill.prepare(step.params, `$.steps[${plan_step}].params`);
  return {
    plan_step,
    skill_id: skill.id,
    skill_name: skill.name,
    recorded_params: call.recorded_params,
    replay_behavior: step.replay_behavior ?? (call.only_reads === true ? "execute" : "skip"),
    redaction: skill.redaction,
    comparable: skill.comparable ?? ((outcome_data: Schema.Json) => outcome_data),
    call,
    step,
  } satisfies PreparedCall;
});

/** What the steps of a run came to. */
export interface StepsOutcome {
  /** Indexes in the trace of the steps that failed for good. */
  readonly failed_steps: ReadonlyArray<number>;
  /** What the plan was stopped by; null where it was run to its end. */
  readonly stopped_by: (Pick<Ending, "detail"> & { readonly reason: string }) | null;
}

/** Codes that say how a call went, and nothing of what it was about. A skill's own may say what it found. */
const PUBLIC_CODE =
  /^(HTTP_\d{3}|TIMEOUT|RESPONSE_TOO_LARGE|SKILL_DEFECT|OUTCOME_NOT_RECORDABLE)$/u;

/** Where a plan's steps are decided on and told. */
export type PlanTrace = Pick<OpenTrace, "takeStep" | "decide" | "foresee" | "record">;

/** A plan that is executed. */
export interface Execution {
  readonly trace: PlanTrace;
  readonly isGated: boolean;
  readonly source: "engine" | "replay";
  readonly calls: ReadonlyArray<PreparedCall | StoodIn>;
  readonly onStep: (event: StepEvent) => Effect.Effect<void>;
}

/** What the guard sees of a call. */
const guarded = (
  { skill_id, skill_name, recorded_params, step }: PlannedStep,
  retry_count: number,
) => ({
  skill_id,
  skill_name,
  params: step.params,
  recorded_params,
  retry_count,
  parent_step_index: null,
  idempotency_key: null,
});

/** Looks through the whole plan before its first step: where one step is blocked, none is taken. */
const lookThrough = Effect.fnUntraced(function* ({ trace, calls }: Execution) {
  for (const call of calls) {
    const asked = guarded(call, 0);
    if (yield* trace.foresee(asked)) yield* trace.decide(asked);
  }
});

/** Takes the steps of a plan until one fails that stops it. */
export const executeSteps = Effect.fnUntraced(function* (execution: Execution) {
  yield* lookThrough(execution);
  const failed_steps: Array<number> = [];
  for (const call of execution.calls) {
    const last = yield* "call" in call ? executeStep(execution, call) : standIn(execution, call);
    if (last.outcome.status === "success") continue;
    failed_steps.push(last.step_index);
    if (call.step.on_failure !== "continue") {
      const code = last.outcome.outcome_code ?? last.outcome.outcome_category;
      const what = `step ${last.step_index} failed`;
      return {
        failed_steps,
        stopped_by: {
          reason: PUBLIC_CODE.test(code) ? `${what}: ${code}` : what,
          detail: recordText(`${call.skill_id}: ${code}`),
        },
      };
    }
  }
  return { failed_steps, stopped_by: null } satisfies StepsOutcome;
});

/**
 * A plan that was run to its end is `completed`, whatever steps failed under `on_failure: "continue"`: its author said
 * that they may. The seal's metadata names them.
 */
export const endingOf = (exit: Exit.Exit<StepsOutcome, unknown>): Ending => {
  if (Exit.isFailure(exit)) {
    return { status: "aborted", reason: "the run could not be recorded", detail: null };
  }
  const { failed_steps, stopped_by } = exit.value;
  return {
    ...(stopped_by === null
      ? { status: "completed" as const, reason: null, detail: null }
      : { status: "failed" as const, ...stopped_by }),
    ...(failed_steps.length === 0 ? {} : { metadata: { failed_steps } }),
  };
};

/** Attempts one step until it succeeds or may not be repeated; each attempt is durable before the next begins. */
const executeStep = Effect.fnUntraced(function* (execution: Execution, call: PreparedCall) {
  for (let attempt = 0; ; attempt++) {
    const recorded = yield* executeAttempt(execution, call, attempt);
    if (recorded.pause_ms === null) return recorded;
    yield* Effect.sleep(Duration.millis(recorded.pause_ms));
  }
});

/** Tells a step; one that no record can hold is the caller's fault. */
const recordOn = (trace: PlanTrace) => (draft: StepDraft) =>
  trace
    .record(draft)
    .pipe(Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)));

/** Calls nothing, and tells what stands in. */
const standIn = Effect.fnUntraced(function* (
  { trace, source, onStep }: Execution,
  planned: StoodIn,
) {
  const { plan_step, skill_id, skill_name, recorded_params, replay_behavior, stand_in } = planned;
  const { outcome, outcome_data, attributes } = stand_in;
  const { outcome_code } = outcome;
  const decision = yield* trace.decide(guarded(planned, 0));
  const draft: StepDraft = {
    skill_id,
    skill_name,
    source,
    started_at: yield* now,
    parent_step_index: null,
    intent_index: null,
    retry_count: 0,
    replay_behavior,
    idempotency_key: null,
    decision,
    status: "skipped",
    outcome_category: "SKIPPED",
    outcome_code,
    params: recorded_params,
    outcome_data,
    attributes: { plan_step, ...attributes },
    cost_cents: null,
    duration_ms: null,
  };
  const step_index = yield* trace.takeStep(Effect.uninterruptible(recordOn(trace)(draft)));
  const said = { plan_step, attempt: 0, skill_id, step_index, outcome_code, duration_ms: 0 };
  yield* onStep({ event: "recorded", status: "skipped", ...said });
  return { step_index, outcome };
});

const executeAttempt = Effect.fnUntraced(function* (
  { trace, isGated, source, onStep }: Execution,
  prepared: PreparedCall,
  attempt: number,
) {
  const { plan_step, skill_id, skill_name, call, step, replay_behavior } = prepared;
  const skills = yield* SkillsBridge;
  const decision = yield* trace.decide(guarded(prepared, attempt));
  yield* onStep({ event: "started", plan_step, attempt, skill_id });
  const started_at = yield* now;
  const fields = {
    skill_id,
    skill_name,
    source,
    started_at,
    parent_step_index: null,
    retry_count: attempt,
    replay_behavior,
    idempotency_key: null,
    decision,
  };
  const told = { params: call.recorded_params, attributes: { plan_step } };
  const record = recordOn(trace);
  // From the intent to the outcome's record nothing may come between: what was done must not be lost.
  const attempted = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const intent_index = isGated ? yield* record({ ...fields, ...INTENDED, ...told }) : null;
      const started_nanos = yield* Clock.monotonicTimeNanos;
      const recordOutcome = Effect.fnUntraced(function* (
        outcome: SkillOutcome,
        isRetried: boolean,
      ) {
        const duration_ms = Number((yield* Clock.monotonicTimeNanos) - started_nanos) / 1e6;
        const status = isRetried ? ("retry" as const) : outcome.status;
        const step_index = yield* record({
          ...fields,
          ...(isGated ? {} : told),
          status,
          intent_index,
          outcome_category: outcome.outcome_category,
          outcome_code: outcome.outcome_code === null ? null : recordText(outcome.outcome_code),
          outcome_data: outcome.outcome_data,
          cost_cents: outcome.cost_cents ?? null,
          duration_ms,
        });
        return { step_index, outcome, status, duration_ms };
      });
      const exit = yield* Effect.exit(
        restore(skills.attempt(call, step.timeout_ms ?? DEFAULT_TIMEOUT_MS, decision.bound)),
      );
      if (Exit.isFailure(exit)) {
        // Only an interruption comes here. The record is an effort more: the seal says what happened in any case.
        yield* Effect.ignore(recordOutcome(INTERRUPTED, false));
        return yield* Effect.failCause(exit.cause);
      }
      const outcome = exit.value;
      const pause_ms = mayRepeat(outcome, attempt, step.retries)
        ? yield* Effect.map(Random.next, (random) => backoff_ms(outcome, attempt, random))
        : null;
      return { ...(yield* recordOutcome(outcome, pause_ms !== null)), pause_ms };
    }),
  );
  const { step_index, outcome, status, duration_ms, pause_ms } = yield* trace.takeStep(attempted);
  // Whoever prints it shows no more than the record does.
  const outcome_code =
    outcome.outcome_code === null ? null : DEFAULT_REDACTOR.text(outcome.outcome_code);
  yield* onStep({
    event: "recorded",
    plan_step,
    attempt,
    skill_id,
    step_index,
    status,
    outcome_code,
    duration_ms,
  });
  return { step_index, outcome, pause_ms };
});

const INTERRUPTED: SkillOutcome = {
  status: "failure",
  outcome_category: "PERMANENT",
  outcome_code: "INTERRUPTED",
  outcome_data: { error: "the run was interrupted during this attempt; what it did is not known" },
  safe_to_repeat: false,
  retry_after_ms: null,
};
