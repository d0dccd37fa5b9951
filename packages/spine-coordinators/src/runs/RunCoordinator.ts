/** Executes plans: what was asked is stored first, each step is durable before the next begins, and the trace is sealed. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { validator } from "@runproof/proof/RecordInvalid";
import { Plan } from "@runproof/schemas/Plan";
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
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { invalidInput, refusable } from "../internal/refused.ts";
import { prepareRun, recordRun } from "../logs/RecordedRun.ts";
import { LogsBridge, type StartError } from "../logs/LogsBridge.ts";
import type { SkillsBridge } from "../skills/SkillsBridge.ts";
import { endingOf, executeSteps, prepareCall, type StepEvent } from "./internal/PlanExecution.ts";
import type { RunOutcome } from "./RunOutcome.ts";
import type { RecordingBridges } from "./TracedRun.ts";

export type { StepEvent };

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

const executeRun = Effect.fn("RunCoordinator.execute")(function* (run: ExecuteRun) {
  const plan = yield* checkPlan(run.plan);
  const calls = yield* Effect.forEach(plan.steps, prepareCall);
  const redactions = calls.flatMap(({ redaction }) => (redaction === null ? [] : [redaction]));
  const recorded_plan = {
    steps: calls.map(({ step, recorded_params }) => ({ ...step, params: recorded_params })),
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
        source: "engine",
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
