/**
 * Goal: what people ask who are on call is answered by one command each: which run did it and was it changed, what failed, what
 * is stuck, and why.
 * Method: the command on a real server with imported runs and an open one; a row is changed past the triggers.
 */
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Environment, folder, json, planOf, runproof, site, start } from "./runproof.ts";

const here = folder();
let database: TestDatabase;
let env: Environment;
let web: Awaited<ReturnType<typeof site>>;

const minutesAgo = (minutes: number): string =>
  new Date(Date.now() - minutes * 60_000).toISOString().replace("Z", "000Z");

/** One run with its steps, as `import --format ndjson` takes it. */
const run = (
  run_id: string,
  minutes: number,
  steps: ReadonlyArray<object>,
  end: object = { status: "completed" },
): ReadonlyArray<object> => [
  {
    type: "run",
    run_id,
    agent_id: "support",
    started_at: minutesAgo(minutes),
    goal: `work of ${run_id}`,
  },
  ...steps.map((step) => ({ type: "step", started_at: minutesAgo(minutes), ...step })),
  { type: "end", ...end },
];

const refund = (order_id: string) => ({
  skill_id: "refund",
  params: { order_id },
  status: "success",
  outcome_data: { refunded: order_id },
});

const get = (status: string) => ({
  skill_id: "http_call",
  params: { method: "GET", url: "https://shop.example.com/orders/7" },
  status,
  outcome_code: "HTTP_503",
  outcome_data: { body: `answered ${status}` },
});

beforeAll(async () => {
  web = await site();
  database = await createDatabase(inject("postgresUrl"), inject("migratedDatabase"));
  env = { DATABASE_URL: database.url, RUNPROOF_TENANT_ID: "shop" };
  const lines = [
    ...run("r-1842", 1500, [refund("1842")]),
    ...run("r-1843", 1500, [refund("1843")]),
    ...run("r-503", 20, [get("retry"), get("failure"), refund("7")], {
      status: "failed",
      reason: "the shop was down",
    }),
    ...run("r-old", 120, [get("failure")], { status: "failed", reason: "down" }),
  ];
  const file = here.write("runs.ndjson", lines.map((line) => JSON.stringify(line)).join("\n"));
  expect(await runproof(["import", file, "--format", "ndjson"], env)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("4 runs"),
  });
});
afterAll(async () => {
  here.remove();
  await web.close();
  await database.drop();
});

const TABLES = ["aos_traces", "aos_trace_steps", "aos_traces_archive", "aos_trace_steps_archive"];

/** Runs statements past the triggers, as a superuser can. */
const pastTriggers = (...statements: ReadonlyArray<string>) =>
  queryDatabase(
    database.url,
    `do $$ declare each record; begin
       ${TABLES.map((table) => `alter table ${table} disable trigger all;`).join("\n")}
       ${statements.map((statement) => `${statement};`).join("\n")}
       for each in select tgrelid::regclass as name, tgname from pg_trigger
                   where tgrelid::regclass::text = any('{${TABLES.join(",")}}') and not tgisinternal loop
         execute format('alter table %s enable always trigger %I', each.name, each.tgname);
       end loop;
     end $$`,
  );

const lines = ({ stdout }: { readonly stdout: string }) => stdout.trimEnd().split("\n").slice(1);

describe("the tenant", () => {
  it("is the one of RUNPROOF_TENANT_ID, over which the flag wins, and is refused as the flag is", async () => {
    const own = await runproof(["traces", "list", "--json"], env);
    expect(json(own)["traces"]).toHaveLength(4);
    const other = await runproof(["traces", "list", "--json", "--tenant-id", "other"], env);
    expect(json(other)["traces"]).toEqual([]);
    const { DATABASE_URL = "" } = env;
    const none = await runproof(["traces", "list"], { DATABASE_URL });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("--tenant-id") });
    const empty = await runproof(["traces", "list"], { DATABASE_URL, RUNPROOF_TENANT_ID: "" });
    expect(empty).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("which run refunded an order, and was it changed since", () => {
  const asked = (order: string, ...more: ReadonlyArray<string>) =>
    runproof(
      ["steps", "list", "--skill", "refund", "--text", order, "--since", "2d", "--prove", ...more],
      env,
    );

  it("names the run, where the order stands, and the verdict, and ends with 6 once it was changed", async () => {
    const before = await asked("1842");
    expect(before).toMatchObject({ code: 0, stderr: "" });
    expect(lines(before)).toEqual([
      expect.stringMatching(/ r-1842 .*refund\(order_id="1842"\) +success +VERIFIED +params /u),
    ]);
    await pastTriggers(
      `update aos_trace_steps set params = '{"order_id":"1843"}' where run_id = 'r-1842'`,
    );
    const after = await asked("1843");
    expect(after.code).toBe(6);
    expect(lines(after)).toHaveLength(2);
    expect(after.stdout).toMatch(/ r-1842 .* FAILED +params/u);
    expect(after.stdout).toMatch(/ r-1843 .* VERIFIED +params/u);
    const document = await asked("1843", "--json");
    expect(document.code).toBe(6);
    expect(json(document)["proofs"]).toEqual({ "r-1842": "FAILED", "r-1843": "VERIFIED" });
    const runs = await runproof(["traces", "list", "--text", "1843", "--prove"], env);
    expect(runs).toMatchObject({ code: 6, stdout: expect.stringMatching(/r-1842.*FAILED/u) });
  });

  it("says of nothing found that what was erased is not searched", async () => {
    const nothing = await asked("no such order");
    expect(nothing).toMatchObject({ code: 0, stdout: "" });
    expect(nothing.stderr).toContain("erased");
  });
});

describe("what failed", () => {
  it("is every failed call of an agent since a time", async () => {
    const failed = await runproof(
      ["steps", "list", "--agent-id", "support", "--failed", "--since", "1h"],
      env,
    );
    expect(lines(failed)).toEqual([
      expect.stringMatching(/ r-503 +1 +GET \/orders\/7 +failure HTTP_503/u),
      expect.stringMatching(/ r-503 +0 +GET \/orders\/7 +retry HTTP_503/u),
    ]);
    const refused = await runproof(["steps", "list", "--since", "soon"], env);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("yesterday") });
  });

  it("is listed with its age, its last step and the reason", async () => {
    const failed = await runproof(["traces", "list", "--status", "failed"], env);
    expect(failed.stdout).toMatch(
      /^r-503 +failed +(20|21) m \d\d s +#2 refund success +the shop was down +support$/mu,
    );
  });
});

describe("what is stuck", () => {
  it("is an open run whose lease is over, with how long and where it stopped", async () => {
    const stuck = () => runproof(["traces", "list", "--stuck"], env);
    const plan = here.write("plan.json", planOf(`${web.url}/ok`, `${web.url}/hangs`));
    const begun = start(["run", "--plan", plan, "--run-id", "r-dead"], env, here.path);
    await begun.says("step 0");
    expect(await stuck()).toMatchObject({ code: 0, stdout: "", stderr: "no runs match\n" });
    begun.signal("SIGKILL");
    await begun.ended;
    await queryDatabase(
      database.url,
      "update aos_trace_leases set expires_at = clock_timestamp() - interval '2 minutes'",
    );
    expect(lines(await stuck())).toEqual([
      expect.stringMatching(
        /^r-dead +running .* #0 http_call success HTTP_200 +quiet for .*, lease over for 2 m 0\d s/u,
      ),
    ]);
    // A command that writes sweeps it, whenever it comes: not in the midst of another test.
    expect(await runproof(["sweep"], env)).toMatchObject({ code: 0 });
    expect(await stuck()).toMatchObject({ stdout: "" });
  });
});

describe("stats", () => {
  it("counts archived runs with the others, and lists their calls as before", async () => {
    const old = {
      type: "run",
      run_id: "r-archived",
      started_at: "2020-01-31T12:00:00Z",
      agent_id: "archivist",
    };
    const end = { type: "end", status: "completed", completed_at: "2020-01-31T12:00:01Z" };
    const step = { type: "step", ...refund("9"), cost_cents: 2, duration_ms: 5 };
    const file = here.write(
      "old.ndjson",
      [old, step, end].map((each) => JSON.stringify(each)).join("\n"),
    );
    await runproof(["import", file, "--format", "ndjson"], env);
    const asked = () =>
      Promise.all([
        runproof(["stats", "--agent-id", "archivist"], env),
        runproof(["steps", "list", "--agent-id", "archivist"], env),
      ]);
    const before = await asked();
    expect(before[0].stdout).toMatch(/^2020-01-31 +1 +0 +0 +1 +0 +0 +0 +2 c +5 ms +5 ms$/mu);
    expect(before[1].stdout).toContain("refund(");
    await pastTriggers(
      ...TABLES.slice(0, 2).flatMap((table) => [
        `insert into ${table}_archive select * from ${table} where run_id = 'r-archived'`,
        `delete from ${table} where run_id = 'r-archived'`,
      ]),
    );
    const [left] = await queryDatabase(
      database.url,
      "select count(*)::int as n from aos_traces where run_id = 'r-archived'",
    );
    expect(left).toEqual({ n: 0 });
    expect(await asked()).toEqual(before);
  });
});

describe("an import that is interrupted", () => {
  it("says that nothing of it is stored", async () => {
    const lines = run("r-broken", 1, [refund("1")]).map((line) => JSON.stringify(line));
    const file = here.write("broken.ndjson", lines.join("\n"));
    // Nobody writes a step while this waits: the import is in the midst of its transaction.
    const lock = queryDatabase(
      database.url,
      `do $$ begin lock table aos_trace_steps; perform pg_sleep(600); end $$`,
    ).catch(() => null);
    const sessions = (condition: string) =>
      queryDatabase(
        database.url,
        `select pid from pg_stat_activity where datname = current_database() and ${condition}`,
      );
    const until = async (condition: string) => {
      while ((await sessions(condition)).length === 0) await setImmediate();
    };
    await until("wait_event = 'PgSleep'");
    const importing = start(["import", file, "--format", "ndjson"], env, here.path);
    await until("wait_event_type = 'Lock'");
    importing.signal("SIGINT");
    const { code, stderr } = await importing.ended;
    const [sleeping] = await sessions("wait_event = 'PgSleep'");
    await queryDatabase(database.url, `select pg_terminate_backend(${String(sleeping?.["pid"])})`);
    await lock;
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: `interrupted: nothing of ${file} is stored\n`,
    });
    const listed = await runproof(["traces", "list", "--run-id", "r-broken", "--json"], env);
    expect(json(listed)["traces"]).toEqual([]);
  });
});

describe("an import of a pipe that falls silent", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("is ended by one %s", async (signal) => {
    const spool = mkdtempSync(join(here.path, "spool-"));
    const path = join(spool, "pipe");
    execFileSync("mkfifo", [path]);
    // Both its ends: it never comes to an end of its own.
    const pipe = await open(path, "r+");
    const args = ["import", "-", "--format", "ndjson"];
    const importing = start(args, { ...env, TMPDIR: spool }, here.path, undefined, pipe.fd);
    const blank = Buffer.alloc(1024, " ");
    await pipe.write(blank);
    const spooled = () =>
      readdirSync(spool, { recursive: true, encoding: "utf8" }).some(
        (name) => name.endsWith("source") && statSync(join(spool, name)).size === blank.byteLength,
      );
    // All that was written is read, and more is waited for.
    while (!spooled()) await setImmediate();
    importing.signal(signal);
    expect(await importing.ended).toEqual({
      code: 130,
      stdout: "",
      stderr: "interrupted: nothing of - is stored\n",
    });
    await pipe.close();
  });
});

describe("an import of a file that grows", () => {
  it("takes with --skip-existing only what is new and has ended, and refuses what says otherwise", async () => {
    const lines = (...runs: ReadonlyArray<ReadonlyArray<object>>) =>
      here.write(
        "growing.ndjson",
        runs
          .flat()
          .map((line) => JSON.stringify(line))
          .join("\n"),
      );
    const importing = (file: string, ...more: ReadonlyArray<string>) =>
      runproof(["import", file, "--format", "ndjson", "--tenant-id", "grows", ...more], env);
    const first = run("g-1", 5, [refund("1")]);
    const second = run("g-2", 4, [refund("2")]);
    expect(await importing(lines(first))).toMatchObject({ code: 0 });
    const begun = await importing(lines(first, second.slice(0, -1)), "--skip-existing");
    expect(begun).toMatchObject({ code: 0, stdout: "" });
    expect(begun.stderr).toContain("1 run skipped: stored already");
    expect(begun.stderr).toContain("g-2 has no end yet");
    const ended = await importing(lines(first, second), "--skip-existing", "--json");
    expect(json(ended)).toMatchObject({
      runs: [{ run_id: "g-2", step_count: 1 }],
      skipped: ["g-1"],
      unfinished: null,
    });
    const longer = run("g-1", 5, [refund("1"), refund("1")]);
    const other = await importing(lines(longer), "--skip-existing");
    expect(other).toMatchObject({ code: 2, stdout: "" });
    expect(other.stderr).toContain('the run "g-1" is stored as succeeded with 1 steps');
    expect(await importing(lines(first))).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("traces show", () => {
  const show = (...more: ReadonlyArray<string>) =>
    runproof(["traces", "show", "r-503", ...more], env);

  it("shows the goal, and with --failed what failed alone", async () => {
    const { stdout } = await show("--failed");
    expect(stdout).toMatch(/^goal +work of r-503$/mu);
    expect(stdout).toMatch(/^shown +2 of 3$/mu);
    expect(stdout).not.toContain("refund(");
    const document = json(await show("--failed", "--json"));
    expect(document["steps"]).toHaveLength(2);
  });

  it("shows what each step was given and answered with --payload", async () => {
    const { stdout } = await show("--payload");
    expect(stdout).toContain('"url": "https://shop.example.com/orders/7"');
    expect(stdout).toContain('"body": "answered failure"');
    expect(stdout).toContain('"refunded": "7"');
    expect((await show()).stdout).not.toContain("answered");
  });

  it("shows one step whole, and refuses one that is not there", async () => {
    const { stdout } = await show("--step", "1");
    expect(stdout).toContain("answered failure");
    expect(stdout).not.toContain("answered retry");
    expect(stdout).toMatch(/^outcome_code +HTTP_503$/mu);
    const document = json(await show("--step", "1", "--json"));
    expect(document["steps"]).toMatchObject([{ record: { step_index: 1 } }]);
    expect(await show("--step", "9")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("no step 9"),
    });
  });
});
