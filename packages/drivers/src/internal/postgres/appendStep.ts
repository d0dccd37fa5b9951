import * as PgTypes from "@effect/sql-pg/PgTypes";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../../Database.ts";
import { HEAD_EVERY_MS, HEAD_EVERY_STEPS } from "../../EvidenceLimits.ts";
import type { AppendStep } from "../../TraceStore.ts";
import { payloadArrays } from "./payloadArrays.ts";
import { textArray } from "./textArray.ts";

const integerArray = (values: ReadonlyArray<number>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values.map(BigInt), PgTypes.OID.int8));

/**
 * Appends a step to each of many open traces, in one statement and one commit. Answers each one's link, or null where its
 * trace did not take it.
 */
export const appendStep =
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
