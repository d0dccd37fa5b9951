/**
 * Goal: what people said of runs, how two of them differ, and what a plan's execution came to, are answered of what is stored.
 * Method: the whole service over a real server; plans call the service itself.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Zip from "effect/encoding/Zip";
import * as Stream from "effect/Stream";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let executing: Service;
let key: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  service = await serve(database.url);
  executing = await serve(database.url, undefined, {}, { executes_plans: true });
});
afterAll(async () => {
  await service.close();
  await executing.close();
  await database.drop();
});

const recorded = async (run_id: string, ...params: ReadonlyArray<unknown>) => {
  await service.call("POST", "/v1/runs", key, { run_id });
  const steps = params.map((each) => ({ skill_id: "ask", status: "success", params: each }));
  await service.call("POST", `/v1/runs/${run_id}/steps`, key, { steps });
  await service.call("POST", `/v1/runs/${run_id}/complete`, key, {});
};

describe("signals", () => {
  it("are said by a key of a run that is there, and shown as they were said", async () => {
    await recorded("signalled", 1);
    const path = "/v1/runs/signalled/signals";
    expect((await service.call("GET", path, key)).text).toBe("null");
    expect((await service.call("GET", "/v1/runs/none/signals", key)).status).toBe(404);
    const signal = { signal: "escalate", to: "on-call", reason: "money moved" };
    const said = await service.call("POST", path, key, signal);
    const actor = `api key ${key.split("_")[2]}`;
    expect(said).toMatchObject({
      status: 201,
      body: { escalated: { actor, to: "on-call", reason: "money moved" }, acknowledged: null },
    });
    await service.call("POST", path, key, { signal: "acknowledge", reason: "seen" });
    const until = { signal: "suppress", until: "2099-01-01T00:00:00Z", reason: "known" };
    await service.call("POST", path, key, until);
    expect((await service.call("GET", path, key)).body).toMatchObject({
      acknowledged: { reason: "seen" },
      suppressed: { until: "2099-01-01T00:00:00.000000Z" },
      escalated: { to: "on-call" },
    });
    const over = { signal: "suppress", until: "2001-01-01T00:00:00Z", reason: "late" };
    expect((await service.call("POST", path, key, over)).status).toBe(400);
    expect((await service.call("POST", path, key, { signal: "suppress" })).status).toBe(400);
  });
});

describe("two runs", () => {
  it("are compared act by act, and one that is not there is no difference", async () => {
    await recorded("left", { q: 1 }, { q: 2 });
    await recorded("same", { q: 1 }, { q: 2 });
    await recorded("right", { q: 1 }, { q: 3 });
    const same = await service.call("GET", "/v1/runs/left/diff/same", key);
    expect(same.body).toMatchObject({ verdict: "PARITY", first_divergence: null });
    const other = await service.call("GET", "/v1/runs/left/diff/right?outcomes=true", key);
    expect(other.body).toMatchObject({ verdict: "DIVERGED", first_divergence: { row: 1 } });
    expect((await service.call("GET", "/v1/runs/left/diff/none", key)).status).toBe(404);
  });
});

describe("an export for auditors", () => {
  const exported = async (query: string) => {
    const response = await fetch(`${service.url}/v1/evidence-export${query}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(response.headers.get("content-type")).toBe("application/zip");
    const files = await Stream.make(new Uint8Array(await response.arrayBuffer())).pipe(
      Stream.pipeThroughChannel(Zip.decode()),
      Stream.mapEffect(({ header, body }) =>
        Effect.map(Stream.mkString(Stream.decodeText(body)), (text) => [header.path, text]),
      ),
      Stream.runCollect,
      Effect.runPromise,
    );
    return Object.fromEntries(files) as Record<string, string>;
  };

  it("has each run with its own verdict, and hashes of what it holds", async () => {
    const formula = "=HYPERLINK(1)";
    await recorded(formula, 1);
    await recorded("whole", 1);
    await recorded("changed", 1);
    await service.call("POST", "/v1/runs", key, { run_id: "begun" });
    for (const statement of [
      "alter table aos_trace_steps disable trigger all",
      "update aos_trace_steps set params = '2' where run_id = 'changed'",
    ])
      await queryDatabase(database.url, statement);
    const files = await exported("?started_from=2020-01-01T00:00:00Z");
    const table = files["runs.csv"]!;
    const rows = table.trimEnd().split("\r\n");
    const rowOf = (start: string) => rows.find((row) => row.startsWith(`${start},`)) ?? "";
    expect(rows[0]).toMatch(/^run_id,trace_id,agent_id,verification_status,failure_reason,/u);
    expect(rowOf("whole")).toMatch(/,VERIFIED,,SELF,COMPLETE,completed,inline,[0-9a-f]{64},1,/u);
    expect(rowOf("changed")).toMatch(/,FAILED,/u);
    expect(rowOf("begun")).toMatch(/,UNSUPPORTED,.*,OPEN,running,inline,/u);
    expect(rowOf(`'${formula}`)).toMatch(/,VERIFIED,/u);
    const manifest = JSON.parse(files["manifest.json"]!) as Record<string, unknown>;
    expect(manifest).toMatchObject({
      type: "runproof/evidence-export@v1",
      tenant_id: "acme",
      filter: { started_from: "2020-01-01T00:00:00Z" },
      runs: rows.length - 1,
      verdicts: { FAILED: 1, UNSUPPORTED: 1, VERIFIED: rows.length - 3 },
      checkpoint: null,
      files: [
        {
          path: "runs.csv",
          bytes: Buffer.byteLength(table),
          sha256: createHash("sha256").update(table).digest("hex"),
        },
      ],
    });
  });

  it("of no run says so", async () => {
    const files = await exported("?agent_id=nobody");
    expect(files["runs.csv"]!.trimEnd()).not.toContain("\n");
    expect(JSON.parse(files["manifest.json"]!)).toMatchObject({ runs: 0 });
  });
});

describe("a plan", () => {
  const planOf = (url: string) => ({
    steps: [{ skill: "http_call", params: { method: "GET", url } }],
  });

  it("is executed where the service's operator lets it, once for one key", async () => {
    const body = { run_id: "planned", plan: planOf(`${service.url}/health/live`) };
    expect((await service.call("POST", "/v1/runs/execute", key, body)).status).toBe(403);
    const named = { "idempotency-key": "p1" };
    const first = await executing.call("POST", "/v1/runs/execute", key, body, named);
    expect(first).toMatchObject({
      status: 201,
      body: { run_id: "planned", tenant_id: "acme", status: "completed", step_count: 1 },
    });
    const again = await executing.call("POST", "/v1/runs/execute", key, body, named);
    expect(again).toMatchObject({ status: 201, body: { trace_id: first.body["trace_id"] } });
    expect((await service.call("GET", "/v1/runs/planned/proof", key)).body).toMatchObject({
      lifecycle: "COMPLETE",
      integrity: { verification_status: "VERIFIED", root_hash: first.body["root_hash"] },
    });
  });

  it("that was recorded is replayed there, and a run of its own only where it is asked for", async () => {
    const plan = planOf(`${service.url}/health/live`);
    const body = { run_id: "to-replay", plan };
    expect((await executing.call("POST", "/v1/runs/execute", key, body)).status).toBe(201);
    const path = "/v1/runs/to-replay/replay";
    expect((await executing.call("POST", path, key, {})).status).toBe(403);
    const admin = await keyOf(database.url, "acme", ["admin"]);
    expect((await service.call("POST", path, admin, {})).status).toBe(403);
    const report = await executing.call("POST", path, admin, {});
    expect(report).toMatchObject({
      status: 200,
      body: { verdict: "UNCHECKED", run: null, rows: [{ kind: "same" }] },
    });
    const record = { run_id: "replayed" };
    expect((await executing.call("POST", path, admin, { record })).body).toMatchObject({
      run: { run_id: "replayed", status: "completed" },
    });
    const again = await executing.call("POST", "/v1/runs/replayed/replay", admin, {});
    expect(again).toMatchObject({
      status: 422,
      body: { type: "urn:runproof:problem:not-replayable" },
    });
  });

  it("that no skill fits is refused whole", async () => {
    const plan = { steps: [{ skill: "none", params: {} }] };
    const answer = await executing.call("POST", "/v1/runs/execute", key, { plan, run_id: "no" });
    expect(answer).toMatchObject({
      status: 400,
      body: { type: "urn:runproof:problem:skill-unknown" },
    });
    expect((await service.call("GET", "/v1/runs/no", key)).status).toBe(404);
  });

  it("is ABORTED where its caller goes away", async () => {
    const called = Promise.withResolvers<void>();
    const silent = createServer(() => called.resolve());
    await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
    const { port } = silent.address() as AddressInfo;
    const going = new AbortController();
    const asked = fetch(`${executing.url}/v1/runs/execute`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ run_id: "left-alone", plan: planOf(`http://127.0.0.1:${port}/`) }),
      signal: going.signal,
    });
    await called.promise;
    going.abort();
    await expect(asked).rejects.toThrow(/abort/u);
    const isOpen = async () => {
      const { body } = await service.call("GET", "/v1/runs/left-alone", key);
      return body["status"] === "running";
    };
    while (await isOpen());
    expect((await service.call("GET", "/v1/runs/left-alone", key)).body).toMatchObject({
      status: "aborted",
    });
    silent.close();
  });
});
