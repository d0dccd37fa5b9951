/**
 * Goal: a drill's mark reaches its trace and every step whichever command recorded it, lists tell drills from work, and no
 * total counts one. Method: the command on a real server.
 */
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Environment, folder, json, ndjson, planOf, runproof, site } from "./runproof.ts";

const here = folder();
let database: TestDatabase;
let env: Environment;
let web: Awaited<ReturnType<typeof site>>;

beforeAll(async () => {
  web = await site();
  database = await createDatabase(inject("postgresUrl"), inject("migratedDatabase"));
  env = { DATABASE_URL: database.url, RUNPROOF_TENANT_ID: "t" };
  const plan = here.write("plan.json", planOf(`${web.url}/ok`));
  const [work, drills] = [
    here.write("work.ndjson", ndjson("imported")),
    here.write("drills.ndjson", ndjson("imported-drill")),
  ];
  const mark = (scenario: string) => ["--synthetic", scenario];
  for (const args of [
    ["run", "--plan", plan, "--run-id", "done"],
    ["run", "--plan", plan, "--run-id", "drill", ...mark("outage")],
    ["run", "--plan", plan, "--run-id", "gated-drill", "--capture", "gated", ...mark("outage")],
    ["import", work, "--format", "ndjson"],
    ["import", drills, "--format", "ndjson", ...mark("peak")],
  ])
    expect(await runproof(args, env)).toMatchObject({ code: 0 });
});
afterAll(async () => {
  here.remove();
  await web.close();
  await database.drop();
});

describe("a run's mark", () => {
  it("stands in its trace and in each of its steps", async () => {
    const marked = await queryDatabase(
      database.url,
      `select t.run_id, t.synthetic_scenario_id as scenario, count(*)::int as steps,
              bool_and(s.is_synthetic and t.is_synthetic and s.synthetic_scenario_id = t.synthetic_scenario_id) as marked
       from aos_traces t join aos_trace_steps s using (trace_id)
       where t.is_synthetic or s.is_synthetic group by 1, 2 order by 1`,
    );
    expect(marked).toEqual([
      { run_id: "drill", scenario: "outage", steps: 1, marked: true },
      { run_id: "gated-drill", scenario: "outage", steps: 2, marked: true },
      { run_id: "imported-drill", scenario: "peak", steps: 2, marked: true },
    ]);
  });

  it("names a scenario, or is refused", async () => {
    const plan = here.write("plan.json", planOf(`${web.url}/ok`));
    const empty = await runproof(["run", "--plan", plan, "--synthetic", ""], env);
    expect(empty).toMatchObject({ code: 2, stdout: "" });
    const line = { type: "run", started_at: "2026-02-10T12:00:00.000000Z", is_synthetic: true };
    const file = here.write("unnamed.ndjson", JSON.stringify(line));
    const unnamed = await runproof(["import", file, "--format", "ndjson", "--json"], env);
    expect(unnamed).toMatchObject({ code: 2, stdout: "" });
    expect(unnamed.stderr).toContain("synthetic_scenario_id");
  });

  it("is told where runs are listed and shown", async () => {
    const listed = await runproof(["traces", "list", "--synthetic", "only"], env);
    expect(listed.stdout).toMatch(/synthetic\n[^]*imported-drill .*peak\n/u);
    const shown = await runproof(["traces", "show", "drill"], env);
    expect(shown.stdout).toContain("synthetic, of outage");
  });
});

const RUNS = ["done", "drill", "gated-drill", "imported", "imported-drill"];
const DRILLS = ["drill", "gated-drill", "imported-drill"];
const cases: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = [
  [[], RUNS],
  [["--synthetic", "only"], DRILLS],
  [
    ["--synthetic", "none"],
    ["done", "imported"],
  ],
  [
    ["--scenario", "outage"],
    ["drill", "gated-drill"],
  ],
];

describe("lists and totals", () => {
  it.each(cases)("narrow by %j", async (flags, run_ids) => {
    const found = async (list: "traces" | "steps") => {
      const page = json(await runproof([list, "list", "--json", ...flags], env));
      const rows = page[list] as ReadonlyArray<{ readonly run_id: string }>;
      return [...new Set(rows.map(({ run_id }) => run_id))].toSorted();
    };
    expect([await found("traces"), await found("steps")]).toEqual([run_ids, run_ids]);
  });

  it("count no drill, and show them apart", async () => {
    const stats = json(await runproof(["stats", "--json"], env));
    expect(stats).toMatchObject({
      total: { runs: 2, steps: 3 },
      synthetic: { total: { runs: 3, steps: 4 } },
    });
  });
});
