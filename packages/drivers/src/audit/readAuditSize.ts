import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";

/** How much there is, for a progress bar; estimates are fine. */
export interface AuditSize {
  readonly traces: number;
  readonly steps: number;
  readonly entries: number;
}

/** Counts traces, steps and entries. */
export const readAuditSize = (sql: SqlClient): Effect.Effect<AuditSize, SqlError> =>
  sql<{ traces: bigint; steps: bigint; entries: bigint }>`
    select (select count(*) from ${sql.literal(TRACES)} t) as traces,
           (select count(*) from ${sql.literal(STEPS)} s) as steps,
           (select count(*) from aos_log_entries) as entries`.pipe(
    Effect.map(([row]) => ({
      traces: Number(row!.traces),
      steps: Number(row!.steps),
      entries: Number(row!.entries),
    })),
  );
