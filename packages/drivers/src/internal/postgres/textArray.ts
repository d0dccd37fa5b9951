import * as PgTypes from "@effect/sql-pg/PgTypes";
import * as Result from "effect/Result";

/** A `text[]` parameter; the driver can't tell the type of one that holds only nulls. */
export const textArray = (values: ReadonlyArray<string | null>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text));
