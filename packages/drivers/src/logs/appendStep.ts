import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { DatabaseError, InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { HEAD_EVERY_MS, HEAD_EVERY_STEPS } from "../EvidenceLimits.ts";
import { unlessForeign } from "./atomically.ts";
import { explainAppend } from "../internal/postgres/explainAppend.ts";
import { traceWriteError } from "../internal/postgres/sqlReason.ts";
import { withinLimit } from "../internal/postgres/withinLimit.ts";
import { integerArray } from "../internal/postgres/integerArray.ts";
import { payloadArrays } from "../internal/postgres/payloadArrays.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** A step to add to an open trace, at its next index. Anybody but the holder of its lease meets `LeaseLost`. */
export interface AppendStep {
  readonly trace_id: string;
  readonly holder: string;
  readonly step_index: number;
  readonly step: PreparedStep;
}

type Answer = Result.Result<string, TraceWriteError | InvalidInput>;

/** Whether an error says something of one item, and nothing of the others. */
const isOfOneItem = (error: TraceWriteError | InvalidInput): boolean =>
  error._tag === "InvalidInput" ||
  error._tag === "ImmutabilityViolation" ||
  error._tag === "ChainMoved" ||
  error._tag === "TraceSealed" ||
  error._tag === "TraceNotFound" ||
  error._tag === "LeaseLost";

/** Sends a step of each of many open traces. Answers each one's link, or null where its trace did not take it. */
const sendSteps =
  ({ write: sql }: Pick<Database["Service"], "write">) =>
  (items: ReadonlyArray<AppendStep>): Effect.Effect<ReadonlyArray<string | null>, SqlError> => {
    const { params, outcome_data, attributes } = payloadArrays(items.map(({ step }) => step));
    return sql<{ ordinal: bigint; link: string }>`
      select ordinal, link
      from runproof_append_step(
        ${textArray(items.map(({ trace_id }) => trace_id))}, ${textArray(items.map(({ holder }) => holder))},
        ${integerArray(items.map(({ step_index }) => step_index))},
        ${textArray(items.map(({ step }) => step.record))},
        ${params.texts}, ${params.salts}, ${outcome_data.texts}, ${outcome_data.salts},
        ${attributes.texts}, ${attributes.salts},
        ${BigInt(HEAD_EVERY_STEPS)}, ${BigInt(HEAD_EVERY_MS)}
      )`.pipe(
      Effect.map((rows) => {
        const links = items.map((): string | null => null);
        for (const { ordinal, link } of rows) links[Number(ordinal) - 1] = link;
        return links;
      }),
    );
  };

/**
 * Appends a step to each of many open traces, no two of one trace, in one statement and one commit. Each gets its own
 * answer: the link after it, also where the very step is there already, or why it was refused.
 */
export const appendStep = (database: Database["Service"]) => {
  const send = sendSteps(database);
  const explain = explainAppend(database);
  const explained = (link: string | null, item: AppendStep) =>
    link === null
      ? Effect.result(
          explain(
            { ...item, first_index: item.step_index },
            Effect.map(send([item]), ([again]) => again!),
          ),
        )
      : Effect.succeed(Result.succeed(link) as Answer);
  /** Only what a whole statement meets fails; what one item meets is that item's answer. */
  const sent = (
    items: ReadonlyArray<AppendStep>,
  ): Effect.Effect<ReadonlyArray<Answer>, DatabaseError> =>
    send(items).pipe(
      Effect.mapError(traceWriteError("appendStep", database.description, items[0]!.trace_id)),
      Effect.flatMap((links) =>
        links.includes(null)
          ? Effect.forEach(links, (link, at) => explained(link, items[at]!))
          : Effect.succeed(links.map((link): Answer => Result.succeed(link!))),
      ),
      Effect.catch((error) => {
        if (!isOfOneItem(error)) return Effect.fail(error as DatabaseError);
        if (items.length === 1) return Effect.succeed([Result.fail(error) as Answer]);
        // One that is refused must not take the others with it.
        return Effect.map(
          Effect.forEach(items, (item) => sent([item])),
          (answers) => answers.flat(),
        );
      }),
    );
  const owned = unlessForeign(database);
  return (
    items: ReadonlyArray<AppendStep>,
  ): Effect.Effect<ReadonlyArray<Answer>, DatabaseError | InvalidInput> =>
    owned(Effect.flatMap(withinLimit(items.length, "append"), () => sent(items)));
};
