/**
 * Goal: a probe tells what state the service is in, without the database's password.
 * Method: the real process on a free port of loopback, over a real server and over none.
 */
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { SchemaCoordinator } from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

interface Service {
  readonly url: string;
  readonly stop: (signal: NodeJS.Signals) => Promise<number | null>;
  /** What its log said so far. */
  readonly said: () => string;
}

let running: ChildProcess | undefined;

/** Starts the service and waits until it says where it listens. */
const start = (databaseUrl: string): Promise<Service> =>
  new Promise((resolve, reject) => {
    const { PATH = "" } = process.env;
    const env = { PATH, DATABASE_URL: databaseUrl, RUNPROOF_API_PORT: "0" };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "ignore", "pipe"] });
    running = child;
    const closed = new Promise<number | null>((end) => child.on("close", end));
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      const url = /Listening on (http:\/\/127\.0\.0\.1:\d+)/u.exec(said)?.[1];
      if (url !== undefined) {
        resolve({
          url,
          stop: (signal) => {
            child.kill(signal);
            return closed;
          },
          said: () => said,
        });
      }
    });
    void closed.then((code) => reject(new Error(`ended with ${code}: ${said}`)));
  });

const get = async (url: string) => {
  const response = await fetch(url);
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    body: (await response.json()) as Record<string, unknown>,
  };
};

/** Asks until the answer has that status: an answer holds for a moment. */
const getOnce = async (url: string, status: number) => {
  for (;;) {
    const answer = await get(url);
    if (answer.status === status) return answer;
  }
};

const migrate = (databaseUrl: string) =>
  Effect.flatMap(SchemaCoordinator, (coordinator) => coordinator.migrate()).pipe(
    Effect.provide(RunproofLayer.schemaFromEnvironment({ databaseUrl })),
    Effect.runPromise,
  );

describe("health", () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase(inject("postgresUrl"));
  });
  afterAll(() => database.drop());
  afterEach(() => running?.kill("SIGKILL"));

  it("is ready on a migrated database, not ready on one that is not, and always live", async () => {
    const service = await start(database.url);
    expect(await get(`${service.url}/health/live`)).toMatchObject({
      status: 200,
      body: { status: "live" },
    });
    const before = await get(`${service.url}/health/ready`);
    expect(before).toMatchObject({
      status: 503,
      type: "application/problem+json",
      body: { type: "urn:runproof:problem:not-ready", status: 503 },
    });
    expect(before.body["checks"]).toContainEqual({ name: "schema", status: "fail" });
    expect(service.said()).toContain("runproof migrate");

    await migrate(database.url);
    expect(await getOnce(`${service.url}/health/ready`, 200)).toMatchObject({
      body: { status: "ready" },
    });

    await queryDatabase(database.url, "alter table aos_trace_steps disable trigger s6_update");
    expect((await getOnce(`${service.url}/health/ready`, 503)).body["checks"]).toContainEqual({
      name: "defences",
      status: "fail",
    });
    expect(await service.stop("SIGTERM")).toBe(0);
  });

  it("is live and not ready where there is no server: who asks learns no host, the log no password", async () => {
    const service = await start("postgresql://user:hunter2@127.0.0.1:1/none");
    expect((await get(`${service.url}/health/live`)).status).toBe(200);
    const { status, body } = await get(`${service.url}/health/ready`);
    expect(status).toBe(503);
    expect(body["detail"]).toContain("database");
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|user|hunter2/u);
    expect(service.said()).toContain("127.0.0.1:1");
    expect(service.said()).not.toContain("hunter2");
    expect(await service.stop("SIGINT")).toBe(0);
  });

  it("describes itself and answers an unknown route with a problem", async () => {
    const service = await start(database.url);
    const { body } = await get(`${service.url}/openapi.json`);
    expect(Object.keys(body["paths"] as object)).toEqual(["/health/live", "/health/ready"]);
    expect(body["info"]).toMatchObject({ title: "runproof" });
    expect(await get(`${service.url}/none`)).toMatchObject({
      status: 404,
      type: "application/problem+json",
    });
    await service.stop("SIGTERM");
  });
});
