import { parseJson } from "@runproof/proof/JsonText";
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { type EvidenceTable, keysOf } from "./EvidenceTable.ts";

/** Reads all rows of a table in the order of its key, as JSON has them: none is large here. */
export const readRows = (
  sql: SqlClient,
  table: EvidenceTable,
): Effect.Effect<ReadonlyArray<JsonObject>, SqlError> =>
  sql<{ row: string }>`
    select to_jsonb(t)::text as row from ${sql(table)} t order by ${sql.literal(keysOf[table].join(", "))}`.pipe(
    Effect.map((rows) => rows.map(({ row }) => parseJson(row) as JsonObject)),
  );
