import { expect } from "@effect/vitest";
import { RunStore, type StoreRun } from "@runproof/drivers/RunStore";
import * as Effect from "effect/Effect";
import { asApplication, literal, onEachDatabase } from "./Databases.ts";
import { freshIdentity, seal, start, storedRun } from "./Evidence.ts";

const store = (run: StoreRun) => Effect.flatMap(RunStore, (runs) => runs.store(run));
const status = (run: { run_id: string; tenant_id: string }) =>
  Effect.flatMap(RunStore, (runs) => runs.status(run));

onEachDatabase("the run store", (it) => {
  it.effect("keeps a run with its plan, as it was given, before anything is executed", () =>
    Effect.gen(function* () {
      const run = { ...storedRun(freshIdentity()), goal: "buy a 🙂" };
      expect(yield* status(run)).toBeNull();
      yield* store(run);
      expect(yield* status(run)).toBe("queued");
      const rows = yield* asApplication(
        `select tenant_id, run_id, agent_id, origin_system_id, goal, plan, trace_id, started_at, completed_at
         from runs where run_id = ${literal(run.run_id)}`,
      );
      expect(rows).toEqual([{ ...run, trace_id: null, started_at: null, completed_at: null }]);
    }),
  );

  for (const [end, wanted] of [
    ["completed", "succeeded"],
    ["failed", "failed"],
    ["aborted", "aborted"],
  ] as const)
    it.effect(`goes with its trace to ${wanted}`, () =>
      Effect.gen(function* () {
        const identity = freshIdentity();
        yield* store(storedRun(identity));
        yield* start(identity);
        expect(yield* status(identity)).toBe("running");
        yield* seal(identity.trace_id, { status: end });
        expect(yield* status(identity)).toBe(wanted);
        const [row] = yield* asApplication(
          `select trace_id, started_at <= completed_at as is_ordered from runs where run_id = ${literal(identity.run_id)}`,
        );
        expect(row).toEqual({ trace_id: identity.trace_id, is_ordered: true });
      }),
    );

  it.effect("begins with a trace of its own words only, and says nothing of another's", () =>
    Effect.gen(function* () {
      const goals = { none: null, plain: "buy", odd: 'a "🙂" \\ \u001f\n' };
      for (const goal of Object.values(goals)) {
        const identity = freshIdentity();
        yield* store({ ...storedRun(identity), goal });
        yield* start(identity, { attributes: goal === null ? { other: 1 } : { goal } });
        expect(yield* status(identity), String(goal)).toBe("running");
      }
      for (const other of [
        { agent_id: "another" },
        { origin_system_id: null },
        { plan: "{}" },
        { goal: "sell" },
        { goal: null },
      ]) {
        const identity = freshIdentity();
        yield* store({ ...storedRun(identity), goal: "buy", ...other });
        yield* start(identity, { attributes: { goal: "buy", other: "\\u0000" } });
        yield* seal(identity.trace_id);
        expect(yield* status(identity), JSON.stringify(other)).toBe("queued");
      }
    }),
  );

  it.effect("refuses a second run of one id in a tenant, and takes it in another", () =>
    Effect.gen(function* () {
      const run = storedRun(freshIdentity());
      yield* store(run);
      expect(yield* Effect.flip(store({ ...run, plan: "{}" }))).toMatchObject({
        _tag: "RunExists",
        run_id: run.run_id,
        tenant_id: run.tenant_id,
      });
      const other = { ...run, tenant_id: freshIdentity().tenant_id };
      yield* store(other);
      yield* start({ ...freshIdentity(other.tenant_id), run_id: run.run_id });
      expect(yield* status(run)).toBe("queued");
      expect(yield* status(other)).toBe("running");
    }),
  );

  it.effect("refuses what the database can't hold, as input, and finds none of it", () =>
    Effect.gen(function* () {
      const run = { ...storedRun(freshIdentity()), goal: "a\u0000b" };
      expect(yield* Effect.flip(store(run))).toMatchObject({
        _tag: "InvalidInput",
        where: `run ${run.run_id}`,
      });
      expect(yield* status(run)).toBeNull();
      expect(yield* status({ ...run, run_id: "a\u0000b" })).toBeNull();
    }),
  );
});
