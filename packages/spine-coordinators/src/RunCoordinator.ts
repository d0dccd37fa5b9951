/** Executes plans: what was asked is stored first, each step is durable before the next begins, and the trace is sealed. */
import type {
  ChainMismatch,
  InvalidInput,
  RunExists,
  SkillUnknown,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { RunOutcome } from "./RunOutcome.ts";

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
>()("@runproof/spine-coordinators/RunCoordinator") {}
