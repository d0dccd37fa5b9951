/** Records any Effect program as a run: its steps are traced as they end, and how it ends seals the trace. */
import type {
  ChainMismatch,
  InvalidInput,
  RunExists,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import { randomBytes } from "node:crypto";
import { Refusal } from "@runproof/proof/Refusal";
import { prepareStep } from "@runproof/proof/StepRecord";
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import type * as Schema from "effect/Schema";
import { now } from "./internal/now.ts";
import {
  because,
  describe,
  type Ending,
  type OpenTrace,
  prepareRun,
  recordRun,
  recordText,
  type StepDraft,
  tagOf,
} from "./internal/OpenTrace.ts";
import { invalidInput, isRefusal, refusable } from "./internal/refused.ts";
import type { LeasesBridge } from "./LeasesBridge.ts";
import type { LogsBridge } from "./LogsBridge.ts";
import type { RunOutcome } from "./RunOutcome.ts";

/** Whose run it is, and what is known of it as it starts. */
export interface RunInput {
  readonly tenant_id: string;
  /** 1 to 255 characters, unique in the tenant; made (a UUID) where it is left out. */
  readonly run_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly origin_system_id?: string | undefined;
  readonly correlation_id?: string | undefined;
  /** What the run is to do; any JSON value. */
  readonly plan?: Schema.Json | undefined;
  /** What else is known of the run (service, framework, versions); any JSON value. */
  readonly attributes?: Schema.Json | undefined;
  readonly is_synthetic?: boolean | undefined;
  /** Required where `is_synthetic` is true. */
  readonly synthetic_scenario_id?: string | undefined;
  /** Id of the redaction rules applied to the payloads before they come here. */
  readonly redaction?: string | undefined;
  readonly lease_ms?: number | undefined;
  /** Told once, when the seal is written. */
  readonly onSealed?: ((outcome: RunOutcome) => Effect.Effect<void>) | undefined;
}

/** What a step calls. `A` and `E` are the wrapped effect's. */
export interface StepInput<A, E> {
  readonly skill_id: string;
  /** `skill_id` where it is left out. */
  readonly skill_name?: string | undefined;
  readonly params?: Schema.Json | undefined;
  readonly attributes?: Schema.Json | undefined;
  readonly idempotency_key?: string | undefined;
  readonly cost_cents?: number | undefined;
  readonly retry_count?: number | undefined;
  /** What is recorded of a success; the result itself where it is left out, with `undefined` as none. */
  readonly outcome?: ((value: A) => Schema.Json) | undefined;
  /** What is recorded of a failure; its tag and message where it is left out. */
  readonly failure?: ((error: E) => Schema.Json) | undefined;
}

/** What keeps a run or step from being recorded. The run stops at the first. */
export type RecordError = InvalidInput | TraceWriteError | ChainMismatch;

/** The run that the effect is recorded in. */
export class TracedRun extends Context.Service<
  TracedRun,
  {
    readonly run_id: string;
    readonly trace_id: string;
    readonly tenant_id: string;
    /** The trace itself; `step` is the way to it. */
    readonly trace: Pick<OpenTrace, "takeStep" | "record">;
    /** The steps that failed, by their errors. */
    readonly failed_steps: Map<object, number>;
  }
>()("@runproof/spine-coordinators/TracedRun") {}

/** The step that an effect runs in: what a step inside it names as its parent. */
interface Span {
  readonly span_id: string;
  hasChildren: boolean;
}

const CurrentSpan = Context.Reference<Span | null>("@runproof/spine-coordinators/TracedRun/Span", {
  defaultValue: () => null,
});

/**
 * Records `effect` as a run: `completed` when it succeeds, `failed` when it fails, `aborted` when it dies or is
 * interrupted. Its result and its error pass through. A step that can't be recorded stops it: the effect is interrupted,
 * the trace is sealed `aborted`, and the error is why the step could not be recorded.
 */
export const run = <A, E, R>(
  input: RunInput,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<
  A,
  E | RecordError | RunExists,
  Exclude<R, TracedRun> | LogsBridge | LeasesBridge
> =>
  Effect.gen(function* () {
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
      },
      input.lease_ms,
    );
    const failed_steps = new Map<object, number>();
    const { exit, outcome } = yield* recordRun(
      prepared,
      (trace) =>
        effect.pipe(
          Effect.provideService(TracedRun, tracedRun(trace, failed_steps)),
          Effect.provideService(CurrentSpan, null),
        ),
      endingOf(failed_steps),
    );
    yield* input.onSealed?.(outcome) ?? Effect.void;
    return yield* exit;
  });

const tracedRun = (trace: OpenTrace, failed_steps: Map<object, number>) => {
  const { run_id, trace_id, tenant_id } = trace;
  return TracedRun.of({ run_id, trace_id, tenant_id, trace, failed_steps });
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
 * Records `effect` as one step of the run, durable before it returns; its result and its error pass through.
 *
 * Params are checked before the effect runs. A result that JSON can't say exactly is recorded as a failed step, and is
 * the error `InvalidInput`: name what to record of it with `outcome`. A step inside another is recorded before it, as it
 * ends first, so `parent_step_index` stays null; both carry span ids in their attributes, and the inner one names the
 * outer one's as `parent_span_id`.
 *
 * Where the effect could not be recorded it does not run: after the end of the run's own effect (`TraceSealed`), and in a
 * transaction of the database's (`InvalidInput`). A step that runs in a fiber of its own past that end is waited for.
 */
export const step = <A, E, R>(
  input: StepInput<A, E>,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | RecordError, R | TracedRun> =>
  Effect.gen(function* () {
    const { trace, failed_steps } = yield* TracedRun;
    const parent = yield* CurrentSpan;
    const span: Span = { span_id: randomBytes(8).toString("hex"), hasChildren: false };
    const started_at = yield* now;
    const started_nanos = yield* Clock.monotonicTimeNanos;
    yield* checkInput(input, started_at);
    const recordEnding = Effect.fnUntraced(function* (ending: StepEnding) {
      const duration_ms = Number((yield* Clock.monotonicTimeNanos) - started_nanos) / 1e6;
      const attributes = attributesOf(input.attributes, span, parent);
      return yield* trace.record(
        draftOf(input, { ...ending, attributes, started_at, duration_ms }),
      );
    });
    // From the effect's end to its record nothing may come between: what was done must not be lost.
    const recorded = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (parent !== null) parent.hasChildren = true;
        const exit = yield* Effect.exit(restore(Effect.provideService(effect, CurrentSpan, span)));
        const step_index = yield* endingOfStep(input, exit).pipe(
          Effect.flatMap(recordEnding),
          Effect.catchIf(isRefusal, (refusal) =>
            Effect.andThen(recordEnding(unrecordable(refusal)), Effect.fail(refusal)),
          ),
          Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)),
        );
        if (Exit.isFailure(exit)) noteFailure(failed_steps, exit.cause, span, step_index);
        return yield* exit;
      }),
    );
    return yield* trace.takeStep(recorded);
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

/** What the caller wants recorded of an outcome could not be made. */
class OutcomeThrew extends Refusal {
  readonly _tag = "OutcomeThrew";
}

const endingOfStep = <A, E>(
  input: StepInput<A, E>,
  exit: Exit.Exit<A, E>,
): Effect.Effect<StepEnding, Refusal> =>
  Effect.try({
    try: () => (Exit.isSuccess(exit) ? succeeded(input, exit.value) : failed(input, exit.cause)),
    catch: (error) =>
      new OutcomeThrew(
        "$.outcome_data",
        `the step's outcome or failure function threw: ${describe(error)}`,
        "Let it return plain JSON for every result and error.",
      ),
  });

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

const unrecordable = (refusal: Refusal): StepEnding => ({
  status: "failure",
  outcome_category: "PERMANENT",
  outcome_code: "OUTCOME_NOT_RECORDABLE",
  outcome_data: { error: `the outcome can't be recorded: ${refusal.what}`, path: refusal.path },
});

const attributesOf = (
  attributes: Schema.Json | undefined,
  span: Span,
  parent: Span | null,
): unknown => {
  if (parent === null && !span.hasChildren) return attributes;
  return {
    span_id: span.span_id,
    ...(parent === null ? {} : { parent_span_id: parent.span_id }),
    ...(attributes === undefined ? {} : { attributes }),
  };
};

const draftOf = <A, E>(
  input: StepInput<A, E>,
  ending: StepEnding & Pick<StepDraft, "attributes" | "started_at" | "duration_ms">,
): StepDraft => ({
  skill_id: input.skill_id,
  skill_name: input.skill_name ?? input.skill_id,
  source: "engine",
  params: input.params,
  cost_cents: input.cost_cents ?? null,
  retry_count: input.retry_count ?? 0,
  replay_behavior: "execute",
  idempotency_key: input.idempotency_key ?? null,
  ...ending,
});

/** Checks all that is known before the effect runs, so that bad input never leaves an action without its record. */
const checkInput = <A, E>(
  input: StepInput<A, E>,
  started_at: string,
): Effect.Effect<void, InvalidInput> =>
  refusable(() =>
    prepareStep({
      ...draftOf(input, {
        status: "success",
        outcome_category: "SUCCESS",
        outcome_code: null,
        outcome_data: null,
        attributes: input.attributes,
        started_at,
        duration_ms: 0,
      }),
      trace_id: "not recorded yet",
      parent_step_index: null,
      timestamp: started_at,
      is_synthetic: false,
      synthetic_scenario_id: null,
    }),
  ).pipe(
    Effect.asVoid,
    Effect.mapError((refusal) => invalidInput(refusal, "step")),
  );
