/**
 * Goal: a listing of calls across runs gives each call once, with all that was asked for and no other tenant's.
 * Method: runs of two tenants with a call of each kind, on a real server and on the embedded database.
 */
import { expect } from "@effect/vitest";
import type { StepFilter, FoundSteps } from "@runproof/drivers/logs/searchSteps";
import * as Effect from "effect/Effect";
import { asSuperuser, literal, onEachDatabase } from "./Databases.ts";
import { freshIdentity, record, start } from "./Evidence.ts";
import { traces } from "./Stores.ts";

const search = (filter: StepFilter) => Effect.flatMap(traces, (store) => store.searchSteps(filter));

const at = (minute: number) => `2026-02-10T12:${String(minute).padStart(2, "0")}:00.000000Z`;

/** The calls that a filter finds, in the listing's order, by the minute that each began at. */
const found = (filter: StepFilter) =>
  Effect.map(search(filter), ({ steps }) => steps.map((step) => Number(step.at.slice(14, 16))));

const url = (text: string) => ({ method: "GET", url: text });

/** A tenant with an inline run of Ada's and a gated one of Bob's: calls at minutes 1 to 8. */
const tenantWithCalls = Effect.gen(function* () {
  const { tenant_id } = freshIdentity();
  const inline = { ...freshIdentity(tenant_id), run_id: "inline" };
  yield* start(inline, { agent_id: "Ada" });
  yield* record(
    inline.trace_id,
    { started_at: at(1), params: url("https://Shop.example.com/orders/1842"), outcome_code: "A" },
    {
      started_at: at(2),
      status: "retry",
      params: url("https://shop.example.com:8443/orders/7"),
      outcome_data: { note: 'order "1842"' },
    },
    {
      started_at: at(3),
      status: "failure",
      // The host stands in a value that is no url of the call's.
      params: { ...url("https://other.example/"), body: { url: "https://shop.example.com/" } },
      attributes: { order: 1842 },
    },
    // Its source gave no time: it counts when it was recorded.
    {
      started_at: null,
      timestamp: at(4),
      status: "skipped",
      skill_id: "refund",
      params: undefined,
    },
  );
  const gated = { ...freshIdentity(tenant_id), run_id: "gated" };
  yield* start(gated, { agent_id: "Bob", capture: "gated" });
  const intent = { capture: "gated", status: "intended", outcome_category: "PENDING" } as const;
  const pending = {
    outcome_code: null,
    outcome_data: undefined,
    cost_cents: null,
    duration_ms: null,
  };
  yield* record(gated.trace_id, {
    ...intent,
    ...pending,
    started_at: at(5),
    params: { order_id: "1842" },
    skill_id: "refund",
    skill_name: "Refund",
  });
  yield* record(gated.trace_id, {
    capture: "gated",
    started_at: at(6),
    intent_index: 0,
    status: "failure",
    params: undefined,
    skill_id: "refund",
    skill_name: "Refund",
  });
  yield* record(gated.trace_id, { ...intent, ...pending, started_at: at(8), params: { n: 1 } });
  const other = { ...freshIdentity(), run_id: "inline" };
  yield* start(other, { agent_id: "Ada" });
  yield* record(other.trace_id, { started_at: at(1), params: { order_id: "1842" } });
  return { tenant_id, inline, gated };
});

onEachDatabase("searching calls", (it) => {
  it.effect("lists each call once, newest first, an outcome with what its intent asked for", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithCalls;
      const { steps, next_cursor } = yield* search({ tenant_id });
      expect(next_cursor).toBeNull();
      expect(steps).toMatchObject([
        { run_id: "gated", step_index: 2, status: "unknown", at: at(8) },
        {
          run_id: "gated",
          step_index: 1,
          intent_index: 0,
          agent_id: "Bob",
          status: "failure",
          params: { state: "present", value: { order_id: "1842" } },
        },
        { run_id: "inline", step_index: 3, status: "skipped", params: { state: "absent" } },
        { step_index: 2 },
        { step_index: 1 },
        { step_index: 0, agent_id: "Ada", matched: null },
      ]);
    }),
  );

  it.effect("narrows by run, agent, skill, status, code, host and time", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithCalls;
      const cases: ReadonlyArray<readonly [Partial<StepFilter>, ReadonlyArray<number>]> = [
        [{ run_id: "gated" }, [8, 6]],
        [{ agent_id: "Ada" }, [4, 3, 2, 1]],
        [{ skill_id: "refund" }, [6, 4]],
        [{ skill_id: "Refund" }, [6]],
        [{ statuses: ["failure", "retry"] }, [6, 3, 2]],
        [{ statuses: ["unknown"] }, [8]],
        [{ statuses: [] }, [8, 6, 4, 3, 2, 1]],
        [{ outcome_code: "A" }, [1]],
        [{ host: "shop.example.com" }, [2, 1]],
        [{ host: "SHOP.example.com:8443" }, [2]],
        [{ host: "example.com" }, []],
        [{ from: at(3), before: at(6) }, [4, 3]],
        [{ agent_id: "Bob", statuses: ["success"] }, []],
      ];
      for (const [filter, wanted] of cases)
        expect(yield* found({ tenant_id, ...filter }), JSON.stringify(filter)).toEqual(wanted);
    }),
  );

  it.effect("says where a text stands first, and finds none of another tenant's", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithCalls;
      const places = (text: string) =>
        Effect.map(search({ tenant_id, text }), ({ steps }) =>
          steps.map(({ run_id, step_index, matched }) => `${run_id} ${step_index}: ${matched}`),
        );
      expect(yield* places("1842")).toEqual([
        "gated 1: params",
        "inline 2: attributes",
        "inline 1: answer",
        "inline 0: params",
      ]);
      expect(yield* places('ORDER "1842"')).toEqual(["inline 1: answer"]);
      expect(yield* places("refund")).toEqual(["gated 1: step", "inline 3: step"]);
      expect(yield* places("%")).toEqual([]);
      expect(yield* found({ tenant_id: "nobody", text: "1842" })).toEqual([]);
    }),
  );

  it.effect("pages to the end whatever is left out between, each call once", () =>
    Effect.gen(function* () {
      const { tenant_id } = yield* tenantWithCalls;
      for (const filter of [{}, { host: "shop.example.com" }]) {
        const whole = yield* found({ tenant_id, ...filter });
        for (const limit of [1, 2, 5]) {
          const paged: Array<number> = [];
          let cursor: string | undefined;
          do {
            const page: FoundSteps = yield* search({ tenant_id, ...filter, limit, cursor });
            expect(page.steps.length).toBeLessThanOrEqual(limit);
            paged.push(...page.steps.map((step) => Number(step.at.slice(14, 16))));
            cursor = page.next_cursor ?? undefined;
          } while (cursor !== undefined);
          expect(paged, `pages of ${limit}`).toEqual(whole);
        }
      }
    }),
  );

  it.effect("lists a call whose params are gone or no JSON, and says so", () =>
    Effect.gen(function* () {
      const { tenant_id, inline } = yield* tenantWithCalls;
      const change = (step_index: number, params: string) => [
        "alter table aos_trace_steps disable trigger all",
        `update aos_trace_steps set params = ${params} where trace_id = ${literal(inline.trace_id)} and step_index = ${step_index}`,
        ...["s6_insert", "s6_update", "s6_delete", "s6_truncate"].map(
          (trigger) => `alter table aos_trace_steps enable always trigger ${trigger}`,
        ),
      ];
      yield* asSuperuser(...change(0, "null"), ...change(1, "'shop.example.com {'"));
      const { steps } = yield* search({ tenant_id, run_id: "inline" });
      expect(steps.map(({ params }) => params.state)).toEqual([
        "absent",
        "present",
        "unreadable",
        "gone",
      ]);
      // It may have gone there: it is not left out.
      expect(yield* found({ tenant_id, host: "shop.example.com" })).toEqual([2]);
    }),
  );

  it.effect("refuses a filter that is none, and says which", () =>
    Effect.gen(function* () {
      const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const cases: ReadonlyArray<readonly [Partial<StepFilter>, string]> = [
        [{ limit: 0 }, "limit"],
        [{ from: "yesterday" }, "from"],
        [{ before: "2026-02-30T00:00:00Z" }, "before"],
        [{ host: "a\u0000b" }, "host"],
        [{ cursor: "not a cursor" }, "cursor"],
        [{ cursor: encoded(["2026-02-10T00:00:00.000000Z", "x"]) }, "cursor"],
        [{ cursor: encoded(["2026-02-10T00:00:00.000000Z", "x", 0.5]) }, "cursor"],
        [{ cursor: encoded(["2026-02-30T00:00:00.000000Z", "x", 1]) }, "cursor"],
      ];
      for (const [filter, where] of cases)
        expect(
          yield* Effect.flip(search({ tenant_id: "any", ...filter })),
          JSON.stringify(filter),
        ).toMatchObject({ _tag: "InvalidInput", where, remedy: expect.stringMatching(/./u) });
    }),
  );
});
