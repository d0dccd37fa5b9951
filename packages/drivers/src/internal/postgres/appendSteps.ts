import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { RecordSteps, TraceHead } from "../../TraceStore.ts";
import { traceWriteError } from "./sqlReason.ts";
import { textArray } from "./textArray.ts";

const texts = (steps: ReadonlyArray<PreparedStep>, name: keyof PreparedStep["payloads"]) =>
  steps.map((step) => step.payloads[name]?.text ?? null);

const salts = (steps: ReadonlyArray<PreparedStep>, name: keyof PreparedStep["payloads"]) =>
  steps.map((step) => step.payloads[name]?.salt ?? null);

/** Appends steps to an open trace in one round trip, all or none. */
export const appendSteps =
  ({ sql, description }: Database["Service"]) =>
  ({
    trace_id,
    holder,
    steps,
    expected,
  }: RecordSteps): Effect.Effect<TraceHead, TraceWriteError | InvalidInput> =>
    sql<{ next_index: bigint; link: string }>`
      select first_index + ${BigInt(steps.length)}::bigint as next_index, link
      from runproof_append_steps(
        ${trace_id},
        ${textArray(steps.map((step) => step.before_index))}, ${textArray(steps.map((step) => step.after_index))},
        ${textArray(texts(steps, "params"))}, ${textArray(salts(steps, "params"))},
        ${textArray(texts(steps, "outcome_data"))}, ${textArray(salts(steps, "outcome_data"))},
        ${textArray(texts(steps, "attributes"))}, ${textArray(salts(steps, "attributes"))},
        ${expected === undefined ? null : BigInt(expected.next_index)}, ${expected?.link ?? null},
        ${holder}
      )`.pipe(
      Effect.map(([row]) => ({ trace_id, next_index: Number(row!.next_index), link: row!.link })),
      Effect.mapError(traceWriteError("appendSteps", description, trace_id)),
    );
