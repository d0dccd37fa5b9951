import * as Effect from "effect/Effect";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../../Database.ts";
import { HEAD_EVERY_MS, HEAD_EVERY_STEPS } from "../../EvidenceLimits.ts";
import type { AppendSteps } from "../../TraceStore.ts";
import { payloadArrays } from "./payloadArrays.ts";
import { textArray } from "./textArray.ts";

/** Appends steps to an open trace, all or none. Answers the last one's link, or null where the trace did not take them. */
export const appendSteps =
  ({ write: sql }: Pick<Database["Service"], "write">) =>
  ({
    trace_id,
    holder,
    first_index,
    steps,
  }: AppendSteps): Effect.Effect<string | null, SqlError> => {
    const { params, outcome_data, attributes } = payloadArrays(steps);
    return sql<{ link: string }>`
      select link
      from runproof_append_steps(
        ${trace_id}, ${holder}, ${BigInt(first_index)},
        ${textArray(steps.map((step) => step.record))},
        ${params.texts}, ${params.salts}, ${outcome_data.texts}, ${outcome_data.salts},
        ${attributes.texts}, ${attributes.salts},
        ${BigInt(HEAD_EVERY_STEPS)}, ${BigInt(HEAD_EVERY_MS)}
      )`.pipe(Effect.map(([row]) => row?.link ?? null));
  };
