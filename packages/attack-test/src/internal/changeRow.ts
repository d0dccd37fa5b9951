import type { JsonObject } from "@runproof/proof/CanonicalJson";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { EvidenceTable } from "./EvidenceTable.ts";

/** One change of the rows of a table; columns that `where` does not name may be anything. */
export type Change =
  | { readonly update: EvidenceTable; readonly where: JsonObject; readonly set: JsonObject }
  | { readonly delete: EvidenceTable; readonly where: JsonObject }
  | { readonly insert: EvidenceTable; readonly row: JsonObject };

const rowOf = (sql: SqlClient, table: EvidenceTable, row: JsonObject) =>
  sql`jsonb_populate_record(null::${sql(table)}, ${JSON.stringify(row)}::jsonb)`;

const matches = (sql: SqlClient, where: JsonObject) =>
  sql.and(Object.keys(where).map((column) => sql`t.${sql(column)} = w.${sql(column)}`));

/** Makes one change. */
export const changeRow = (sql: SqlClient, change: Change): Effect.Effect<void, SqlError> => {
  if ("insert" in change) {
    const table = sql(change.insert);
    return Effect.asVoid(
      sql`insert into ${table} overriding system value select * from ${rowOf(sql, change.insert, change.row)}`,
    );
  }
  if ("delete" in change) {
    const table = change.delete;
    return Effect.asVoid(
      sql`delete from ${sql(table)} t using ${rowOf(sql, table, change.where)} as w where ${matches(sql, change.where)}`,
    );
  }
  const table = change.update;
  const columns = Object.keys(change.set).map((column) => sql`${sql(column)} = r.${sql(column)}`);
  return Effect.asVoid(
    sql`update ${sql(table)} t set ${sql.csv(columns)}
        from ${rowOf(sql, table, change.set)} as r, ${rowOf(sql, table, change.where)} as w
        where ${matches(sql, change.where)}`,
  );
};
