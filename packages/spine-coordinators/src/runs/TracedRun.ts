/** Records any Effect program as a run: each of its steps as it begins and ends, and how it ends seals the trace. */
import type {
  ChainMismatch,
  InvalidInput,
  StepBlocked,
  StoredDataUnreadable,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import { randomBytes } from "node:crypto";
import { checkStep } from "@runproof/proof/StepRecord";
import type { Capture } from "@runproof/schemas/TraceRecord";
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import { now } from "../internal/now.ts";
import { invalidInput, isRefusal, refusable } from "../internal/refused.ts";
import type { IncidentsBridge } from "../incidents/IncidentsBridge.ts";
import type { LogsBridge, StartError } from "../logs/LogsBridge.ts";
import type { Decision } from "../policies/Guard.ts";
import type { PoliciesBridge } from "../policies/PoliciesBridge.ts";
import {
  because,
  describe,
  type Ending,
  type OpenTrace,
  prepareRun,
  recordRun,
  recordText,
  tagOf,
} from "../logs/RecordedRun.ts";
import { INTENDED, type StepDraft } from "../logs/StepDraft.ts";
import type { RunOutcome } from "./RunOutcome.ts";

/** Whose run it is, and what is known of it as it starts. */
export interface RunInput {
  readonly tenant_id: string;
  /** 1 to 255 characters, unique in the tenant; made (a UUID) where it is left out. */
  readonly run_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly origin_system_id?: string | undefined;
  readonly correlation_id?: string | undefined;
  /**
   * `gated`, the default: each step's intent is durable before it acts, and its outcome before the next act. `inline`: its
   * outcome alone, in half the writes; of an act that the process did not outlive nothing is said.
   */
  readonly capture?: Extract<Capture, "gated" | "inline"> | undefined;
  /** What the run is to do. What JSON can't say of it is told and marked. */
  readonly plan?: unknown;
  /** What else is known of the run (service, framework, versions). What JSON can't say of it is told and marked. */
  readonly attributes?: unknown;
  readonly is_synthetic?: boolean | undefined;
  /** Required where `is_synthetic` is true. */
  readonly synthetic_scenario_id?: string | undefined;
  /** Id of the redaction rules applied to the payloads before they come here. */
  readonly redaction?: string | undefined;
  readonly lease_ms?: number | undefined;
  /**
   * Ties the run to a request that may be sent again: where the tenant's run of this key and the same input is there, the
   * effect does not run, and the error says which run it was.
   */
  readonly idempotency_key?: string | undefined;
  /** Told once the seal is written, of a run that was interrupted too. */
  readonly onSealed?: ((outcome: RunOutcome) => Effect.Effect<void>) | undefined;
}

/** What a step calls. `A` and `E` are the wrapped effect's. What JSON can't say of a value is told and marked. */
export interface StepInput<A, E> {
  readonly skill_id: string;
  /** `skill_id` where it is left out. */
  readonly skill_name?: string | undefined;
  readonly params?: unknown;
  readonly attributes?: unknown;
  readonly idempotency_key?: string | undefined;
  readonly cost_cents?: number | undefined;
  readonly retry_count?: number | undefined;
  /** What is recorded of a success; the result itself where it is left out, with `undefined` as none. */
  readonly outcome?: ((value: A) => unknown) | undefined;
  /** What is recorded of a failure; its tag and message where it is left out. */
  readonly failure?: ((error: E) => unknown) | undefined;
}

/** What keeps a run or step from being recorded. The run stops at the first. */
export type RecordError = InvalidInput | TraceWriteError | ChainMismatch | StepBlocked;

/** What a run is recorded through. */
export type RecordingBridges = LogsBridge | PoliciesBridge | IncidentsBridge;

/** The run that the effect is recorded in. */
export class TracedRun extends Context.Service<
  TracedRun,
  {
    readonly run_id: string;
    readonly trace_id: string;
    readonly tenant_id: string;
    /** The trace itself; `step` is the way to it. */
    readonly trace: Pick<OpenTrace, "takeStep" | "record" | "decide">;
    readonly capture: "gated" | "inline";
    /** The steps that failed, by their errors. */
    readonly failed_steps: Map<object, number>;
  }
>()("@runproof/spine-coordinators/runs/TracedRun") {}

/** The step that an effect runs in: what a step inside it names as its parent, by its intent or by its span. */
class Span {
  readonly intent_index: number | null;
  hasChildren = false;
  #span_id: string | undefined;

  constructor(intent_index: number | null) {
    this.intent_index = intent_index;
  }

  /** Drawn once it is asked for: most steps have none inside them, and stand in none. */
  get span_id(): string {
    return (this.#span_id ??= randomBytes(8).toString("hex"));
  }
}

const CurrentSpan = Context.Reference<Span | null>(
  "@runproof/spine-coordinators/runs/TracedRun/Span",
  {
    defaultValue: () => null,
  },
);

/**
 * Records `effect` as a run: `completed` when it succeeds, `failed` when it fails, `aborted` when it dies or is
 * interrupted. Its result and its error pass through. A step that can't be recorded stops it: the effect is interrupted,
 * the trace is sealed `aborted`, and the error is why the step could not be recorded. So it is where the trace can't be
 * sealed as the effect ended.
 */
export const run = <A, E, R>(
  input: RunInput,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<
  A,
  E | RecordError | StartError | StoredDataUnreadable,
  Exclude<R, TracedRun> | RecordingBridges
> =>
  Effect.gen(function* () {
    const capture = input.capture ?? "gated";
    const prepared = yield* prepareRun(
      {
        tenant_id: input.tenant_id,
        run_id: input.run_id,
        correlation_id: input.correlation_id,
        agent_id: input.agent_id ?? null,
        origin_system_id: input.origin_system_id ?? null,
        incident_id: null,
        replay_of: null,
        plan: input.plan,
        attributes: input.attributes,
        seed: null,
        frozen_timestamp: null,
        is_synthetic: input.is_synthetic ?? false,
        synthetic_scenario_id: input.synthetic_scenario_id ?? null,
        redaction: input.redaction ?? null,
        capture,
      },
      input.lease_ms,
      input.idempotency_key === undefined
        ? undefined
        : { idempotency_key: input.idempotency_key, asked: askedOf(input) },
    );
    const failed_steps = new Map<object, number>();
    const { exit, seal_error } = yield* recordRun(
      prepared,
      (trace) =>
        effect.pipe(
          Effect.provideService(TracedRun, tracedRun(trace, capture, failed_steps)),
          Effect.provideService(CurrentSpan, null),
        ),
      endingOf(failed_steps),
      input.onSealed,
    );
    const result = yield* exit;
    // What it did stays done; that the record is complete must not be believed.
    if (seal_error !== null) return yield* Effect.fail(seal_error);
    return result;
  });

/** What the caller asked for: not when, nor under which ids of one attempt. */
const askedOf = ({
  plan,
  attributes,
  agent_id,
  origin_system_id,
  capture,
  is_synthetic,
  synthetic_scenario_id,
}: RunInput) => ({
  plan,
  attributes,
  agent_id,
  origin_system_id,
  capture,
  is_synthetic,
  synthetic_scenario_id,
});

const tracedRun = (
  trace: OpenTrace,
  capture: "gated" | "inline",
  failed_steps: Map<object, number>,
) => {
  const { run_id, trace_id, tenant_id } = trace;
  return TracedRun.of({ run_id, trace_id, tenant_id, trace, capture, failed_steps });
};

const endingOf =
  (failed_steps: ReadonlyMap<object, number>) =>
  (exit: Exit.Exit<unknown, unknown>): Ending => {
    if (Exit.isSuccess(exit)) return { status: "completed", reason: null, detail: null };
    const error = Cause.squash(exit.cause);
    const step_index = failed_steps.get(error as object);
    const what = step_index === undefined ? "the program failed" : `step ${step_index} failed`;
    return { status: "failed", ...because(what, error) };
  };

/**
 * Records `effect` as one step of the run; its result and its error pass through untouched. In a gated run its intent is
 * durable before it runs, and in every run its outcome is before this returns.
 *
 * What the record can't hold at all (a name with U+0000, a negative cost) is `InvalidInput` before the effect runs. What
 * JSON can't say of params, result or error is told in another form, and marked in the step's attributes.
 *
 * A step inside another names it: by `parent_step_index`, its intent's, in a gated run. In an inline run it is recorded
 * before it, as it ends first, so both carry span ids in their attributes instead.
 *
 * Where the tenant's policy or limits say no, it does not run: `StepBlocked`, and the run is over.
 *
 * Where the effect could not be recorded it does not run: after the end of the run's own effect (`TraceSealed`), and in a
 * transaction of the database's (`InvalidInput`). A step that runs in a fiber of its own past that end is waited for.
 */
export const step = <A, E, R>(
  input: StepInput<A, E>,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | RecordError, R | TracedRun> =>
  Effect.gen(function* () {
    const { trace, capture } = yield* TracedRun;
    const parent = yield* CurrentSpan;
    const started_at = yield* now;
    yield* checkInput(input, capture, started_at);
    // From the intent to the outcome's record nothing may come between: what was done must not be lost.
    const recorded = Effect.uninterruptibleMask((restore) => {
      const act = (span: Span) =>
        Effect.exit(restore(Effect.provideService(effect, CurrentSpan, span)));
      const fields = fieldsOf(input);
      const parent_step_index = parent?.intent_index ?? null;
      return Effect.flatMap(
        trace.decide({ ...fields, params: input.params, parent_step_index }),
        (decision) => recordedStep(input, { parent, started_at, decision }, act),
      );
    });
    return yield* trace.takeStep(recorded);
  });

const recordedStep = Effect.fnUntraced(function* <A, E, R>(
  input: StepInput<A, E>,
  {
    parent,
    started_at,
    decision,
  }: {
    readonly parent: Span | null;
    readonly started_at: string;
    readonly decision: Decision;
  },
  act: (span: Span) => Effect.Effect<Exit.Exit<A, E>, never, R>,
) {
  const { trace, capture, failed_steps } = yield* TracedRun;
  const record = (draft: StepDraft) =>
    trace
      .record(draft)
      .pipe(Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)));
  const isGated = capture === "gated";
  const parent_step_index = parent?.intent_index ?? null;
  const fields = { ...fieldsOf(input), parent_step_index, started_at, decision };
  const { params, attributes } = input;
  const intent_index = isGated
    ? yield* record({ ...fields, ...INTENDED, params, attributes })
    : null;
  const span = new Span(intent_index);
  if (parent !== null) parent.hasChildren = true;
  const started_nanos = yield* Clock.monotonicTimeNanos;
  const exit = yield* act(span);
  const duration_ms = Number((yield* Clock.monotonicTimeNanos) - started_nanos) / 1e6;
  const outcome = {
    ...fields,
    ...endingOfStep(input, exit),
    intent_index,
    cost_cents: input.cost_cents ?? null,
    duration_ms,
  };
  const step_index = yield* record(
    isGated ? outcome : { ...outcome, params, attributes: attributesOf(attributes, span, parent) },
  );
  if (Exit.isFailure(exit)) noteFailure(failed_steps, exit.cause, span, step_index);
  return yield* exit;
});

/** Remembers which step an error comes from: of steps inside each other the innermost, and the last that was tried. */
const noteFailure = (
  failed_steps: Map<object, number>,
  cause: Cause.Cause<unknown>,
  { hasChildren }: Span,
  step_index: number,
): void => {
  const error = Cause.squash(cause);
  // A bare value may be another step's too, or the program's own.
  if (typeof error !== "object" || error === null) return;
  if (!hasChildren || !failed_steps.has(error)) failed_steps.set(error, step_index);
};

/** How a step ended, as it is recorded. */
interface StepEnding {
  readonly status: "success" | "failure";
  readonly outcome_category: string;
  readonly outcome_code: string | null;
  readonly outcome_data: unknown;
}

/** How a step ended. A function of the caller's that throws is said of, and changes nothing of what the step gives. */
const endingOfStep = <A, E>(input: StepInput<A, E>, exit: Exit.Exit<A, E>): StepEnding => {
  try {
    return Exit.isSuccess(exit) ? succeeded(input, exit.value) : failed(input, exit.cause);
  } catch (error) {
    const what = `the step's outcome or failure function threw: ${describe(error)}`;
    return {
      status: Exit.isSuccess(exit) ? "success" : "failure",
      outcome_category: Exit.isSuccess(exit) ? "SUCCESS" : "PERMANENT",
      outcome_code: "OUTCOME_NOT_RECORDABLE",
      outcome_data: { error: recordText(what) },
    };
  }
};

const succeeded = <A, E>(input: StepInput<A, E>, value: A): StepEnding => ({
  status: "success",
  outcome_category: "SUCCESS",
  outcome_code: null,
  outcome_data: input.outcome === undefined ? value : input.outcome(value),
});

const failed = <A, E>(input: StepInput<A, E>, cause: Cause.Cause<E>): StepEnding => {
  const failure = { status: "failure" as const, outcome_category: "PERMANENT" };
  const error = Cause.findErrorOption(cause);
  if (Option.isSome(error)) {
    return {
      ...failure,
      outcome_code: codeOf(error.value),
      outcome_data: input.failure?.(error.value) ?? { error: recordText(describe(error.value)) },
    };
  }
  if (Cause.hasInterruptsOnly(cause)) {
    const outcome_data = { error: "interrupted; what it did is not known" };
    return { ...failure, outcome_code: "INTERRUPTED", outcome_data };
  }
  const outcome_data = { error: recordText(describe(Cause.squash(cause))) };
  return { ...failure, outcome_code: "DEFECT", outcome_data };
};

const codeOf = (error: unknown): string | null => {
  const tag = tagOf(error);
  return tag === null ? null : recordText(tag);
};

const attributesOf = (attributes: unknown, span: Span, parent: Span | null): unknown => {
  if (parent === null && !span.hasChildren) return attributes;
  return {
    span_id: span.span_id,
    ...(parent === null ? {} : { parent_span_id: parent.span_id }),
    ...(attributes === undefined ? {} : { attributes }),
  };
};

const fieldsOf = <A, E>(input: StepInput<A, E>) => ({
  skill_id: input.skill_id,
  skill_name: input.skill_name ?? input.skill_id,
  source: "engine" as const,
  retry_count: input.retry_count ?? 0,
  replay_behavior: "execute" as const,
  idempotency_key: input.idempotency_key ?? null,
});

/** Checks all that is known before the effect runs, so that bad input never leaves an action without its record. */
const checkInput = <A, E>(
  input: StepInput<A, E>,
  capture: Capture,
  started_at: string,
): Effect.Effect<void, InvalidInput> =>
  refusable(() =>
    checkStep({
      ...fieldsOf(input),
      status: "success",
      outcome_category: "SUCCESS",
      outcome_code: null,
      cost_cents: input.cost_cents ?? null,
      duration_ms: 0,
      started_at,
      trace_id: "not recorded yet",
      capture,
      step_index: 1,
      intent_index: capture === "gated" ? 0 : null,
      parent_step_index: null,
      timestamp: started_at,
      is_synthetic: false,
      synthetic_scenario_id: null,
    }),
  ).pipe(Effect.mapError((refusal) => invalidInput(refusal, "step")));
