/** What a replay tells its steps to: a trace that is recorded, or none; the acts are kept in either case. */
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { prepareStep, type PreparedStep } from "@runproof/proof/StepRecord";
import type { TraceRecord } from "@runproof/schemas/TraceRecord";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { now } from "../../internal/now.ts";
import { refusable } from "../../internal/refused.ts";
import { blockedError } from "../../logs/BlockedStep.ts";
import type { StepDraft } from "../../logs/StepDraft.ts";
import { DEFAULT_REDACTOR } from "../../logs/WriteRules.ts";
import type { Guard } from "../../policies/Guard.ts";
import type { PlanTrace } from "../../runs/internal/PlanExecution.ts";
import { actsOf, type RecordedAct } from "./Evidence.ts";

type TraceFields = Pick<
  TraceRecord,
  "trace_id" | "capture" | "is_synthetic" | "synthetic_scenario_id"
>;

/** A step as it is recorded, or would be. */
const stepOf = (trace: TraceFields, draft: StepDraft, step_index: number, timestamp: string) => {
  const { decision: _decision, ...told } = draft;
  const { trace_id, capture, is_synthetic, synthetic_scenario_id } = trace;
  return prepareStep(
    { ...told, trace_id, capture, is_synthetic, synthetic_scenario_id, step_index, timestamp },
    { values: "told", redactor: DEFAULT_REDACTOR },
  );
};

/** The acts of a replay, with the very texts that a record of them holds. */
export class ReplayedActs {
  readonly #rows: Array<JsonObject> = [];
  readonly #payloads = new Map<string, string>();

  add(step_index: number, { record, payloads }: PreparedStep): void {
    this.#rows.push({ record });
    for (const [name, payload] of Object.entries(payloads))
      if (payload !== null) this.#payloads.set(`step ${step_index}:${name}`, payload.text);
  }

  get all(): ReadonlyArray<RecordedAct> {
    return actsOf(this.#rows, this.#payloads);
  }
}

/** A trace that keeps its acts beside recording them. */
export const keeping = (trace: PlanTrace, fields: TraceFields, acts: ReplayedActs): PlanTrace => ({
  ...trace,
  record: (draft) =>
    Effect.tap(trace.record(draft), (step_index) =>
      Effect.map(now, (timestamp) =>
        acts.add(step_index, stepOf(fields, draft, step_index, timestamp)),
      ),
    ),
});

/** No trace: steps are decided on as a run's are, and nothing is written. */
export const unrecorded = Effect.fnUntraced(function* (
  guard: Guard,
  fields: TraceFields,
  acts: ReplayedActs,
): Effect.fn.Return<PlanTrace> {
  const started_nanos = yield* Clock.monotonicTimeNanos;
  let steps = 0;
  return {
    takeStep: (step) => step,
    foresee: (call) => Effect.map(guard.foresee(call), ({ ruling }) => ruling?.effect === "block"),
    decide: Effect.fnUntraced(function* (call) {
      const elapsed_ms = Number((yield* Clock.monotonicTimeNanos) - started_nanos) / 1e6;
      const decided = yield* guard.decide(call, { steps, elapsed_ms });
      if (decided.effect === "block") return yield* blockedError(fields.trace_id, steps, decided);
      return decided;
    }),
    record: Effect.fnUntraced(function* (draft) {
      const timestamp = yield* now;
      acts.add(steps, yield* refusable(() => stepOf(fields, draft, steps, timestamp)));
      guard.count(draft);
      return steps++;
    }),
  };
});
