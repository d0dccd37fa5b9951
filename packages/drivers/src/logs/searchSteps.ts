import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";
import {
  DATETIME_STATES,
  decodeCursor,
  DEFAULT_PAGE,
  encodeCursor,
  escapedText,
  foreignCursor,
  invalidLimit,
  invalidText,
  MAX_PAGE,
  type Position,
  timeOf,
} from "../internal/postgres/Listing.ts";
import { databaseError, sqlState } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import { isSyntheticOf, type SyntheticFilter } from "./searchTraces.ts";

/** How a call ended; `unknown` is of an intent that no outcome answers. */
export type CallStatus = "success" | "failure" | "retry" | "skipped" | "unknown";

/** What a call was given: `gone` where it was erased or is missing, `unreadable` where a row was edited to no JSON. */
export type CallParams =
  | { readonly state: "present"; readonly value: JsonValue }
  | { readonly state: "absent" | "gone" | "unreadable" };

/** One call in a listing: a step, or the outcome of an intent with what that says was asked for. */
export interface StepSummary {
  readonly trace_id: string;
  readonly run_id: string;
  readonly agent_id: string | null;
  readonly step_index: number;
  readonly intent_index: number | null;
  readonly skill_id: string;
  readonly skill_name: string;
  readonly status: string;
  readonly outcome_category: string;
  readonly outcome_code: string | null;
  /** When it began, or where its source does not say when it was recorded. */
  readonly at: string;
  readonly duration_ms: number | null;
  readonly cost_cents: number | null;
  readonly retry_count: number;
  readonly is_synthetic: boolean;
  readonly synthetic_scenario_id: string | null;
  readonly params: CallParams;
  /** Where the text that was looked for stands first: `params`, `answer`, `attributes` or `step`; null where none was looked for. */
  readonly matched: string | null;
}

/** What a listing of calls is narrowed to. Times are RFC 3339; texts are compared as `TraceFilter` says. */
export interface StepFilter {
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly agent_id?: string | undefined;
  /** Its id or its name. */
  readonly skill_id?: string | undefined;
  /** Any of these; every one where none is given. */
  readonly statuses?: ReadonlyArray<CallStatus> | undefined;
  readonly outcome_code?: string | undefined;
  /** The host of the `url` that the call was given, with its port or without. */
  readonly host?: string | undefined;
  readonly text?: string | undefined;
  /** Only calls of marked runs, or none of them; both where it is left out. */
  readonly synthetic?: SyntheticFilter | undefined;
  /** Only calls of runs marked with this scenario. */
  readonly scenario?: string | undefined;
  readonly from?: string | undefined;
  readonly before?: string | undefined;
  readonly limit?: number | undefined;
  /** `next_cursor` of the page before, as it was given. */
  readonly cursor?: string | undefined;
}

/** One page of a listing of calls, newest first. */
export interface FoundSteps {
  readonly steps: ReadonlyArray<StepSummary>;
  readonly next_cursor: string | null;
}

interface Row extends Omit<StepSummary, "step_index" | "intent_index" | "retry_count" | "params"> {
  readonly step_index: bigint;
  readonly intent_index: bigint | null;
  readonly retry_count: bigint;
  readonly params: string | null;
  readonly is_committed: boolean;
}

const paramsOf = (params: string | null, is_committed: boolean): CallParams => {
  if (params === null) return { state: is_committed ? "gone" : "absent" };
  const value = parseCanonical(params);
  return value === undefined ? { state: "unreadable" } : { state: "present", value };
};

const summaryOf = ({ is_committed, params, ...row }: Row): StepSummary => ({
  ...row,
  params: paramsOf(params, is_committed),
  step_index: Number(row.step_index),
  intent_index: row.intent_index === null ? null : Number(row.intent_index),
  retry_count: Number(row.retry_count),
});

/** Whether a call went to a host. What can't be read may have: it is shown and not left out. */
const wentTo = (host: string, params: CallParams): boolean => {
  if (params.state === "unreadable") return true;
  if (params.state !== "present") return false;
  const { url } = Object(params.value) as { readonly url?: unknown };
  if (typeof url !== "string" || !URL.canParse(url)) return false;
  const { hostname, host: withPort } = new URL(url);
  return host === hostname || host === withPort;
};

/** SQL of when a call began, or where its source does not say when it was recorded. */
const AT = `coalesce(s.started_at, s."timestamp")`;

/** Lists a tenant's calls across runs, newest first. */
export const searchSteps =
  ({ sql, description }: Database["Service"]) =>
  (filter: StepFilter): Effect.Effect<FoundSteps, DatabaseError | InvalidInput> =>
    Effect.gen(function* () {
      const limit = filter.limit ?? DEFAULT_PAGE;
      const start = filter.cursor === undefined ? null : decodeCursor(filter.cursor, "steps");
      const [from, before] = [timeOf("from", filter.from), timeOf("before", filter.before)];
      const invalid = invalidLimit(limit) ?? invalidText(filter);
      if (invalid !== undefined) return yield* invalid;
      if (from instanceof InvalidInput) return yield* from;
      if (before instanceof InvalidInput) return yield* before;
      if (start instanceof InvalidInput) return yield* start;
      const { tenant_id, run_id = null, agent_id = null, skill_id = null } = filter;
      const { outcome_code = null, text = null, scenario = null } = filter;
      const is_synthetic = isSyntheticOf(filter.synthetic);
      const statuses = filter.statuses?.length ? textArray(filter.statuses) : null;
      const host = filter.host?.toLowerCase() ?? null;
      const escaped = text === null ? null : escapedText(text);
      const read = (after: Position | null, rows: number) => {
        const [after_at, after_trace, after_index] = after ?? [null, null, null];
        return sql<Row>`
          select s.trace_id, s.run_id, t.agent_id, s.step_index, s.intent_index, s.skill_id, s.skill_name,
                 case s.status when 'intended' then 'unknown' else s.status end as status,
                 s.outcome_category, s.outcome_code, ${sql.literal(timeText(AT))} as at,
                 s.duration_ms, s.cost_cents, s.retry_count, t.is_synthetic, t.synthetic_scenario_id, asked.params,
                 coalesce(i.params_commitment, s.params_commitment) is not null as is_committed, m.place as matched
          from ${sql.literal(STEPS)} s
          join ${sql.literal(TRACES)} t on t.trace_id = s.trace_id
          left join ${sql.literal(STEPS)} i on i.trace_id = s.trace_id and i.step_index = s.intent_index
          cross join lateral (select coalesce(i.params, s.params) as params) asked
          left join lateral (
            select place from (values
              (1, 'params', asked.params), (2, 'answer', s.outcome_data), (3, 'attributes', s.attributes),
              (4, 'step', concat_ws(' ', s.skill_id, s.skill_name, s.outcome_category, s.outcome_code, s.idempotency_key))
            ) as searched (rank, place, content)
            where position(lower(${text}) in lower(content)) > 0
               or position(lower(${escaped}) in lower(content)) > 0
            order by rank limit 1
          ) m on ${text}::text is not null
          where s.tenant_id = ${tenant_id} and t.tenant_id = ${tenant_id}
            and (s.status <> 'intended' or not exists (
                 select from ${sql.literal(STEPS)} o where o.trace_id = s.trace_id and o.intent_index = s.step_index))
            and (${run_id}::text is null or s.run_id = ${run_id})
            and (${agent_id}::text is null or t.agent_id = ${agent_id})
            and (${skill_id}::text is null or ${skill_id} in (s.skill_id, s.skill_name))
            and (${statuses}::text[] is null
                 or case s.status when 'intended' then 'unknown' else s.status end = any(${statuses}::text[]))
            and (${is_synthetic}::boolean is null or t.is_synthetic = ${is_synthetic})
            and (${scenario}::text is null or t.synthetic_scenario_id = ${scenario})
            and (${outcome_code}::text is null or s.outcome_code = ${outcome_code})
            and (${host}::text is null or position(${host} in lower(asked.params)) > 0)
            and (${text}::text is null or m.place is not null)
            and (${from}::text is null or ${sql.literal(AT)} >= ${from}::text::timestamptz)
            and (${before}::text is null or ${sql.literal(AT)} < ${before}::text::timestamptz)
            and (${after_at}::text is null
                 or (${sql.literal(AT)}, s.trace_id, s.step_index)
                    < (${after_at}::text::timestamptz, ${after_trace}::text, ${after_index === null ? null : BigInt(after_index)}::bigint))
          order by ${sql.literal(AT)} desc, s.trace_id desc, s.step_index desc
          limit ${BigInt(rows)}`;
      };
      const steps: Array<StepSummary> = [];
      // The database knows only whether the host's name stands somewhere in the params: rows are read until a page is full.
      const rows_at_once = host === null ? limit + 1 : MAX_PAGE;
      let after = start;
      let isMore = true;
      while (isMore && steps.length <= limit) {
        const rows: ReadonlyArray<Row> = yield* read(after, rows_at_once);
        for (const row of rows) {
          const summary = summaryOf(row);
          if (host === null || wentTo(host, summary.params)) steps.push(summary);
        }
        const last = rows.at(-1);
        isMore = rows.length === rows_at_once;
        if (last !== undefined) after = [last.at, last.trace_id, Number(last.step_index)];
      }
      const page = steps.slice(0, limit);
      const end = page.at(-1);
      return {
        steps: page,
        next_cursor:
          steps.length > limit && end !== undefined
            ? encodeCursor([end.at, end.trace_id, end.step_index])
            : null,
      };
    }).pipe(
      Effect.mapError((error) => {
        if (error instanceof InvalidInput) return error;
        // The cursor's time is the only one that was not made here.
        return DATETIME_STATES.includes(sqlState(error) ?? "")
          ? foreignCursor()
          : databaseError("searchSteps", description)(error);
      }),
    );
