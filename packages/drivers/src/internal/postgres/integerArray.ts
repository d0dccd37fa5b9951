import * as PgTypes from "@effect/sql-pg/PgTypes";
import * as Result from "effect/Result";

/** A `bigint[]` parameter. */
export const integerArray = (values: ReadonlyArray<number | null>): PgTypes.Parameter =>
  Result.getOrThrow(
    PgTypes.array(
      values.map((value) => (value === null ? null : BigInt(value))),
      PgTypes.OID.int8,
    ),
  );
