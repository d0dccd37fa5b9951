/** Records any Effect program as a run: its steps are traced as they end, and how it ends seals the trace. */
import type {
  ChainMismatch,
  InvalidInput,
  RunExists,
  TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Schema from "effect/Schema";
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
  }
>()("@runproof/spine-coordinators/TracedRun") {}

/** Records `effect` as a run: `completed` when it succeeds, `failed` when it fails, `aborted` when it dies or is interrupted. */
export type Run = <A, E, R>(
  input: RunInput,
  effect: Effect.Effect<A, E, R>,
) => Effect.Effect<
  A,
  E | RecordError | RunExists,
  Exclude<R, TracedRun> | LogsBridge | LeasesBridge
>;

/** Records `effect` as one step, durable before it returns; its result and its error pass through. */
export type Step = <A, E, R>(
  input: StepInput<A, E>,
  effect: Effect.Effect<A, E, R>,
) => Effect.Effect<A, E | RecordError, R | TracedRun>;
