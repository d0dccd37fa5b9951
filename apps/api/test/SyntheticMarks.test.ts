/**
 * Goal: a mark that comes over HTTP reaches its trace and its steps, by whatever route. Method: the whole service over a real
 * server, and the rows that it stored.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;
let site: Server;

beforeAll(async () => {
  site = createServer((_request, response) => response.end("{}"));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  service = await serve(database.url, undefined, {}, { executes_plans: true });
});
afterAll(async () => {
  await service.close();
  await database.drop();
  site.close();
});

const MARK = { is_synthetic: true, synthetic_scenario_id: "outage" };
const SPAN = "5b8efff798038103d269b633813fc60c";

const marksOf = (run_id: string) =>
  queryDatabase(
    database.url,
    `select t.is_synthetic as trace, t.synthetic_scenario_id as scenario, s.is_synthetic as step,
            s.synthetic_scenario_id = t.synthetic_scenario_id as same
     from aos_traces t join aos_trace_steps s using (trace_id) where t.run_id = '${run_id}'`,
  );
const marked = [{ trace: true, scenario: "outage", step: true, same: true }];

const planOf = () => {
  const { port } = site.address() as AddressInfo;
  const params = { method: "GET", url: `http://127.0.0.1:${port}/` };
  return { steps: [{ skill: "http_call", params }] };
};

const spans = (attributes: ReadonlyArray<object>) => ({
  resourceSpans: [
    {
      resource: { attributes },
      scopeSpans: [{ spans: [{ traceId: SPAN, spanId: "eee19b7ec3c1b174", name: "call" }] }],
    },
  ],
});

describe("a mark", () => {
  it("of a run that is started reaches what is added to it", async () => {
    const started = await service.call("POST", "/v1/runs", key, { run_id: "started", ...MARK });
    expect(started.status).toBe(201);
    const steps = [{ skill_id: "search", status: "success" }];
    expect((await service.call("POST", "/v1/runs/started/steps", key, { steps })).status).toBe(201);
    expect(await marksOf("started")).toEqual(marked);
  });

  it("of a plan reaches its trace", async () => {
    const body = { run_id: "planned", plan: planOf(), ...MARK };
    expect((await service.call("POST", "/v1/runs/execute", key, body)).status).toBe(201);
    expect(await marksOf("planned")).toEqual(marked);
  });

  it("of spans is their resource's attribute", async () => {
    const value = { stringValue: "outage" };
    const body = spans([{ key: "runproof.synthetic_scenario_id", value }]);
    expect((await service.call("POST", "/v1/traces", key, body)).status).toBe(200);
    expect(await marksOf(SPAN)).toEqual(marked);
  });

  it.each(["/v1/runs", "/v1/runs/execute"])("without a scenario is refused at %s", async (path) => {
    const plan = path === "/v1/runs" ? {} : { plan: planOf() };
    const body = { run_id: "unnamed", is_synthetic: true, ...plan };
    const answer = await service.call("POST", path, key, body);
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.text).toContain("synthetic_scenario_id");
    expect(
      await queryDatabase(database.url, "select from aos_traces where run_id = 'unnamed'"),
    ).toEqual([]);
  });

  it("narrows the list of runs", async () => {
    await service.call("POST", "/v1/runs", key, { run_id: "work" });
    const found = async (query: string) => {
      const { body } = await service.call("GET", `/v1/runs?${query}`, key);
      const traces = body["traces"] as ReadonlyArray<{ readonly run_id: string }>;
      return traces.map(({ run_id }) => run_id).toSorted();
    };
    expect(await found("synthetic=none")).toEqual(["work"]);
    expect(await found("synthetic=only")).toEqual([SPAN, "planned", "started"]);
    expect(await found("scenario=peak")).toEqual([]);
    expect((await service.call("GET", "/v1/runs?synthetic=some", key)).status).toBe(400);
  });
});
