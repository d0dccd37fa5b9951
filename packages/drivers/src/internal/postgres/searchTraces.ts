import { InvalidInput, type DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { TraceFilter, TracePage, TraceSummary } from "../../TraceStore.ts";
import { databaseError } from "./sqlReason.ts";

/** Traces of a page where none is asked for: a screenful or two. */
export const DEFAULT_PAGE = 50;
/** Most traces of a page: an answer that stays under a megabyte. */
export const MAX_PAGE = 500;

type Position = readonly [started_at: string, trace_id: string];

const encodeCursor = (position: Position) =>
  Buffer.from(JSON.stringify(position)).toString("base64url");

const decodeCursor = (cursor: string): Position | InvalidInput => {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value) && value.length === 2 && !Number.isNaN(Date.parse(String(value[0])))) {
      return [String(value[0]), String(value[1])];
    }
  } catch {
    // Told below.
  }
  return new InvalidInput({
    what: "this cursor was not given by a listing",
    where: "cursor",
    remedy: "Pass next_cursor of the page before as it is, or leave it out to start at the newest.",
  });
};

const invalidTime = (where: string, value: string | undefined) =>
  value === undefined || !Number.isNaN(Date.parse(value))
    ? undefined
    : new InvalidInput({
        what: `${JSON.stringify(value)} is not a time`,
        where,
        remedy: "Write RFC 3339, such as 2026-02-10T12:00:00Z.",
      });

const invalidLimit = (limit: number) =>
  Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE
    ? undefined
    : new InvalidInput({
        what: `${limit} is not from 1 to ${MAX_PAGE}`,
        where: "limit",
        remedy: "Ask for fewer; follow next_cursor.",
      });

/** Lists a tenant's traces, newest first. */
export const searchTraces =
  ({ sql, description }: Database["Service"]) =>
  (filter: TraceFilter): Effect.Effect<TracePage, DatabaseError | InvalidInput> =>
    Effect.gen(function* () {
      const limit = filter.limit ?? DEFAULT_PAGE;
      const after = filter.cursor === undefined ? null : decodeCursor(filter.cursor);
      const invalid =
        invalidLimit(limit) ??
        invalidTime("started_from", filter.started_from) ??
        invalidTime("started_before", filter.started_before);
      if (invalid !== undefined) return yield* invalid;
      if (after instanceof InvalidInput) return yield* after;
      const [run_id, status, agent_id] = [
        filter.run_id ?? null,
        filter.status ?? null,
        filter.agent_id ?? null,
      ];
      const [from, before] = [filter.started_from ?? null, filter.started_before ?? null];
      const [skill_id, text] = [filter.skill_id ?? null, filter.text ?? null];
      const [after_start, after_trace] = after ?? [null, null];
      const rows = yield* sql<Omit<TraceSummary, "step_count"> & { readonly step_count: bigint }>`
        select t.trace_id, t.run_id, t.tenant_id, t.agent_id, t.status,
               to_char(t.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
               to_char(t.completed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as completed_at,
               (select count(*) from aos_trace_steps s where s.trace_id = t.trace_id) as step_count,
               t.root_hash, t.is_synthetic
        from aos_traces t
        where t.tenant_id = ${filter.tenant_id}
          and (${run_id}::text is null or t.run_id = ${run_id})
          and (${status}::text is null or t.status = ${status})
          and (${agent_id}::text is null or t.agent_id = ${agent_id})
          and (${from}::text is null or t.started_at >= ${from}::text::timestamptz)
          and (${before}::text is null or t.started_at < ${before}::text::timestamptz)
          and (${after_start}::text is null
               or (t.started_at, t.trace_id) < (${after_start}::text::timestamptz, ${after_trace}::text))
          and (${skill_id}::text is null or exists (
               select from aos_trace_steps s
               where s.trace_id = t.trace_id and ${skill_id} in (s.skill_id, s.skill_name)))
          and (${text}::text is null
               or position(lower(${text}) in lower(concat_ws(' ', t.record, t.plan, t.attributes, t.metadata))) > 0
               or exists (
               select from aos_trace_steps s
               where s.trace_id = t.trace_id
                 and position(lower(${text}) in lower(concat_ws(' ', s.record, s.params, s.outcome_data, s.attributes))) > 0))
        order by t.started_at desc, t.trace_id desc
        limit ${BigInt(limit + 1)}`.pipe(
        Effect.mapError(databaseError("searchTraces", description)),
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
