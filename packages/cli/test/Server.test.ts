/**
 * Goal: every command does what it says and answers with the exit code of its class, data on stdout and notes on stderr.
 * Method: the real process on a real server, with HTTP calls to a real port.
 */
import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  type Environment,
  folder,
  json,
  ndjson,
  planOf,
  proofOf,
  runproof,
  site,
} from "./runproof.ts";

const here = folder();
let web: Awaited<ReturnType<typeof site>>;
let database: TestDatabase;
let env: Environment;

beforeAll(async () => {
  web = await site();
  database = await createDatabase(inject("postgresUrl"));
  env = { DATABASE_URL: database.url };
  await runproof(["migrate"], env);
});
afterAll(async () => {
  here.remove();
  await web.close();
  await database.drop();
});

describe("migrate", () => {
  it("is asked for on a database without a schema, and applies each migration once", async () => {
    const fresh = await createDatabase(inject("postgresUrl"));
    const unmigrated = { DATABASE_URL: fresh.url };
    const early = await runproof(["traces", "list", "--tenant-id", "t"], unmigrated);
    expect(early).toMatchObject({ code: 5, stdout: "" });
    expect(early.stderr).toContain("runproof migrate");
    const migrated = await runproof(["migrate"], unmigrated);
    expect(migrated).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^applied +1 +traces$/mu),
    });
    const again = await runproof(["migrate", "--json"], unmigrated);
    expect(again).toEqual({ code: 0, stdout: '{"applied":[]}\n', stderr: "" });
    await fresh.drop();
  });
});

describe("run", () => {
  const run = (plan: string, run_id: string, ...more: ReadonlyArray<string>) =>
    runproof(["run", "--plan", plan, "--tenant-id", "t", "--run-id", run_id, ...more], env);

  it("executes a plan, tells its steps on stderr, and proves, lists and shows what it recorded", async () => {
    const outcome = await run(
      here.write("one.json", planOf(`${web.url}/ok`)),
      "r-good",
      "--agent-id",
      "a",
      "--json",
    );
    expect(outcome.code).toBe(0);
    expect(json(outcome)).toMatchObject({ run_id: "r-good", status: "completed", step_count: 1 });

    const proof = await runproof(["proof", "r-good", "--tenant-id", "t"], env);
    expect(proof).toMatchObject({ code: 0, stderr: "" });
    expect(proof.stdout).toMatch(/^VERIFIED {2}run r-good of tenant t$/mu);
    expect(proof.stdout).toContain(String(json(outcome)["root_hash"]));
    for (const model of ["HASH_CHAIN", "MERKLE_TREE"]) {
      const args = ["proof", "r-good", "--tenant-id", "t", "--model", model, "--json"];
      const { integrity } = json(await runproof(args, env)) as unknown as RunProofResult;
      expect(integrity).toMatchObject({ model, verification_status: "VERIFIED", chain_length: 1 });
    }

    const listed = await runproof(["traces", "list", "--tenant-id", "t", "--agent-id", "a"], env);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout.match(/^r-\S+/gmu)).toEqual(["r-good"]);
  });

  it("answers 8 for a run that failed, which is recorded and shown like any other", async () => {
    const plan = here.write("two.json", planOf(`${web.url}/ok`, `${web.url}/ok?again`));
    const ran = await run(plan, "r-failed");
    expect(ran).toMatchObject({ code: 8, stdout: expect.stringMatching(/^status +failed$/mu) });
    expect(ran.stderr).toMatch(/^step 0 {2}GET \/ok +success HTTP_200 /mu);
    expect(ran.stderr).toMatch(/^step 1 {2}GET \/ok\?again=… +failure HTTP_404 /mu);
    const shown = await runproof(["traces", "show", "r-failed", "--tenant-id", "t"], env);
    expect(shown.stdout).toMatch(/^ ?0 {2}GET \/ok .*✓ success HTTP_200/mu);
    expect(shown.stdout).toMatch(/^ ?1 {2}GET \/ok\?again=… .*✗ failure HTTP_404/mu);
  });

  it("refuses a plan that can't run, and a run id that is taken, before anything runs", async () => {
    const flying = here.write("fly.json", '{"steps": [{"skill": "fly", "params": {}}]}');
    expect(await run(flying, "r-fly")).toMatchObject({ code: 2, stdout: "" });
    const empty = here.write("empty.json", '{"steps": []}');
    expect(await run(empty, "r-empty")).toMatchObject({ code: 2, stdout: "" });
    const plan = here.write("ok.json", planOf(`${web.url}/ok`));
    await run(plan, "r-taken");
    const taken = await run(plan, "r-taken");
    expect(taken).toMatchObject({ code: 2, stdout: "" });
    expect(taken.stderr).toContain("already recorded");
  });
});

describe("import", () => {
  it("brings in a file of runs, which are listed page after page, the next cursor on stderr", async () => {
    const path = here.write("three.ndjson", ndjson("p-1", "p-2", "p-3"));
    const args = ["import", path, "--format", "ndjson", "--tenant-id", "pages"];
    const imported = await runproof(args, env);
    expect(imported.code).toBe(0);
    expect(imported.stdout).toMatch(/^p-2 +completed +2 {2}[0-9a-f]{64}$/mu);
    expect(imported.stderr).toContain("3 runs with 6 steps");

    const page = ["traces", "list", "--tenant-id", "pages", "--limit", "2"];
    const first = await runproof(page, env);
    const cursor = /--cursor (\S+)/u.exec(first.stderr)?.[1] ?? "";
    const rest = await runproof([...page, "--cursor", cursor], env);
    expect(rest.stderr).toBe("");
    const ids = [first, rest].flatMap(({ stdout }) => stdout.match(/p-\d/gu) ?? []);
    expect(ids.toSorted()).toEqual(["p-1", "p-2", "p-3"]);
  });

  it("takes all of a file or nothing, and names the bad line", async () => {
    const bad = ndjson("b-2").replace('"success"', '"great"');
    const path = here.write("bad.ndjson", `${ndjson("b-1")}\n${bad}`);
    const args = ["import", path, "--format", "ndjson", "--tenant-id", "t"];
    const refused = await runproof(args, env);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(`${path}:6`);
    const listed = await runproof(["traces", "list", "--tenant-id", "t", "--run-id", "b-1"], env);
    expect(listed).toEqual({ code: 0, stdout: "", stderr: "no runs match\n" });
  });
});

describe("proof and verify", () => {
  let bundle: string;

  beforeAll(async () => {
    const path = here.write("bundled.ndjson", ndjson("bundled"));
    await runproof(["import", path, "--format", "ndjson", "--tenant-id", "t"], env);
    bundle = join(here.path, "bundled.runproof.json");
    const args = ["proof", "bundled", "--tenant-id", "t", "--bundle", bundle];
    expect(await runproof(args, env)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`bundle written to ${bundle}\n`),
    });
  });

  it("verifies a bundle with no database, and with no look at the configuration", async () => {
    const elsewhere = folder();
    const unusable = { DATABASE_URL: "nonsense", USE_POSTGRES_TRACES: "perhaps" };
    const verified = await runproof(["verify", bundle, "--json"], unusable, elsewhere.path);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    const { integrity } = json(verified) as unknown as RunProofResult;
    expect(integrity).toMatchObject({ verification_status: "VERIFIED", chain_length: 2 });
    expect(existsSync(join(elsewhere.path, ".runproof"))).toBe(false);
    elsewhere.remove();

    const root = integrity.root_hash ?? "";
    expect((await runproof(["verify", bundle, "--root-hash", root])).code).toBe(0);
    expect((await runproof(["verify", bundle, "--root-hash", "0".repeat(64)])).code).toBe(6);
  });

  it("answers 6 for a bundle that was changed, and names the step", async () => {
    const forged = readFileSync(bundle, "utf8").replace("weather", "wealthy");
    const failed = await runproof(["verify", here.write("forged.json", forged)]);
    expect(failed).toMatchObject({ code: 6, stderr: "" });
    expect(failed.stdout).toMatch(/^FAILED /mu);
    expect(failed.stdout).toContain("PAYLOAD_MISMATCH step 0");
  });

  it.each([
    ["that is not there", null],
    ["that is not JSON", "{"],
    ["of another format", '{"format": "zip"}'],
    ["that is not UTF-8", Buffer.from([0xff, 0xfe])],
  ])("answers 2 for a bundle %s", async (_, content) => {
    const missing = join(here.path, "missing.json");
    const path = content === null ? missing : here.write("unreadable.json", content);
    const { code, stdout, stderr } = await runproof(["verify", path]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*\n {2}try: /u);
  });

  it("answers 3 for a run that is not there, or is another tenant's", async () => {
    const proof = await runproof(["proof", "bundled", "--tenant-id", "other"], env);
    expect(proof.code).toBe(3);
    expect(proof.stdout).toContain("No trace found for run");
    const shown = await runproof(["traces", "show", "bundled", "--tenant-id", "other"], env);
    expect(shown).toMatchObject({ code: 3, stdout: "" });
    expect(shown.stderr).toContain("no run bundled in tenant other");
  });

  it("answers 7 for a run that is still open", async () => {
    await runproof(
      [
        "import",
        here.write("open.ndjson", ndjson("r-open")),
        "--format",
        "ndjson",
        "--tenant-id",
        "t",
      ],
      env,
    );
    await queryDatabase(
      database.url,
      "alter table aos_traces disable trigger s6_update",
      `update aos_traces
          set status = 'running', reason = null, completed_at = null, sealed_at = null, step_count = null, chain_head = null,
              merkle_root = null, seal_record = null, root_hash = null, metadata = null, metadata_salt = null,
              metadata_commitment = null
        where run_id = 'r-open'`,
      "alter table aos_traces enable always trigger s6_update",
    );
    const proof = await runproof(["proof", "r-open", "--tenant-id", "t"], env);
    expect(proof).toMatchObject({ code: 7, stdout: expect.stringMatching(/^UNSUPPORTED /mu) });
    const unmade = join(here.path, "open.json");
    await runproof(["proof", "r-open", "--tenant-id", "t", "--bundle", unmade], env);
    expect(existsSync(unmade)).toBe(false);
    expect((await proofOf("r-open", env)).lifecycle).toBe("OPEN");
  });
});

describe("validate", () => {
  it("stops without a trace, passes on a run, and fails once the run is tampered with", async () => {
    const production = {
      ...env,
      USE_POSTGRES_TRACES: "true",
      // The tests of step 5 then need not start a server of their own.
      RUNPROOF_TEST_DATABASE_URL: inject("postgresUrl"),
    };
    const report = join(here.path, "report.md");
    const validate = ["validate", "--tenant-id", "v", "--report", report];
    const careless = await runproof(validate, env);
    expect(careless).toMatchObject({ code: 2, stdout: "" });
    expect(careless.stderr).toContain("USE_POSTGRES_TRACES");

    const none = await runproof(validate, production);
    expect(none.code).toBe(3);
    expect(none.stdout).toContain("No trace data available in aos_traces.");

    const plan = here.write("served.json", planOf(`${web.url}/ok`));
    await runproof(["run", "--plan", plan, "--tenant-id", "v", "--run-id", "served"], env);
    const passed = await runproof([...validate, "--json"], production);
    expect(passed.code).toBe(0);
    expect(json(passed)).toMatchObject({
      passed: true,
      run_id: "served",
      test_suite: "coordinator tests",
    });
    expect(readFileSync(report, "utf8")).toContain(
      "| Coordinator verification\\_status | VERIFIED |",
    );

    await queryDatabase(
      database.url,
      "alter table aos_trace_steps disable trigger s6_update",
      "update aos_trace_steps set duration_ms = duration_ms + 1 where run_id = 'served'",
      "alter table aos_trace_steps enable always trigger s6_update",
    );
    const failed = await runproof(validate, production);
    expect(failed.code).toBe(6);
    expect(failed.stdout).toMatch(/^FAIL +verification_status is VERIFIED/mu);
  });

  it("never falls back from the production path", async () => {
    const { code, stderr } = await runproof(["validate", "--tenant-id", "t"], {
      USE_POSTGRES_TRACES: "true",
    });
    expect(code).toBe(2);
    expect(stderr).toContain("DATABASE_URL");
  });
});

describe("every command with a database", () => {
  it("takes a flag before the environment", async () => {
    const wrong = { DATABASE_URL: "postgresql://127.0.0.1:1/none" };
    const args = ["traces", "list", "--tenant-id", "nobody"];
    expect((await runproof(args, wrong)).code).toBe(5);
    expect((await runproof([...args, "--database-url", database.url], wrong)).code).toBe(0);
  });

  it("answers 5 with the password hidden where there is no server, and 4 where the login is refused", async () => {
    const args = ["proof", "r", "--tenant-id", "t"];
    const gone = await runproof(args, {
      DATABASE_URL: "postgresql://user:hunter2@127.0.0.1:1/none",
    });
    expect(gone).toMatchObject({ code: 5, stdout: "" });
    expect(gone.stderr).not.toContain("hunter2");

    const url = new URL(database.url);
    url.username = "nobody_of_that_name";
    const refused = await runproof(args, { DATABASE_URL: url.href });
    expect(refused).toMatchObject({ code: 4, stdout: "" });
  });
});

describe("doctor", () => {
  it("answers 5 and a remedy where a defence is down", async () => {
    expect((await runproof(["doctor"], env)).code).toBe(0);
    await queryDatabase(database.url, "alter table aos_traces disable trigger s6_delete");
    const { code, stdout } = await runproof(["doctor", "--json"], env);
    await queryDatabase(database.url, "alter table aos_traces enable always trigger s6_delete");
    expect(code).toBe(5);
    const { checks } = JSON.parse(stdout) as { checks: ReadonlyArray<Record<string, unknown>> };
    expect(checks).toContainEqual({
      name: "defences",
      status: "fail",
      detail: expect.stringContaining("s6_delete"),
      remedy: expect.any(String),
    });
  });
});

describe("tenants and API keys", () => {
  it("makes a key once for a tenant that is there, lists it without its secret, and ends it", async () => {
    const create = ["keys", "api", "create", "--tenant-id", "keyed", "--name", "collector"];
    expect(await runproof(create, env)).toMatchObject({ code: 2, stdout: "" });
    expect(await runproof(["tenants", "create", "keyed"], env)).toMatchObject({ code: 0 });
    expect(json(await runproof(["tenants", "create", "keyed", "--json"], env))).toEqual({
      tenant_id: "keyed",
      is_new: false,
    });
    const made = await runproof([...create, "--expires", "2099-01-31"], env);
    expect(made.stderr).toContain("shown this once");
    const [, key_id = "", secret = ""] =
      /^rp_live_([0-9a-z]{12})_([\w-]{43})\n$/u.exec(made.stdout) ?? [];
    const stored = await queryDatabase(database.url, "select * from aos_api_keys");
    expect(JSON.stringify(stored)).not.toContain(secret);
    const list = ["keys", "api", "list", "--tenant-id", "keyed", "--json"];
    const key = { key_id, name: "collector", scopes: ["write", "read"], revoked_at: null };
    expect(json(await runproof(list, env))).toMatchObject({
      keys: [{ ...key, expires_at: "2099-01-31T00:00:00.000000Z", last_used_at: null }],
    });
    expect(await runproof(["keys", "api", "revoke", key_id], env)).toMatchObject({ code: 0 });
    expect(await runproof(["keys", "api", "revoke", "none"], env)).toMatchObject({ code: 2 });
    expect((await runproof(["keys", "api", "list"], env)).stdout).toMatch(/collector +.*revoked/u);
  });
});
