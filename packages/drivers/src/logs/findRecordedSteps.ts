import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as PgTypes from "@effect/sql-pg/PgTypes";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** A step as it was recorded, to compare with one that is sent again. A payload that was erased is null. */
export interface RecordedStep {
  readonly step_index: number;
  readonly idempotency_key: string | null;
  readonly record: string;
  readonly link: string;
  readonly params: string | null;
  readonly outcome_data: string | null;
  readonly attributes: string | null;
}

/** Which of a trace's steps: those at some indexes, and those under some keys. */
export interface RecordedStepQuery {
  readonly trace_id: string;
  readonly indexes?: ReadonlyArray<number>;
  readonly keys?: ReadonlyArray<string>;
}

/** Finds steps of an open trace, in the order of their index, as durable as when they were recorded. */
export const findRecordedSteps =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  ({
    trace_id,
    indexes = [],
    keys = [],
  }: RecordedStepQuery): Effect.Effect<ReadonlyArray<RecordedStep>, DatabaseError> =>
    sql<Omit<RecordedStep, "step_index"> & { readonly step_index: bigint }>`
      select step_index, idempotency_key, record, link, params, outcome_data, attributes, runproof_answer_again()
      from aos_trace_steps
      where trace_id = ${trace_id}
        and (step_index = any(${Result.getOrThrow(PgTypes.array(indexes.map(BigInt), PgTypes.OID.int8))})
             or idempotency_key = any(${textArray(keys)}))
      order by step_index`.pipe(
      Effect.map((rows) => rows.map((row) => ({ ...row, step_index: Number(row.step_index) }))),
      Effect.mapError(databaseError("findRecordedSteps", description)),
    );
