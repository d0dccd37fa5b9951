import { InvalidInput, type DatabaseError } from "@runproof/schemas/RunProofError";
import { parseCanonical } from "@runproof/proof/JsonText";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import {
  DATETIME_STATES,
  decodeCursor,
  DEFAULT_PAGE,
  encodeCursor,
  escapedText,
  foreignCursor,
  invalidLimit,
  invalidText,
  timeOf,
} from "../internal/postgres/Listing.ts";
import { databaseError, sqlState } from "../internal/postgres/sqlReason.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";

/** The newest step of a trace. */
export interface LastStep {
  readonly step_index: number;
  readonly skill_name: string;
  readonly status: string;
  readonly outcome_code: string | null;
}

/** How long an open trace has recorded nothing, and what is left of its lease. */
export interface OpenState {
  /** Null where the time of its newest step can't be reckoned with. */
  readonly quiet_ms: number | null;
  /** Below zero once the lease is over; null where there is none. */
  readonly lease_left_ms: number | null;
}

/** One trace in a listing. */
export interface TraceSummary {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly agent_id: string | null;
  readonly status: string;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly capture: string;
  readonly step_count: number;
  readonly root_hash: string | null;
  readonly is_synthetic: boolean;
  readonly synthetic_scenario_id: string | null;
  /** How long ago it started, by the database's clock; null where its start is no time that can be reckoned with. */
  readonly age_ms: number | null;
  /** What its seal says of why it ended so. */
  readonly reason: string | null;
  /** What its seal's metadata says beside the reason, while it is there. */
  readonly detail: string | null;
  /** Its newest step; null where it has none. */
  readonly last_step: LastStep | null;
  /** How an open trace stands, by the database's clock; null once it is sealed. */
  readonly open: OpenState | null;
  /** Where the text that was looked for stands first: `trace`, `seal` or `step 3`; null where none was looked for. */
  readonly matched: string | null;
}

/** Which runs a listing shows by their SDSR mark. */
export type SyntheticFilter = "only" | "none";

/**
 * What a listing is narrowed to. Times are RFC 3339. `text` is looked for in payloads and in what records say in words, not in their hashes, without case as far as
 * the database's locale knows one.
 */
export interface TraceFilter {
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly status?: "running" | "completed" | "failed" | "aborted" | undefined;
  readonly agent_id?: string | undefined;
  readonly started_from?: string | undefined;
  readonly started_before?: string | undefined;
  readonly skill_id?: string | undefined;
  readonly text?: string | undefined;
  /** Only marked runs, or none of them; both where it is left out. */
  readonly synthetic?: SyntheticFilter | undefined;
  /** Only runs marked with this scenario. */
  readonly scenario?: string | undefined;
  /** Only open traces whose lease is over or gone, or that recorded nothing for this long. */
  readonly stuck_after_ms?: number | undefined;
  readonly limit?: number | undefined;
  /** `next_cursor` of the page before, as it was given. */
  readonly cursor?: string | undefined;
}

/** One page of a listing, newest first. */
export interface TracePage {
  readonly traces: ReadonlyArray<TraceSummary>;
  readonly next_cursor: string | null;
}

/** SQL of what a record's text says under a key, as it is escaped there: a row that was edited may hold no JSON at all. */
const wordsOf = (column: string, key: string) =>
  `substring(${column} from '"${key}":"((?:[^"\\\\]|\\\\.)*)"')`;

/** SQL of when an open trace last recorded something. */
const lastActivity = (trace: string) =>
  `coalesce((select s."timestamp" from aos_trace_steps s where s.trace_id = ${trace}.trace_id order by s.step_index desc limit 1), ${trace}.created_at)`;

/** SQL of the milliseconds since a time; null of what is none, which can't be subtracted on every server. */
const millisecondsSince = (time: string) =>
  `(case when isfinite(${time}) then extract(epoch from clock_timestamp() - ${time})::float8 * 1000 end)`;

interface Row
  extends Omit<TraceSummary, "step_count" | "last_step" | "open" | "detail">, OpenState {
  readonly step_count: bigint;
  readonly step_index: bigint | null;
  readonly skill_name: string;
  readonly step_status: string;
  readonly metadata: string | null;
  readonly outcome_code: string | null;
}

const invalidSpan = (stuck_after_ms: number | undefined) =>
  stuck_after_ms === undefined || (Number.isSafeInteger(stuck_after_ms) && stuck_after_ms >= 0)
    ? undefined
    : new InvalidInput({
        what: `${stuck_after_ms} is no whole number of milliseconds`,
        where: "stuck_after_ms",
        remedy: "Give 0 or more.",
      });

/** The mark that a filter asks for; null where it asks for none. */
export const isSyntheticOf = (synthetic: SyntheticFilter | undefined): boolean | null =>
  synthetic === undefined ? null : synthetic === "only";

/** A detail of a row that was edited to no JSON is none. */
const detailOf = (metadata: string | null): string | null => {
  const { detail } = Object(metadata === null ? null : parseCanonical(metadata)) as {
    readonly detail?: unknown;
  };
  return typeof detail === "string" ? detail : null;
};

const summaryOf = ({
  metadata,
  step_count,
  step_index,
  skill_name,
  step_status,
  outcome_code,
  quiet_ms,
  lease_left_ms,
  ...trace
}: Row): TraceSummary => ({
  ...trace,
  step_count: Number(step_count),
  detail: detailOf(metadata),
  last_step:
    step_index === null
      ? null
      : { step_index: Number(step_index), skill_name, status: step_status, outcome_code },
  open: trace.status === "running" ? { quiet_ms, lease_left_ms } : null,
});

/** Lists a tenant's traces, newest first. */
export const searchTraces =
  ({ sql, description }: Database["Service"]) =>
  (filter: TraceFilter): Effect.Effect<TracePage, DatabaseError | InvalidInput> =>
    Effect.gen(function* () {
      const limit = filter.limit ?? DEFAULT_PAGE;
      const after = filter.cursor === undefined ? null : decodeCursor(filter.cursor, "traces");
      const [from, before] = [
        timeOf("started_from", filter.started_from),
        timeOf("started_before", filter.started_before),
      ];
      const invalid =
        invalidLimit(limit) ?? invalidText(filter) ?? invalidSpan(filter.stuck_after_ms);
      if (invalid !== undefined) return yield* invalid;
      if (from instanceof InvalidInput) return yield* from;
      if (before instanceof InvalidInput) return yield* before;
      if (after instanceof InvalidInput) return yield* after;
      const [run_id, status, agent_id] = [
        filter.run_id ?? null,
        filter.status ?? null,
        filter.agent_id ?? null,
      ];
      const [skill_id, text] = [filter.skill_id ?? null, filter.text ?? null];
      const { scenario = null } = filter;
      const is_synthetic = isSyntheticOf(filter.synthetic);
      const escaped = text === null ? null : escapedText(text);
      const stuck_ms = filter.stuck_after_ms === undefined ? null : BigInt(filter.stuck_after_ms);
      const [after_start, after_trace] = after ?? [null, null];
      const rows = yield* sql<Row>`
        with page as (
        select t.*, m.place
        from ${sql.literal(TRACES)} t
        left join lateral (
          select place from (
            select 'trace' as place, -1 as position,
                   concat_ws(' ', t.run_id, t.agent_id, ${sql.literal(wordsOf("t.record", "correlation_id"))}, ${sql.literal(wordsOf("t.record", "origin_system_id"))},
                             ${sql.literal(wordsOf("t.record", "incident_id"))}, ${sql.literal(wordsOf("t.record", "replay_of"))}, t.plan, t.attributes) as content
            union all
            select 'step ' || s.step_index, s.step_index,
                   concat_ws(' ', s.skill_id, s.skill_name, s.status, s.outcome_category, s.outcome_code, s.idempotency_key,
                             s.params, s.outcome_data, s.attributes)
            from ${sql.literal(STEPS)} s where s.trace_id = t.trace_id
            union all
            select 'seal', 9007199254740991, concat_ws(' ', ${sql.literal(wordsOf("t.seal_record", "reason"))}, t.metadata)
          ) as searched
          where position(lower(${text}) in lower(content)) > 0
             or position(lower(${escaped}) in lower(content)) > 0
          order by position limit 1
        ) m on ${text}::text is not null
        where t.tenant_id = ${filter.tenant_id}
          and (${run_id}::text is null or t.run_id = ${run_id})
          and (${status}::text is null or t.status = ${status})
          and (${agent_id}::text is null or t.agent_id = ${agent_id})
          and (${from}::text is null or t.started_at >= ${from}::text::timestamptz)
          and (${before}::text is null or t.started_at < ${before}::text::timestamptz)
          and (${after_start}::text is null
               or (t.started_at, t.trace_id) < (${after_start}::text::timestamptz, ${after_trace}::text))
          and (${skill_id}::text is null or exists (
               select from ${sql.literal(STEPS)} s
               where s.trace_id = t.trace_id and ${skill_id} in (s.skill_id, s.skill_name)))
          and (${is_synthetic}::boolean is null or t.is_synthetic = ${is_synthetic})
          and (${scenario}::text is null or t.synthetic_scenario_id = ${scenario})
          and (${text}::text is null or m.place is not null)
          and (${stuck_ms}::bigint is null
               or t.status = 'running' and not exists (
                    select from aos_trace_leases l
                    where l.trace_id = t.trace_id and l.expires_at > clock_timestamp()
                      and ${sql.literal(lastActivity("t"))} > clock_timestamp() - ${stuck_ms} * interval '1 millisecond'))
        order by t.started_at desc, t.trace_id desc
        limit ${BigInt(limit + 1)}
        )
        select t.trace_id, t.run_id, t.tenant_id, t.agent_id, t.status, t.capture,
               ${sql.literal(timeText("t.started_at"))} as started_at,
               ${sql.literal(timeText("t.completed_at"))} as completed_at,
               (select count(*) from ${sql.literal(STEPS)} s where s.trace_id = t.trace_id) as step_count,
               t.root_hash, t.is_synthetic, t.synthetic_scenario_id, t.reason, t.metadata, t.place as matched,
               l.step_index, l.skill_name, l.status as step_status, l.outcome_code,
               ${sql.literal(millisecondsSince("t.started_at"))} as age_ms,
               ${sql.literal(millisecondsSince(lastActivity("t")))} as quiet_ms,
               -${sql.literal(millisecondsSince("e.expires_at"))} as lease_left_ms
        from page t
        left join lateral (
          select s.step_index, s.skill_name, s.status, s.outcome_code
          from ${sql.literal(STEPS)} s where s.trace_id = t.trace_id order by s.step_index desc limit 1
        ) l on true
        left join aos_trace_leases e on e.trace_id = t.trace_id
        order by t.started_at desc, t.trace_id desc`.pipe(
        Effect.mapError((error) =>
          // The cursor's time is the only one that was not made here.
          DATETIME_STATES.includes(sqlState(error) ?? "")
            ? foreignCursor()
            : databaseError("searchTraces", description)(error),
        ),
      );
      const traces = rows.slice(0, limit).map(summaryOf);
      const last = traces.at(-1);
      return {
        traces,
        next_cursor:
          rows.length > limit && last !== undefined
            ? encodeCursor([last.started_at, last.trace_id, null])
            : null,
      };
    });
