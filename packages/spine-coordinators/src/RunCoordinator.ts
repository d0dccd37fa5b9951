/** Executes plans: what was asked is stored first, each step is durable before the next begins, and the trace is sealed. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { validator } from "@runproof/proof/RecordInvalid";
import { Plan, type PlanStep } from "@runproof/schemas/Plan";
import type {
  ChainMismatch,
  InvalidInput,
  RunExists,
  SkillUnknown,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Random from "effect/Random";
import { backoff_ms, mayRepeat } from "./internal/Backoff.ts";
import { now } from "./internal/now.ts";
import {
  type Ending,
  type OpenTrace,
  prepareRun,
  recordRun,
  recordText,
} from "./internal/OpenTrace.ts";
import { invalidInput, isRefusal, refusable } from "./internal/refused.ts";
import type { LeasesBridge } from "./LeasesBridge.ts";
import type { LogsBridge } from "./LogsBridge.ts";
import type { RunOutcome } from "./RunOutcome.ts";
import { RunsBridge } from "./RunsBridge.ts";
import { type SkillCall, type SkillOutcome, SkillsBridge } from "./SkillsBridge.ts";

/** How long one attempt may last where the plan names no `timeout_ms`: what people wait for an API at most. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** A plan to execute, and for whom. */
export interface ExecuteRun {
  /** A `Plan` of `@runproof/schemas`, or JSON not yet checked: it is checked whole before anything is stored. */
  readonly plan: unknown;
  readonly tenant_id: string;
  /** 1 to 255 characters, unique in the tenant; made (a UUID) where it is left out. */
  readonly run_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly origin_system_id?: string | undefined;
  readonly goal?: string | undefined;
  /** Ties runs of one request together; the run id where it is left out. */
  readonly correlation_id?: string | undefined;
  readonly is_synthetic?: boolean | undefined;
  /** Required where `is_synthetic` is true. */
  readonly synthetic_scenario_id?: string | undefined;
  /** How long the trace may stay silent before a sweeper aborts it; `DEFAULT_LEASE_MS` where it is left out. */
  readonly lease_ms?: number | undefined;
  /** Told of each attempt as it begins and once it is durable, in order. The run waits for it. */
  readonly onStep?: ((event: StepEvent) => Effect.Effect<void>) | undefined;
}

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
      readonly status: "success" | "failure" | "retry";
      readonly outcome_code: string | null;
      readonly duration_ms: number;
    };

/** What keeps a run from being executed and sealed here. */
export type ExecuteError =
  | InvalidInput
  | SkillUnknown
  | RunExists
  | TraceWriteError
  | ChainMismatch;

/** Executes plans as recorded runs. */
export class RunCoordinator extends Context.Service<
  RunCoordinator,
  {
    /**
     * Runs a plan to its seal. A step that fails is an outcome, not an error: errors are what keeps the run from being
     * recorded. Interrupting seals the trace `aborted` before the interruption goes on.
     */
    readonly execute: (run: ExecuteRun) => Effect.Effect<RunOutcome, ExecuteError>;
  }
>()("@runproof/spine-coordinators/RunCoordinator") {
  static readonly layer: Layer.Layer<
    RunCoordinator,
    never,
    LogsBridge | LeasesBridge | RunsBridge | SkillsBridge
  > = Layer.effect(
    RunCoordinator,
    Effect.gen(function* () {
      const context = yield* Effect.context<
        LogsBridge | LeasesBridge | RunsBridge | SkillsBridge
      >();
      return RunCoordinator.of({
        execute: (run) => Effect.provideContext(executeRun(run), context),
      });
    }),
  );
}

/** One step of a plan, its skill found and its params checked. */
interface PreparedCall {
  readonly plan_step: number;
  readonly skill_id: string;
  readonly skill_name: string;
  readonly call: SkillCall;
  readonly step: PlanStep;
}

const executeRun = Effect.fn("RunCoordinator.execute")(function* (run: ExecuteRun) {
  const plan = yield* decodePlan(run.plan);
  const calls = yield* Effect.forEach(plan.steps, prepareCall);
  const redactions = calls.flatMap(({ redaction }) => (redaction === null ? [] : [redaction]));
  const recorded_plan = {
    steps: calls.map(({ step, call }) => ({ ...step, params: call.recorded_params })),
  };
  const prepared = yield* prepareRun(
    {
      tenant_id: run.tenant_id,
      run_id: run.run_id,
      correlation_id: run.correlation_id,
      agent_id: run.agent_id ?? null,
      origin_system_id: run.origin_system_id ?? null,
      incident_id: null,
      replay_of: null,
      plan: recorded_plan,
      ...(run.goal === undefined ? {} : { attributes: { goal: run.goal } }),
      seed: null,
      frozen_timestamp: null,
      is_synthetic: run.is_synthetic ?? false,
      synthetic_scenario_id: run.synthetic_scenario_id ?? null,
      redaction: redactions.length === 0 ? null : [...new Set(redactions)].toSorted().join(" "),
    },
    run.lease_ms,
  );
  const runs = yield* RunsBridge;
  yield* runs.store({
    run_id: prepared.input.run_id,
    tenant_id: run.tenant_id,
    agent_id: run.agent_id ?? null,
    origin_system_id: run.origin_system_id ?? null,
    goal: run.goal ?? null,
    plan: canonicalize(recorded_plan),
  });
  const { outcome } = yield* recordRun(
    prepared,
    (trace) => executeSteps(trace, calls, run.onStep ?? (() => Effect.void)),
    endingOf,
  );
  return outcome;
});

const validatePlan = validator(
  Plan,
  'Write the plan as {"steps": [{"skill": "http_call", "params": {"method": "GET", "url": "…"}}]}.',
);

const decodePlan = (plan: unknown): Effect.Effect<Plan, InvalidInput> =>
  refusable(() => {
    // What JSON can't say exactly is refused first, so that its path is the plan's: an integer that was rounded, say.
    canonicalize(plan);
    return validatePlan(plan);
  }).pipe(Effect.mapError((refusal) => invalidInput(refusal)));

const prepareCall = Effect.fnUntraced(function* (step: PlanStep, plan_step: number) {
  const skills = yield* SkillsBridge;
  const skill = yield* skills.get(step.skill);
  const call = yield* skill.prepare(step.params, `$.steps[${plan_step}].params`);
  return {
    plan_step,
    skill_id: skill.id,
    skill_name: skill.name,
    redaction: skill.redaction,
    call,
    step,
  };
});

/** What the steps of a run came to. */
interface StepsOutcome {
  /** Indexes in the trace of the steps that failed for good. */
  readonly failed_steps: ReadonlyArray<number>;
  /** What the plan was stopped by; null where it was run to its end. */
  readonly stopped_by: (Pick<Ending, "detail"> & { readonly reason: string }) | null;
}

/** Codes that say how a call went, and nothing of what it was about. A skill's own may say what it found. */
const PUBLIC_CODE =
  /^(HTTP_\d{3}|TIMEOUT|RESPONSE_TOO_LARGE|SKILL_DEFECT|OUTCOME_NOT_RECORDABLE)$/u;

const executeSteps = Effect.fnUntraced(function* (
  trace: OpenTrace,
  calls: ReadonlyArray<PreparedCall>,
  onStep: (event: StepEvent) => Effect.Effect<void>,
) {
  const failed_steps: Array<number> = [];
  for (const call of calls) {
    const last = yield* executeStep(trace, call, onStep);
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
const endingOf = (exit: Exit.Exit<StepsOutcome, unknown>): Ending => {
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
const executeStep = Effect.fnUntraced(function* (
  trace: OpenTrace,
  call: PreparedCall,
  onStep: (event: StepEvent) => Effect.Effect<void>,
) {
  for (let attempt = 0; ; attempt++) {
    const recorded = yield* executeAttempt(trace, call, attempt, onStep);
    if (recorded.pause_ms === null) return recorded;
    yield* Effect.sleep(Duration.millis(recorded.pause_ms));
  }
});

const executeAttempt = Effect.fnUntraced(function* (
  trace: OpenTrace,
  { plan_step, skill_id, skill_name, call, step }: PreparedCall,
  attempt: number,
  onStep: (event: StepEvent) => Effect.Effect<void>,
) {
  const skills = yield* SkillsBridge;
  yield* onStep({ event: "started", plan_step, attempt, skill_id });
  const started_at = yield* now;
  const started_nanos = yield* Clock.monotonicTimeNanos;
  const record = Effect.fnUntraced(function* (outcome: SkillOutcome, isRetried: boolean) {
    const duration_ms = Number((yield* Clock.monotonicTimeNanos) - started_nanos) / 1e6;
    const status = isRetried ? ("retry" as const) : outcome.status;
    const draft = {
      skill_id,
      skill_name,
      source: "engine" as const,
      status,
      outcome_category: outcome.outcome_category,
      outcome_code: outcome.outcome_code === null ? null : recordText(outcome.outcome_code),
      params: call.recorded_params,
      outcome_data: outcome.outcome_data,
      attributes: { plan_step },
      cost_cents: outcome.cost_cents ?? null,
      duration_ms,
      started_at,
      retry_count: attempt,
      replay_behavior: "execute" as const,
      idempotency_key: null,
    };
    const step_index = yield* trace.record(draft);
    return { step_index, outcome, status, duration_ms };
  });
  // From the attempt's end to its record nothing may come between: what was done must not be lost.
  const attempted = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        restore(skills.attempt(call, step.timeout_ms ?? DEFAULT_TIMEOUT_MS)),
      );
      if (Exit.isFailure(exit)) {
        // Only an interruption comes here. The record is an effort more: the seal says what happened in any case.
        yield* Effect.ignore(record(INTERRUPTED, false));
        return yield* Effect.failCause(exit.cause);
      }
      const outcome = exit.value;
      const pause_ms = mayRepeat(outcome, attempt, step.retries)
        ? yield* Effect.map(Random.next, (random) => backoff_ms(outcome, attempt, random))
        : null;
      const recorded = yield* record(outcome, pause_ms !== null).pipe(
        Effect.catchIf(isRefusal, (refusal) => record(unrecordable(refusal), false)),
      );
      return { ...recorded, pause_ms: recorded.outcome === outcome ? pause_ms : null };
    }),
  );
  const { step_index, outcome, status, duration_ms, pause_ms } = yield* trace.takeStep(attempted);
  const { outcome_code } = outcome;
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

/** What stands for an outcome that no record can hold: the step is kept, with the reason. */
const unrecordable = (refusal: { readonly path: string; readonly what: string }): SkillOutcome => ({
  status: "failure",
  outcome_category: "PERMANENT",
  outcome_code: "OUTCOME_NOT_RECORDABLE",
  outcome_data: { error: `the outcome can't be recorded: ${refusal.what}`, path: refusal.path },
  safe_to_repeat: false,
  retry_after_ms: null,
});
