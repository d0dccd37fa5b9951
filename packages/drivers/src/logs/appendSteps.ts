import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { HEAD_EVERY_MS, HEAD_EVERY_STEPS } from "../EvidenceLimits.ts";
import { unlessForeign } from "./atomically.ts";
import { explainAppend } from "../internal/postgres/explainAppend.ts";
import { traceWriteError } from "../internal/postgres/sqlReason.ts";
import { withinLimit } from "../internal/postgres/withinLimit.ts";
import { payloadArrays } from "../internal/postgres/payloadArrays.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** Steps to add to one open trace, in order, all or none. */
export interface AppendSteps {
  readonly trace_id: string;
  readonly holder: string;
  readonly first_index: number;
  readonly steps: ReadonlyArray<PreparedStep>;
}

/** Sends the steps. Answers the last one's link, or null where the trace did not take them. */
const sendSteps =
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

/** Appends steps to one open trace, all or none, in one round trip; answers the link after the last. */
export const appendSteps = (database: Database["Service"]) => {
  const send = sendSteps(database);
  const explain = explainAppend(database);
  const owned = unlessForeign(database);
  return (input: AppendSteps): Effect.Effect<string, TraceWriteError | InvalidInput> => {
    const { trace_id, holder, first_index, steps } = input;
    const last = steps.length - 1;
    return owned(
      withinLimit(steps.length, `trace ${trace_id}`).pipe(
        Effect.flatMap(() => send(input)),
        Effect.mapError((error) =>
          isSqlError(error)
            ? traceWriteError("appendSteps", database.description, trace_id)(error)
            : error,
        ),
        Effect.flatMap((link) =>
          link === null
            ? explain(
                {
                  trace_id,
                  holder,
                  first_index,
                  step_index: first_index + last,
                  step: steps[last]!,
                },
                send(input),
              )
            : Effect.succeed(link),
        ),
      ),
    );
  };
};
