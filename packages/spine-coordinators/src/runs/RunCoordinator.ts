/** Executes plans: what was asked is stored first, each step is durable before the next begins, and the trace is sealed. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { validator } from "@runproof/proof/RecordInvalid";
import { Plan, type PlanStep } from "@runproof/schemas/Plan";
import type { Capture } from "@runproof/schemas/TraceRecord";
import type { SealRecord } from "@runproof/schemas/SealRecord";
import {
  type ChainMismatch,
  type InvalidInput,
  type RunDeleted,
  type RunNotFound,
  type RunRepeated,
  type SkillUnknown,
  type StepBlocked,
  StoredDataUnreadable,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Random from "effect/Random";
import { now } from "../internal/now.ts";
import { invalidInput, isRefusal, refusable } from "../internal/refused.ts";
import {
  type Ending,
  type OpenTrace,
  prepareRun,
  recordRun,
  recordText,
} from "../logs/RecordedRun.ts";
import { LogsBridge, type StartError } from "../logs/LogsBridge.ts";
import { INTENDED } from "../logs/StepDraft.ts";
import { DEFAULT_REDACTOR } from "../logs/WriteRules.ts";
import { type SkillCall, type SkillOutcome, SkillsBridge } from "../skills/SkillsBridge.ts";
import { backoff_ms, mayRepeat } from "./internal/Backoff.ts";
import type { RunOutcome } from "./RunOutcome.ts";
import type { RecordingBridges } from "./TracedRun.ts";

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
  /**
   * `inline`, the default: the plan is stored before the first act and is its intent. `gated`: each attempt's intent is
   * durable before it, so that of a run that died it is known what was begun.
   */
  readonly capture?: Extract<Capture, "gated" | "inline"> | undefined;
  /** How long the trace may stay silent before a sweeper aborts it; `DEFAULT_LEASE_MS` where it is left out. */
  readonly lease_ms?: number | undefined;
  /**
   * Ties the run to a request that may be sent again: sent twice with the same input, it is executed once, and the second
   * answer is the first one's outcome.
   */
  readonly idempotency_key?: string | undefined;
  /** Told of each attempt as it begins and once it is durable, in order. The run waits for it. */
  readonly onStep?: ((event: StepEvent) => Effect.Effect<void>) | undefined;
  /** Told once the seal is written, of a run that was interrupted too. */
  readonly onSealed?: ((outcome: RunOutcome) => Effect.Effect<void>) | undefined;
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
  | StartError
  | StepBlocked
  | RunNotFound
  | RunDeleted
  | StoredDataUnreadable
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
>()("@runproof/spine-coordinators/runs/RunCoordinator") {
  static readonly layer: Layer.Layer<RunCoordinator, never, RecordingBridges | SkillsBridge> =
    Layer.effect(
      RunCoordinator,
      Effect.gen(function* () {
        const context = yield* Effect.context<RecordingBridges | SkillsBridge>();
        return RunCoordinator.of({
          execute: (run) =>
            executeRun(run).pipe(
              Effect.catchTag("RunRepeated", storedOutcome),
              Effect.provideContext(context),
            ),
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
  const plan = yield* checkPlan(run.plan);
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
      capture: run.capture ?? "inline",
      redaction: redactions.length === 0 ? null : [...new Set(redactions)].toSorted().join(" "),
    },
    run.lease_ms,
    run.idempotency_key === undefined
      ? undefined
      : { idempotency_key: run.idempotency_key, asked: askedOf(run) },
  );
  const { outcome } = yield* recordRun(
    prepared,
    (trace) =>
      executeSteps({
        trace,
        isGated: run.capture === "gated",
        calls,
        onStep: run.onStep ?? (() => Effect.void),
      }),
    endingOf,
    run.onSealed,
  );
  return outcome;
});

/** What the caller asked for: not when, nor under which ids of one attempt. */
const askedOf = ({
  plan,
  goal,
  agent_id,
  origin_system_id,
  capture,
  is_synthetic,
  synthetic_scenario_id,
}: ExecuteRun) => ({
  plan,
  goal,
  agent_id,
  origin_system_id,
  capture,
  is_synthetic,
  synthetic_scenario_id,
});

/** How a run ended that was executed before. */
const storedOutcome = ({ tenant_id, run_id }: RunRepeated) =>
  LogsBridge.use((logs) =>
    logs.read({ tenant_id, run_id }, ({ trace, seal }) =>
      Effect.gen(function* () {
        const columns = seal?.columns;
        const ended = parseSealed(seal?.record);
        if (seal === null || columns === undefined || ended === null) {
          return yield* new StoredDataUnreadable({
            where: `run ${run_id}`,
            what: "it is sealed, and its seal can't be read",
          });
        }
        const metadata = parseCanonical(seal.payloads.metadata.text ?? "null");
        const detail = (metadata as { readonly detail?: unknown } | null | undefined)?.detail;
        return {
          run_id,
          tenant_id,
          trace_id: ended.trace_id,
          status: ended.status,
          reason: ended.reason,
          detail: typeof detail === "string" ? detail : null,
          root_hash: seal.root_hash,
          step_count: ended.step_count,
          started_at: String(trace.columns["started_at"]),
          completed_at: ended.completed_at,
        } satisfies RunOutcome;
      }),
    ),
  );

const parseSealed = (record: string | undefined): SealRecord | null => {
  const value = parseCanonical(record ?? "null");
  return value === undefined || value === null ? null : (value as unknown as SealRecord);
};

const validatePlan = validator(
  Plan,
  'Write the plan as {"steps": [{"skill": "http_call", "params": {"method": "GET", "url": "…"}}]}.',
);

/** Checks a plan whole: its shape, and that JSON can say it exactly. */
export const checkPlan = (plan: unknown): Effect.Effect<Plan, InvalidInput> =>
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

/** A run that is executed. */
interface Execution {
  readonly trace: OpenTrace;
  readonly isGated: boolean;
  readonly calls: ReadonlyArray<PreparedCall>;
  readonly onStep: (event: StepEvent) => Effect.Effect<void>;
}

/** What the guard sees of a call. */
const guarded = ({ skill_id, skill_name, call, step }: PreparedCall, retry_count: number) => ({
  skill_id,
  skill_name,
  params: step.params,
  recorded_params: call.recorded_params,
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

const executeSteps = Effect.fnUntraced(function* (execution: Execution) {
  yield* lookThrough(execution);
  const failed_steps: Array<number> = [];
  for (const call of execution.calls) {
    const last = yield* executeStep(execution, call);
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
const executeStep = Effect.fnUntraced(function* (execution: Execution, call: PreparedCall) {
  for (let attempt = 0; ; attempt++) {
    const recorded = yield* executeAttempt(execution, call, attempt);
    if (recorded.pause_ms === null) return recorded;
    yield* Effect.sleep(Duration.millis(recorded.pause_ms));
  }
});

const executeAttempt = Effect.fnUntraced(function* (
  { trace, isGated, onStep }: Execution,
  prepared: PreparedCall,
  attempt: number,
) {
  const { plan_step, skill_id, skill_name, call, step } = prepared;
  const skills = yield* SkillsBridge;
  const decision = yield* trace.decide(guarded(prepared, attempt));
  yield* onStep({ event: "started", plan_step, attempt, skill_id });
  const started_at = yield* now;
  const fields = {
    skill_id,
    skill_name,
    source: "engine" as const,
    started_at,
    parent_step_index: null,
    retry_count: attempt,
    replay_behavior: "execute" as const,
    idempotency_key: null,
    decision,
  };
  const told = { params: call.recorded_params, attributes: { plan_step } };
  const record = (draft: Parameters<OpenTrace["record"]>[0]) =>
    trace
      .record(draft)
      .pipe(Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)));
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
