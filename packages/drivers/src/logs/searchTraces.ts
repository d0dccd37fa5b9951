import { parseJson } from "@runproof/proof/JsonText";
import { normaliseTimestamp, type TimestampInvalid } from "@runproof/proof/Timestamp";
import { InvalidInput, type DatabaseError } from "@runproof/schemas/RunProofError";
import { isTimestamp } from "@runproof/schemas/Timestamp";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError, sqlState } from "../internal/postgres/sqlReason.ts";
import { isStorable } from "../internal/postgres/storableText.ts";
import { timeText } from "../internal/postgres/timeText.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";

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
  /** Where the text that was looked for stands first: `trace`, `seal` or `step 3`; null where none was looked for. */
  readonly matched: string | null;
}

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
  readonly limit?: number | undefined;
  /** `next_cursor` of the page before, as it was given. */
  readonly cursor?: string | undefined;
}

/** One page of a listing, newest first. */
export interface TracePage {
  readonly traces: ReadonlyArray<TraceSummary>;
  readonly next_cursor: string | null;
}

/** Traces of a page where none is asked for: a screenful or two. */
export const DEFAULT_PAGE = 50;
/** Most traces of a page: an answer that stays under a megabyte. */
export const MAX_PAGE = 500;

/** No time, or one out of range. */
const DATETIME_STATES = ["22007", "22008"];

type Position = readonly [started_at: string, trace_id: string];

const encodeCursor = (position: Position) =>
  Buffer.from(JSON.stringify(position)).toString("base64url");

const foreignCursor = () =>
  new InvalidInput({
    what: "this cursor was not given by a listing",
    where: "cursor",
    remedy: "Pass next_cursor of the page before as it is, or leave it out to start at the newest.",
  });

/** A start as a listing gives it: a record's, or what a row was edited to. */
const isStart = (value: unknown): value is string =>
  isStorable(value) && (isTimestamp(value) || /^-?infinity$| BC$/u.test(value));

const decodeCursor = (cursor: string): Position | InvalidInput => {
  try {
    const value: unknown = parseJson(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value) && value.length === 2) {
      const [started_at, trace_id] = value as ReadonlyArray<unknown>;
      if (isStart(started_at) && isStorable(trace_id)) return [started_at, trace_id];
    }
  } catch {
    // Told below.
  }
  return foreignCursor();
};

const timeOf = (where: string, value: string | undefined): string | InvalidInput | null => {
  if (value === undefined) return null;
  try {
    return normaliseTimestamp(value);
  } catch (error) {
    const { what, remedy } = error as TimestampInvalid;
    return new InvalidInput({ what, where, remedy });
  }
};

const invalidText = (filter: TraceFilter) => {
  const found = Object.entries(filter).find(
    ([, value]) => typeof value === "string" && !isStorable(value),
  );
  return found === undefined
    ? undefined
    : new InvalidInput({
        what: "it has a U+0000, which no stored text has",
        where: found[0],
        remedy: "Leave that character out.",
      });
};

const invalidLimit = (limit: number) =>
  Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE
    ? undefined
    : new InvalidInput({
        what: `${limit} is not from 1 to ${MAX_PAGE}`,
        where: "limit",
        remedy: "Ask for fewer; follow next_cursor.",
      });

/** SQL of what a record's text says under a key, as it is escaped there: a row that was edited may hold no JSON at all. */
const wordsOf = (column: string, key: string) =>
  `substring(${column} from '"${key}":"((?:[^"\\\\]|\\\\.)*)"')`;

/** Lists a tenant's traces, newest first. */
export const searchTraces =
  ({ sql, description }: Database["Service"]) =>
  (filter: TraceFilter): Effect.Effect<TracePage, DatabaseError | InvalidInput> =>
    Effect.gen(function* () {
      const limit = filter.limit ?? DEFAULT_PAGE;
      const after = filter.cursor === undefined ? null : decodeCursor(filter.cursor);
      const [from, before] = [
        timeOf("started_from", filter.started_from),
        timeOf("started_before", filter.started_before),
      ];
      const invalid = invalidLimit(limit) ?? invalidText(filter);
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
      // What is searched is JSON text: a quote or a line break stands in it as its escape.
      const escaped = text === null ? null : JSON.stringify(text).slice(1, -1);
      const [after_start, after_trace] = after ?? [null, null];
      const rows = yield* sql<Omit<TraceSummary, "step_count"> & { readonly step_count: bigint }>`
        select t.trace_id, t.run_id, t.tenant_id, t.agent_id, t.status, t.capture,
               ${sql.literal(timeText("t.started_at"))} as started_at,
               ${sql.literal(timeText("t.completed_at"))} as completed_at,
               (select count(*) from ${sql.literal(STEPS)} s where s.trace_id = t.trace_id) as step_count,
               t.root_hash, t.is_synthetic, m.place as matched
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
          and (${text}::text is null or m.place is not null)
        order by t.started_at desc, t.trace_id desc
        limit ${BigInt(limit + 1)}`.pipe(
        Effect.mapError((error) =>
          // The cursor's time is the only one that was not made here.
          DATETIME_STATES.includes(sqlState(error) ?? "")
            ? foreignCursor()
            : databaseError("searchTraces", description)(error),
        ),
      );
      const traces = rows
        .slice(0, limit)
        .map((row) => ({ ...row, step_count: Number(row.step_count) }));
      const last = traces.at(-1);
      return {
        traces,
        next_cursor:
          rows.length > limit && last !== undefined
            ? encodeCursor([last.started_at, last.trace_id])
            : null,
      };
    });
