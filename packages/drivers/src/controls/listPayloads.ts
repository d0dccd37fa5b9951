import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** A payload that is there. */
export interface PayloadName {
  readonly run_id: string;
  readonly trace_id: string;
  /** Whether its run is sealed: until then nothing of it is erased. */
  readonly is_sealed: boolean;
  /** As an erasure names it: `trace:plan`, `seal:metadata`, `step 3:params`. */
  readonly payload: string;
}

/** Which payloads: of one run, or those that hold a text, without case as far as the database's locale knows one. */
export interface PayloadFilter {
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly matching?: string | undefined;
}

/** Lists payloads of a tenant that are there, in the archive too, by run and place. */
export const listPayloads =
  ({ sql, description }: Database["Service"]) =>
  ({
    tenant_id,
    run_id,
    matching,
  }: PayloadFilter): Effect.Effect<ReadonlyArray<PayloadName>, DatabaseError> => {
    // What is searched is JSON text: a quote or a line break stands in it as its escape.
    const escaped = matching === undefined ? null : JSON.stringify(matching).slice(1, -1);
    return sql<PayloadName>`
      with chosen as (
        select * from ${sql.literal(TRACES)} t
        where tenant_id = ${tenant_id} and (${run_id ?? null}::text is null or run_id = ${run_id ?? null})
      )
      select p.run_id, p.trace_id, p.is_sealed, p.payload
      from (
        select t.run_id, t.trace_id, t.seal_record is not null as is_sealed, -1::bigint as place, of_trace.payload, of_trace.content
        from chosen t, lateral (values ('trace:plan', t.plan), ('trace:attributes', t.attributes), ('seal:metadata', t.metadata)) as of_trace(payload, content)
        union all
        select t.run_id, t.trace_id, t.seal_record is not null, s.step_index, 'step ' || s.step_index || ':' || of_step.field, of_step.content
        from chosen t join ${sql.literal(STEPS)} s on s.trace_id = t.trace_id,
             lateral (values ('params', s.params), ('outcome_data', s.outcome_data), ('attributes', s.attributes)) as of_step(field, content)
      ) as p
      where p.content is not null
        and (${escaped}::text is null or position(lower(${escaped}) in lower(p.content)) > 0)
      order by p.run_id, p.trace_id, p.place, p.payload`.pipe(
      Effect.mapError(databaseError("listPayloads", description)),
    );
  };
