import { expect } from "@effect/vitest";
import type { TraceFilter } from "@runproof/drivers/logs/searchTraces";
import * as Effect from "effect/Effect";
import { asSuperuser, literal, onEachDatabase } from "./Databases.ts";
import { freshIdentity, LEASE_MS, record, seal, start } from "./Evidence.ts";
import { traces } from "./Stores.ts";

const search = (filter: TraceFilter) => Effect.flatMap(traces, (store) => store.search(filter));

/** The run ids that a filter finds, in the listing's order. */
const found = (filter: TraceFilter) =>
  Effect.map(search(filter), ({ traces }) => traces.map((trace) => trace.run_id));

const hour = (hours: number) => `2026-02-10T${String(hours).padStart(2, "0")}:00:00.000000Z`;

/** A tenant with a run of each kind: their ids are their order by start, and say what they are. */
const tenantWithRuns = Effect.gen(function* () {
  const { tenant_id } = freshIdentity();
  const run = (run_id: string) => ({ ...freshIdentity(tenant_id), run_id });
  const completed = run("1 completed");
  yield* start(completed, { started_at: hour(1), agent_id: "Ada", plan: { goal: "50% off_now" } });
  yield* record(completed.trace_id, { skill_id: "search", skill_name: "Web search" });
  yield* seal(completed.trace_id, { reason: null, metadata: { note: 'he said "done"' } });
  const failed = run("2 failed");
  yield* start(failed, { started_at: hour(2), agent_id: null, attributes: { zone: "Äöü 🙂" } });
  yield* record(failed.trace_id, {
    skill_id: "http_call",
    outcome_data: { body: "line 1\nline 2" },
  });
  yield* seal(failed.trace_id, { status: "failed", reason: "the shop was closed" });
  const aborted = run("3 aborted");
  yield* start(aborted, { started_at: hour(3), agent_id: "Ada", is_synthetic: false });
  yield* seal(aborted.trace_id, { status: "aborted", reason: "interrupted" });
  const running = run("4 running");
  yield* start(running, { started_at: hour(4), agent_id: "Bob" });
  yield* record(running.trace_id, { params: { path: "C:\\temp", percent: "50 off now" } });
  // Another tenant's run, with everything that is looked for.
  const other = { ...freshIdentity(), run_id: "1 completed" };
  yield* start(other, { started_at: hour(1), agent_id: "Ada", plan: { goal: "50% off_now" } });
  return tenant_id;
});

onEachDatabase("searching traces", (it) => {
  it.effect("lists a tenant's traces, newest first, with what a listing shows", () =>
    Effect.gen(function* () {
      const tenant_id = yield* tenantWithRuns;
      const page = yield* search({ tenant_id });
      expect(page.next_cursor).toBeNull();
      expect(page.traces).toMatchObject([
        {
          run_id: "4 running",
          status: "running",
          started_at: hour(4),
          completed_at: null,
          step_count: 1,
          root_hash: null,
        },
        { run_id: "3 aborted", status: "aborted", step_count: 0, is_synthetic: false },
        { run_id: "2 failed", status: "failed", agent_id: null },
        {
          run_id: "1 completed",
          tenant_id,
          status: "completed",
          agent_id: "Ada",
          completed_at: "2026-02-10T12:43:45.000003Z",
          root_hash: expect.stringMatching(/^[0-9a-f]{64}$/u),
          is_synthetic: true,
        },
      ]);
      expect(yield* search({ tenant_id: "a tenant without runs" })).toEqual({
        traces: [],
        next_cursor: null,
      });
    }),
  );

  it.effect("narrows by run, status, agent, skill and time", () =>
    Effect.gen(function* () {
      const tenant_id = yield* tenantWithRuns;
      const cases: ReadonlyArray<readonly [Partial<TraceFilter>, ReadonlyArray<string>]> = [
        [{ run_id: "2 failed" }, ["2 failed"]],
        [{ run_id: "2" }, []],
        [{ status: "running" }, ["4 running"]],
        [{ status: "completed" }, ["1 completed"]],
        [{ status: "failed" }, ["2 failed"]],
        [{ status: "aborted" }, ["3 aborted"]],
        [{ agent_id: "Ada" }, ["3 aborted", "1 completed"]],
        [{ agent_id: "ada" }, []],
        [{ skill_id: "search" }, ["1 completed"]],
        [{ skill_id: "Web search" }, ["1 completed"]],
        [{ skill_id: "http_call" }, ["4 running", "2 failed"]],
        [{ started_from: hour(3) }, ["4 running", "3 aborted"]],
        [{ started_before: hour(3) }, ["2 failed", "1 completed"]],
        [{ started_from: "2026-02-10T04:00:00+02:00", started_before: hour(3) }, ["2 failed"]],
        [{ agent_id: "Ada", status: "aborted", started_from: hour(3) }, ["3 aborted"]],
        [{ agent_id: "Ada", status: "failed" }, []],
      ];
      for (const [filter, wanted] of cases)
        expect(yield* found({ tenant_id, ...filter }), JSON.stringify(filter)).toEqual(wanted);
    }),
  );

  it.effect(
    "looks for text as it is, without case, in payloads and in what records say in words",
    () =>
      Effect.gen(function* () {
        const tenant_id = yield* tenantWithRuns;
        const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
          // No wildcards: a "%" is a percent sign, and "_" an underscore.
          ["50% off_now", ["1 completed"]],
          ["50% OFF_NOW", ["1 completed"]],
          ["50 off now", ["4 running"]],
          ["%", ["1 completed"]],
          ["f_n", ["1 completed"]],
          ["the shop was CLOSED", ["2 failed"]],
          // Which letters beyond ASCII have a case is the locale's to say.
          ["Äöü 🙂", ["2 failed"]],
          // As a person writes it, and as JSON does.
          ['said "done"', ["1 completed"]],
          ['said \\"done\\"', ["1 completed"]],
          ["line 1\nline 2", ["2 failed"]],
          ["c:\\temp", ["4 running"]],
          ["web SEARCH", ["1 completed"]],
          // The digits of hashes and the names of keys are nobody's words.
          ['"status":"failed"', []],
          ["sha256:", []],
          ["nowhere to be found", []],
          ["' or true --", []],
        ];
        for (const [text, wanted] of cases)
          expect(yield* found({ tenant_id, text }), text).toEqual(wanted);
      }),
  );

  it.effect("pages through traces that began at the same moment: each once, in one order", () =>
    Effect.gen(function* () {
      const { tenant_id } = freshIdentity();
      const ids: Array<string> = [];
      for (let index = 0; index < 11; index += 1) {
        const identity = { ...freshIdentity(tenant_id), run_id: `run ${index}` };
        // Two moments, a microsecond apart, in no order.
        yield* start(identity, { started_at: `2026-02-10T00:00:00.00000${index % 2}Z` });
        ids.push(identity.run_id);
      }
      const whole = yield* found({ tenant_id });
      expect(whole.toSorted()).toEqual(ids.toSorted());
      for (const limit of [1, 2, 3, 10, 11, 12]) {
        const paged: Array<string> = [];
        let cursor: string | undefined;
        do {
          const page: { traces: ReadonlyArray<{ run_id: string }>; next_cursor: string | null } =
            yield* search({ tenant_id, limit, cursor });
          expect(page.traces.length).toBeLessThanOrEqual(limit);
          paged.push(...page.traces.map((trace) => trace.run_id));
          cursor = page.next_cursor ?? undefined;
        } while (cursor !== undefined);
        expect(paged, `pages of ${limit}`).toEqual(whole);
      }
    }),
  );

  it.effect("pages past a trace whose start was edited to what no record can say", () =>
    Effect.gen(function* () {
      const { tenant_id } = freshIdentity();
      for (const start_time of [
        "'infinity'",
        "'2026-01-01 00:00:00+00 BC'",
        "'-infinity'",
        "now()",
      ]) {
        const identity = { ...freshIdentity(tenant_id), run_id: start_time };
        yield* start(identity);
        yield* asSuperuser(
          "alter table aos_traces disable trigger all",
          `update aos_traces set started_at = ${start_time} where trace_id = ${literal(identity.trace_id)}`,
          ...["s6_insert", "s6_update", "s6_delete", "s6_truncate"].map(
            (trigger) => `alter table aos_traces enable always trigger ${trigger}`,
          ),
        );
      }
      const whole = yield* found({ tenant_id });
      expect(whole).toEqual(["'infinity'", "now()", "'2026-01-01 00:00:00+00 BC'", "'-infinity'"]);
      const paged: Array<string> = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < whole.length; pages += 1) {
        const page: { traces: ReadonlyArray<{ run_id: string }>; next_cursor: string | null } =
          yield* search({ tenant_id, limit: 1, cursor });
        paged.push(...page.traces.map((trace) => trace.run_id));
        cursor = page.next_cursor ?? undefined;
      }
      expect(paged).toEqual(whole);
      expect(cursor).toBeUndefined();
    }),
  );

  it.effect("goes on from a cursor though traces came and were sealed meanwhile", () =>
    Effect.gen(function* () {
      const { tenant_id } = freshIdentity();
      const begin = (run_id: string, hours: number) =>
        start({ ...freshIdentity(tenant_id), run_id }, { started_at: hour(hours) });
      yield* begin("old", 1);
      const { trace_id } = yield* begin("middle", 2);
      yield* begin("new", 3);
      const { next_cursor } = yield* search({ tenant_id, limit: 1 });
      yield* begin("newest", 4);
      yield* seal(trace_id);
      expect(yield* found({ tenant_id, cursor: next_cursor! })).toEqual(["middle", "old"]);
    }),
  );

  it.effect("says why a trace ended, what its newest step was, and how an open one stands", () =>
    Effect.gen(function* () {
      const tenant_id = yield* tenantWithRuns;
      const { traces } = yield* search({ tenant_id });
      expect(traces).toMatchObject([
        {
          run_id: "4 running",
          reason: null,
          last_step: { step_index: 0, skill_name: "HTTP call", status: "success" },
          open: { quiet_ms: expect.any(Number), lease_left_ms: expect.any(Number) },
        },
        { run_id: "3 aborted", reason: "interrupted", last_step: null, open: null },
        { run_id: "2 failed", reason: "the shop was closed", detail: null, open: null },
        { run_id: "1 completed", reason: null, open: null },
      ]);
      const [running] = traces;
      expect(running!.open!.lease_left_ms).toBeGreaterThan(0);
      expect(running!.open!.lease_left_ms).toBeLessThanOrEqual(LEASE_MS);
      // Its step is from February 2026, as its start is.
      expect(running!.age_ms! - running!.open!.quiet_ms!).toBeGreaterThan(0);
      const detailed = { ...freshIdentity(tenant_id), run_id: "5 detailed" };
      yield* start(detailed, { started_at: hour(5) });
      yield* seal(detailed.trace_id, { status: "failed", metadata: { detail: "no funds" } });
      expect((yield* search({ tenant_id, limit: 1 })).traces).toMatchObject([
        { run_id: "5 detailed", detail: "no funds" },
      ]);
    }),
  );

  it.effect("finds open traces whose lease is over, or that have been quiet for too long", () =>
    Effect.gen(function* () {
      const { tenant_id } = freshIdentity();
      const now = new Date().toISOString().replace("Z", "000Z");
      const begin = (run_id: string, lease: { readonly lease_ms?: number } = {}) =>
        start({ ...freshIdentity(tenant_id), run_id }, { started_at: now, created_at: now }, lease);
      const busy = yield* begin("busy");
      yield* record(busy.trace_id, { timestamp: now });
      const quiet = yield* begin("quiet");
      yield* record(quiet.trace_id);
      const dead = yield* begin("dead", { lease_ms: 1 });
      const sealed = yield* begin("sealed");
      yield* seal(sealed.trace_id);
      const stuck = (stuck_after_ms: number) =>
        Effect.map(found({ tenant_id, stuck_after_ms }), (ids) => ids.toSorted());
      yield* Effect.repeat(stuck(3_600_000), { until: (ids) => ids.includes("dead") });
      expect(yield* stuck(3_600_000)).toEqual(["dead", "quiet"]);
      expect(yield* stuck(0)).toEqual(["busy", "dead", "quiet"]);
      expect(dead.next_index).toBe(0);
    }),
  );

  it.effect("gives nothing of another tenant, by no filter and no cursor", () =>
    Effect.gen(function* () {
      const tenant_id = yield* tenantWithRuns;
      const { next_cursor } = yield* search({ tenant_id, limit: 1 });
      const other = "a tenant without runs";
      for (const filter of [
        {},
        { run_id: "1 completed" },
        { text: "50%" },
        { cursor: next_cursor! },
      ])
        expect(yield* found({ tenant_id: other, ...filter })).toEqual([]);
    }),
  );

  it.effect("refuses a filter that is none, and says which", () =>
    Effect.gen(function* () {
      const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const cases: ReadonlyArray<readonly [Partial<TraceFilter>, string]> = [
        [{ limit: 0 }, "limit"],
        [{ limit: 501 }, "limit"],
        [{ limit: 1.5 }, "limit"],
        [{ limit: Number.NaN }, "limit"],
        [{ stuck_after_ms: -1 }, "stuck_after_ms"],
        [{ stuck_after_ms: Number.NaN }, "stuck_after_ms"],
        [{ started_from: "yesterday" }, "started_from"],
        [{ started_from: "2026" }, "started_from"],
        [{ started_before: "2026-02-30T00:00:00Z" }, "started_before"],
        [{ started_before: "2026-02-10T00:00:00" }, "started_before"],
        [{ text: "a\u0000b" }, "text"],
        [{ run_id: "a\u0000b" }, "run_id"],
        [{ cursor: "" }, "cursor"],
        [{ cursor: "not a cursor" }, "cursor"],
        [{ cursor: encoded({}) }, "cursor"],
        [{ cursor: encoded(["2026-02-10T00:00:00Z"]) }, "cursor"],
        [{ cursor: encoded(["2026-02-10T00:00:00Z", 7]) }, "cursor"],
        [{ cursor: encoded(["2026-02-10T00:00:00Z", "\u0000"]) }, "cursor"],
        [{ cursor: encoded(["yesteryear", "x"]) }, "cursor"],
        [{ cursor: encoded(["2026-02-30T00:00:00.000000Z", "x"]) }, "cursor"],
        [{ cursor: encoded(["99999999-01-01", "x"]) }, "cursor"],
        [{ cursor: encoded(["'; drop table runs; --", "x"]) }, "cursor"],
      ];
      for (const [filter, where] of cases)
        expect(
          yield* Effect.flip(search({ tenant_id: "any", ...filter })).pipe(
            Effect.catch((page) => Effect.succeed(page)),
          ),
          JSON.stringify(filter),
        ).toMatchObject({ _tag: "InvalidInput", where, remedy: expect.stringMatching(/./u) });
    }),
  );
});
