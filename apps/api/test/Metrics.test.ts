/**
 * Goal: whoever operates the service sees from its metrics what is asked of it and what is under way, and nothing of a tenant's.
 * Method: the whole service over a real server, and its metrics as a Prometheus server reads them.
 */
import type { TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme-of-metrics");
  service = await serve(database.url);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** The samples by their names and labels; labels are in the order of their names. */
const samples = async () => {
  const { text, headers } = await service.call("GET", "/metrics", key);
  expect(headers.get("content-type")).toContain("text/plain");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
};

const requests = (method: string, route: string, status: number) =>
  `runproof_http_requests_total{method="${method}",route="${route}",status="${status}"}`;

it("counts requests by route and status, and what is under way", async () => {
  const before = await samples();
  const since = (now: ReadonlyMap<string, number>, name: string) =>
    (now.get(name) ?? 0) - (before.get(name) ?? 0);
  for (const run_id of ["one", "two"]) {
    await service.call("POST", "/v1/runs", key, { run_id });
    await service.call("GET", `/v1/runs/${run_id}`, key);
  }
  await service.call("GET", "/v1/runs/three", key);
  await service.call("POST", "/v1/runs/one/complete", key, {});
  await service.call("GET", "/v1/runs/one");
  const now = await samples();
  expect(since(now, requests("POST", "/v1/runs", 201))).toBe(2);
  expect(since(now, requests("GET", "/v1/runs/{run_id}", 200))).toBe(2);
  expect(since(now, requests("GET", "/v1/runs/{run_id}", 404))).toBe(1);
  expect(since(now, requests("GET", "/v1/runs/{run_id}", 401))).toBe(1);
  const took = `runproof_http_request_duration_seconds_count{method="GET",route="/v1/runs/{run_id}"}`;
  expect(since(now, took)).toBe(4);
  expect(now.get("runproof_open_traces")).toBe(1);
  expect(now.get("runproof_traces_past_lease")).toBe(0);
  const entries = now.get("runproof_log_entries")! + now.get("runproof_log_entries_waiting")!;
  expect(entries).toBe(3);
});

it("names no tenant and no run, and asks for a key", async () => {
  await service.call("POST", "/v1/runs", key, { run_id: "a-run-by-name" });
  const { text } = await service.call("GET", "/metrics", key);
  expect(text).not.toContain("acme-of-metrics");
  expect(text).not.toContain("a-run-by-name");
  expect((await service.call("GET", "/metrics")).status).toBe(401);
});
