/**
 * Goal: what a replay came to can be read by people and by CI, and a replay that is not to be recorded leaves a database as it
 * was. Method: the command on a real server and on an embedded database, against a site whose answer changes.
 */
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { cpSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Environment, folder, json, runproof } from "./runproof.ts";

const here = folder();
let database: TestDatabase;
let site: Server;
let price = 5;
let asked: Array<string> = [];
let plan: string;

beforeAll(async () => {
  database = await createDatabase(inject("postgresUrl"), inject("migratedDatabase"));
  site = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ price }));
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const { port } = site.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const call = (method: string, path: string, more: object = {}) => ({
    skill: "http_call",
    params: { method, url: `${url}${path}` },
    ...more,
  });
  const steps = [call("GET", "/price", { replay_behavior: "check" }), call("POST", "/pay")];
  plan = here.write("plan.json", JSON.stringify({ steps }));
  cpSync(inject("embeddedFolder"), join(here.path, "home"), { recursive: true });
});
afterAll(async () => {
  here.remove();
  site.close();
  await database.drop();
});

const places: ReadonlyArray<readonly [string, () => Environment]> = [
  ["a real server", () => ({ DATABASE_URL: database.url })],
  ["the embedded database", () => ({ RUNPROOF_HOME: join(here.path, "home") })],
];

describe.each(places)("a replay on %s", (_name, place) => {
  const command = (...args: ReadonlyArray<string>) =>
    runproof(args, { ...place(), RUNPROOF_TENANT_ID: "t" });

  it("says parity and writes nothing, then where a check differs, and ends with 9", async () => {
    price = 5;
    expect(await command("run", "--plan", plan, "--run-id", "r")).toMatchObject({ code: 0 });
    asked = [];
    const same = await command("replay", "r");
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/^PARITY\n/u);
    expect(same.stdout).toContain("written   nothing");
    expect(same.stdout).toMatch(/1 +http_call +success +1 +http_call +success +stands in/u);
    expect(asked).toEqual(["GET /price"]);
    price = 7;
    const other = await command("replay", "r", "--json");
    expect(other).toMatchObject({ code: 9, stderr: "" });
    expect(json(other)).toMatchObject({
      verdict: "DIVERGED",
      run: null,
      first_divergence: { row: 0, value: { path: "$.body.price", a: 5, b: 7 } },
      rows: [
        { kind: "changed", replay_behavior: "check", fields: ["outcome_data"] },
        { kind: "same", replay_behavior: "skip" },
      ],
    });
    const listed = json(await command("traces", "list", "--json"));
    expect(listed["traces"]).toMatchObject([{ run_id: "r" }]);
  });

  it("is a run of its own where it is to be recorded", async () => {
    price = 5;
    const kept = await command("replay", "r", "--record", "--as", "r-again");
    expect(kept).toMatchObject({ code: 0 });
    expect(kept.stdout).toContain("run r-again, completed");
    const proof = await command("proof", "r-again", "--json");
    expect(json(proof)).toMatchObject({ integrity: { verification_status: "VERIFIED" } });
    const shown = await command("traces", "show", "r-again");
    expect(shown.stdout).toMatch(/^replay +of r$/mu);
  });

  it("is refused, with its reason, of what can't be replayed", async () => {
    expect(await command("replay", "none")).toMatchObject({ code: 3, stdout: "" });
    const again = await command("replay", "r-again");
    expect(again).toMatchObject({ code: 7, stdout: "" });
    expect(again.stderr).toContain("not replayable: it is itself a replay of r");
    const named = await command("replay", "r", "--as", "x");
    expect(named).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("a replay that is not recorded", () => {
  it("makes no database, and adds no run", async () => {
    const env = { RUNPROOF_HOME: join(here.path, "missing"), RUNPROOF_TENANT_ID: "t" };
    expect(await runproof(["replay", "r"], env)).toMatchObject({ code: 5, stdout: "" });
    const rows = await queryDatabase(database.url, "select run_id from aos_traces order by run_id");
    expect(rows).toEqual([{ run_id: "r" }, { run_id: "r-again" }]);
  });
});
