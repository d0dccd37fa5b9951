/**
 * Goal: figures count every run and every call once, and synthetic ones in no total but their own.
 * Method: runs of two tenants whose figures are known, on a real server and on the embedded database.
 */
import { expect } from "@effect/vitest";
import type { StatsFilter } from "@runproof/drivers/logs/readStats";
import * as Effect from "effect/Effect";
import { onEachDatabase } from "./Databases.ts";
import { freshIdentity, record, seal, start } from "./Evidence.ts";
import { traces } from "./Stores.ts";

const stats = (filter: StatsFilter) => Effect.flatMap(traces, (store) => store.stats(filter));

const ours = { is_synthetic: false, synthetic_scenario_id: null } as const;

const on = (day: number) => `2026-02-${day}T23:59:59.999999Z`;

/** Two runs of Ada's on two days, an open gated one without an agent, and a synthetic one. */
const tenantWithRuns = Effect.gen(function* () {
  const { tenant_id } = freshIdentity();
  const first = freshIdentity(tenant_id);
  yield* start(first, { ...ours, agent_id: "Ada", started_at: on(10) });
  yield* record(
    first.trace_id,
    { ...ours, skill_id: "search", duration_ms: 10, cost_cents: 0.5 },
    { ...ours, skill_id: "search", duration_ms: 20, cost_cents: null, status: "retry" },
    { ...ours, skill_id: "refund", duration_ms: 40, cost_cents: 1, status: "failure" },
  );
  yield* seal(first.trace_id, { status: "failed" });
  const second = freshIdentity(tenant_id);
  yield* start(second, { ...ours, agent_id: "Ada", started_at: on(11) });
  yield* record(second.trace_id, {
    ...ours,
    skill_id: "search",
    duration_ms: 30,
    cost_cents: null,
  });
  yield* seal(second.trace_id);
  const open = freshIdentity(tenant_id);
  yield* start(open, { ...ours, agent_id: null, started_at: on(11), capture: "gated" });
  const gated = { ...ours, capture: "gated", skill_id: "http_call" } as const;
  const intent = {
    ...gated,
    status: "intended",
    outcome_category: "PENDING",
    outcome_code: null,
    outcome_data: undefined,
    cost_cents: null,
    duration_ms: null,
  } as const;
  yield* record(open.trace_id, intent);
  yield* record(open.trace_id, {
    ...gated,
    intent_index: 0,
    params: undefined,
    duration_ms: null,
    cost_cents: null,
  });
  yield* record(open.trace_id, intent);
  const synthetic = freshIdentity(tenant_id);
  yield* start(synthetic, { agent_id: "Ada", started_at: on(11) });
  yield* record(synthetic.trace_id, { duration_ms: 1000, cost_cents: 100, status: "failure" });
  const other = freshIdentity();
  yield* start(other, { ...ours, agent_id: "Ada", started_at: on(10) });
  return { tenant_id, other: other.tenant_id };
});

onEachDatabase("counting runs", (it) => {
  it.effect(
    "counts by day each run and call once, with cost and percentiles of what is known",
    () =>
      Effect.gen(function* () {
        const { tenant_id } = yield* tenantWithRuns;
        const { groups, total } = yield* stats({ by: ["day"], tenant_id });
        expect(groups).toEqual([
          {
            key: { day: "2026-02-11" },
            runs: 2,
            runs_failed: 0,
            runs_open: 1,
            steps: 3,
            failures: 0,
            retries: 0,
            unknown: 1,
            cost_cents: null,
            p50_ms: 30,
            p95_ms: 30,
          },
          {
            key: { day: "2026-02-10" },
            runs: 1,
            runs_failed: 1,
            runs_open: 0,
            steps: 3,
            failures: 1,
            retries: 1,
            unknown: 0,
            cost_cents: 1.5,
            p50_ms: 20,
            p95_ms: 38,
          },
        ]);
        // A run is counted once, though several groups have it.
        expect(total).toMatchObject({ runs: 3, steps: 6, cost_cents: 1.5, p50_ms: 25 });
      }),
  );

  it.effect("counts by agent and skill, and by both", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithRuns;
      const counted = (by: StatsFilter["by"]) =>
        Effect.map(stats({ by, tenant_id }), ({ groups, total }) => [
          ...groups.map(({ key, runs, steps }) => [...Object.values(key), runs, steps]),
          [total?.runs, total?.steps],
        ]);
      expect(yield* counted(["agent"])).toEqual([
        ["Ada", 2, 4],
        [null, 1, 2],
        [3, 6],
      ]);
      expect(yield* counted(["skill"])).toEqual([
        ["http_call", 1, 2],
        ["refund", 1, 1],
        ["search", 2, 3],
        [3, 6],
      ]);
      expect(yield* counted(["skill", "agent", "skill"])).toEqual([
        ["http_call", null, 1, 2],
        ["refund", "Ada", 1, 1],
        ["search", "Ada", 2, 3],
        [3, 6],
      ]);
    }),
  );

  it.effect("keeps synthetic runs apart from every other figure", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithRuns;
      const { synthetic } = yield* stats({ by: ["agent"], tenant_id });
      const figures = { runs: 1, steps: 1, failures: 1, cost_cents: 100, p95_ms: 1000 };
      expect(synthetic).toMatchObject({
        groups: [{ key: { agent: "Ada" }, ...figures }],
        total: figures,
      });
    }),
  );

  it.effect("counts every tenant where none is named, and only what a filter leaves", () =>
    Effect.gen(function* () {
      const { tenant_id, other } = yield* tenantWithRuns;
      const { groups } = yield* stats({ by: ["tenant"] });
      const of = (tenant: string) => groups.find(({ key }) => key.tenant === tenant)?.runs;
      expect([of(tenant_id), of(other)]).toEqual([3, 1]);
      const runs = (filter: Partial<StatsFilter>) =>
        Effect.map(
          stats({ by: ["day"], tenant_id, ...filter }),
          ({ total }) => total?.runs ?? null,
        );
      expect(yield* runs({ agent_id: "Ada" })).toBe(2);
      expect(yield* runs({ from: "2026-02-11T00:00:00Z" })).toBe(2);
      expect(yield* runs({ before: "2026-02-11T00:00:00Z" })).toBe(1);
      expect(yield* runs({ before: "2020-01-01T00:00:00Z" })).toBeNull();
    }),
  );

  it.effect("refuses a filter that is none, and says which", () =>
    Effect.gen(function* () {
      for (const [filter, where] of [
        [{ by: [] }, "by"],
        [{ by: ["day"], from: "yesterday" }, "from"],
        [{ by: ["day"], agent_id: "\u0000" }, "agent_id"],
      ] as ReadonlyArray<readonly [StatsFilter, string]>)
        expect(yield* Effect.flip(stats(filter))).toMatchObject({ _tag: "InvalidInput", where });
    }),
  );
});
