import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../../Database.ts";
import { traceWriteError } from "./sqlReason.ts";

/** The last of some steps, with the index of the first. */
interface UntakenStep {
  readonly trace_id: string;
  readonly holder: string;
  readonly first_index: number;
  readonly step_index: number;
  readonly step: Pick<PreparedStep, "leaf_hash">;
}

/**
 * Says why a trace did not take a step, or some from `first_index` to that one; or answers the link, where they are there
 * already from an earlier try. Where nothing speaks against them any more, as after a clock that was set back over the end of
 * their lease, they are sent again: once.
 */
export const explainAppend =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  (
    { trace_id, holder, first_index, step_index, step }: UntakenStep,
    again: Effect.Effect<string | null, SqlError>,
  ): Effect.Effect<string, TraceWriteError | InvalidInput> => {
    const mapped = Effect.mapError(traceWriteError("appendStep", description, trace_id));
    const why = sql<{ link: string }>`
      select runproof_explain_append(${trace_id}, ${holder}, ${BigInt(first_index)}, ${BigInt(step_index)}, ${step.leaf_hash}) as link`.pipe(
      Effect.map(([row]) => row!.link),
      mapped,
    );
    return Effect.catchTag(why, "InvalidInput", (error) =>
      Effect.flatMap(mapped(again), (link) =>
        link === null ? Effect.fail(error) : Effect.succeed(link),
      ),
    );
  };
