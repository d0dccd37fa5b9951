import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import type { RunName } from "../logs/readRun.ts";

/** An incident of a run, with what was prevented and which limit was hit, as far as there is such. */
export interface Incident {
  readonly incident_id: number;
  readonly kind: "policy_violation" | "limit_breach";
  readonly step_index: number | null;
  readonly summary: string;
  readonly occurred_at: string;
  readonly prevented: { readonly policy_version: number | null; readonly rule: string } | null;
  readonly limit: {
    readonly kind: string;
    readonly value: number;
    readonly observed: number;
  } | null;
}

interface IncidentRow {
  readonly incident_id: bigint;
  readonly kind: Incident["kind"];
  readonly step_index: bigint | null;
  readonly summary: string;
  readonly occurred_at: string;
  readonly policy_version: bigint | null;
  readonly rule: string | null;
  readonly limit_kind: string | null;
  readonly limit_value: number | null;
  readonly observed: number | null;
}

const integer = (value: bigint | null): number | null => (value === null ? null : Number(value));

const incident = (row: IncidentRow): Incident => ({
  incident_id: Number(row.incident_id),
  kind: row.kind,
  step_index: integer(row.step_index),
  summary: row.summary,
  occurred_at: row.occurred_at,
  prevented:
    row.rule === null ? null : { policy_version: integer(row.policy_version), rule: row.rule },
  limit:
    row.limit_kind === null
      ? null
      : { kind: row.limit_kind, value: row.limit_value!, observed: row.observed! },
});

/** Reads the incidents of one run, in the order they came. */
export const readIncidents =
  ({ sql, description }: Database["Service"]) =>
  ({ tenant_id, run_id }: RunName): Effect.Effect<ReadonlyArray<Incident>, DatabaseError> =>
    sql<IncidentRow>`
      select i.incident_id, i.kind, i.step_index, i.summary, ${sql.literal(timeText("i.occurred_at"))} as occurred_at,
             p.policy_version, p.rule, b.kind as limit_kind, b.value as limit_value, b.observed
      from aos_incidents i
      left join aos_prevention_records p on p.incident_id = i.incident_id
      left join aos_limit_breaches b on b.incident_id = i.incident_id
      where i.tenant_id = ${tenant_id} and i.run_id = ${run_id}
      order by i.incident_id`.pipe(
      Effect.map((rows) => rows.map(incident)),
      Effect.mapError(databaseError("readIncidents", description)),
    );
