import { type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";
import { invalidText, timeOf } from "../internal/postgres/Listing.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** What runs can be counted by. A run counts on the day, in UTC, on which it began. */
export type StatsKey = "day" | "tenant" | "agent" | "skill";

/** What is counted, and by what. Times are RFC 3339; without a tenant it is every one. */
export interface StatsFilter {
  readonly by: ReadonlyArray<StatsKey>;
  readonly tenant_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly from?: string | undefined;
  readonly before?: string | undefined;
}

/** The figures of some runs and their calls: an intent with its outcome is one call. */
export interface Figures {
  readonly runs: number;
  /** Of these, sealed as failed or aborted. */
  readonly runs_failed: number;
  /** Of these, without a seal. */
  readonly runs_open: number;
  readonly steps: number;
  /** Calls that failed for good. */
  readonly failures: number;
  /** Attempts that failed and were made again. */
  readonly retries: number;
  /** Intents that no outcome answers. */
  readonly unknown: number;
  /** Null where no call says what it cost. */
  readonly cost_cents: number | null;
  /** How long calls took, of those that say so; null where none does. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
}

/** The figures of one group: by each key that was asked for, null where a run has none. */
export interface StatsGroup extends Figures {
  readonly key: Readonly<Partial<Record<StatsKey, string | null>>>;
}

/** Groups in the order of their keys, days newest first, and all of them together. */
export interface StatsPart {
  readonly groups: ReadonlyArray<StatsGroup>;
  /** Null where there is no run. */
  readonly total: Figures | null;
}

/** What was counted: runs that are synthetic stand apart, and count in no other figure. */
export interface Stats extends StatsPart {
  readonly synthetic: StatsPart;
}

/** Most groups of one answer: a person reads fewer, and a program asks for a shorter time. */
export const GROUPS_MAX = 10_000;

/** SQL of each key. A start that is no time has no day. */
const expressions: Readonly<Record<StatsKey, string>> = {
  day: `case when isfinite(t.started_at) then to_char(t.started_at at time zone 'UTC', 'YYYY-MM-DD') end`,
  tenant: "t.tenant_id",
  agent: "t.agent_id",
  skill: "s.skill_id",
};

interface Row extends Readonly<Partial<Record<StatsKey, string | null>>> {
  readonly is_synthetic: boolean;
  readonly is_total: boolean;
  readonly runs: bigint;
  readonly runs_failed: bigint;
  readonly runs_open: bigint;
  readonly steps: bigint;
  readonly failures: bigint;
  readonly retries: bigint;
  readonly unknown: bigint;
  readonly cost_cents: number | null;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
}

const figuresOf = (row: Row): Figures => ({
  runs: Number(row.runs),
  runs_failed: Number(row.runs_failed),
  runs_open: Number(row.runs_open),
  steps: Number(row.steps),
  failures: Number(row.failures),
  retries: Number(row.retries),
  unknown: Number(row.unknown),
  cost_cents: row.cost_cents,
  p50_ms: row.p50_ms,
  p95_ms: row.p95_ms,
});

const partOf = (rows: ReadonlyArray<Row>, by: ReadonlyArray<StatsKey>): StatsPart => {
  const total = rows.find(({ is_total }) => is_total);
  return {
    groups: rows
      .filter(({ is_total }) => !is_total)
      .map((row) => ({
        key: Object.fromEntries(by.map((key) => [key, row[key] ?? null])),
        ...figuresOf(row),
      })),
    total: total === undefined ? null : figuresOf(total),
  };
};

/** Counts runs and their calls, archived ones included. */
export const readStats =
  ({ sql, description }: Database["Service"]) =>
  (filter: StatsFilter): Effect.Effect<Stats, DatabaseError | InvalidInput> =>
    Effect.gen(function* () {
      const by = [...new Set(filter.by)];
      const [from, before] = [timeOf("from", filter.from), timeOf("before", filter.before)];
      const invalid = invalidText(filter);
      if (invalid !== undefined) return yield* invalid;
      if (from instanceof InvalidInput) return yield* from;
      if (before instanceof InvalidInput) return yield* before;
      if (by.length === 0) {
        return yield* new InvalidInput({
          what: "nothing to count by",
          where: "by",
          remedy: "Give at least one of day, tenant, agent and skill.",
        });
      }
      const { tenant_id = null, agent_id = null } = filter;
      const keys = by.map((key) => expressions[key]);
      const named = by.map((key, at) => `${keys[at]} as "${key}"`).join(", ");
      const order = by.map((key, at) => `${keys[at]} ${key === "day" ? "desc" : "asc"} nulls last`);
      const rows = yield* sql<Row>`
        select t.is_synthetic, grouping(${sql.literal(keys[0]!)}) = 1 as is_total, ${sql.literal(named)},
               count(distinct t.trace_id) as runs,
               count(distinct t.trace_id) filter (where t.status in ('failed', 'aborted')) as runs_failed,
               count(distinct t.trace_id) filter (where t.status = 'running') as runs_open,
               count(s.trace_id) as steps,
               count(*) filter (where s.status = 'failure') as failures,
               count(*) filter (where s.status = 'retry') as retries,
               count(*) filter (where s.status = 'intended') as unknown,
               sum(s.cost_cents) as cost_cents,
               percentile_cont(0.5) within group (order by s.duration_ms) as p50_ms,
               percentile_cont(0.95) within group (order by s.duration_ms) as p95_ms
        from ${sql.literal(TRACES)} t
        left join ${sql.literal(STEPS)} s on s.trace_id = t.trace_id
          and (s.status <> 'intended' or not exists (
               select from ${sql.literal(STEPS)} o where o.trace_id = s.trace_id and o.intent_index = s.step_index))
        where (${tenant_id}::text is null or t.tenant_id = ${tenant_id})
          and (${agent_id}::text is null or t.agent_id = ${agent_id})
          and (${from}::text is null or t.started_at >= ${from}::text::timestamptz)
          and (${before}::text is null or t.started_at < ${before}::text::timestamptz)
        group by grouping sets ((t.is_synthetic, ${sql.literal(keys.join(", "))}), (t.is_synthetic))
        order by is_total desc, ${sql.literal(order.join(", "))}
        limit ${BigInt(GROUPS_MAX + 3)}`.pipe(
        Effect.mapError(databaseError("readStats", description)),
      );
      if (rows.filter(({ is_total }) => !is_total).length > GROUPS_MAX) {
        return yield* new InvalidInput({
          what: `more than ${GROUPS_MAX} groups`,
          where: "by",
          remedy: "Count by fewer keys, or a shorter time.",
        });
      }
      return {
        ...partOf(
          rows.filter((row) => !row.is_synthetic),
          by,
        ),
        synthetic: partOf(
          rows.filter((row) => row.is_synthetic),
          by,
        ),
      };
    });
