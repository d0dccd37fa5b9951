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
const start = (
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Service> =>
  new Promise((resolve, reject) => {
    const { PATH = "" } = process.env;
    const env = { PATH, DATABASE_URL: databaseUrl, RUNPROOF_API_PORT: "0", ...settings };
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

  it("starts on a migrated database only, is ready there while its defences stand, and always live", async () => {
    await expect(start(database.url)).rejects.toThrow(/ended with 1.*runproof migrate/su);
    await migrate(database.url);
    const service = await start(database.url);
    expect(await get(`${service.url}/health/live`)).toMatchObject({
      status: 200,
      body: { status: "live" },
    });
    expect(await getOnce(`${service.url}/health/ready`, 200)).toMatchObject({
      body: { status: "ready" },
    });

    await queryDatabase(database.url, "alter table aos_trace_steps disable trigger s6_update");
    const { type, body } = await getOnce(`${service.url}/health/ready`, 503);
    expect(type).toBe("application/problem+json");
    expect(body["checks"]).toContainEqual({ name: "defences", status: "fail" });
    await queryDatabase(
      database.url,
      "alter table aos_trace_steps enable always trigger s6_update",
    );
    expect(await service.stop("SIGTERM")).toBe(0);
  });

  it("does not start where there is no server, and says which it looked for without its password", async () => {
    const none = start("postgresql://user:hunter2@127.0.0.1:1/none");
    await expect(none).rejects.toThrow(/ended with 1.*127\.0\.0\.1:1/su);
    await expect(none).rejects.not.toThrow(/hunter2/u);
  });

  it("says everything that is wrong with its settings at once, and listens to strangers with keys only", async () => {
    const wrong = { RUNPROOF_API_PORT: "x", RUNPROOF_SERVICE_SECRET: "short" };
    await expect(start(database.url, wrong)).rejects.toThrow(
      /RUNPROOF_API_PORT.*RUNPROOF_SERVICE_SECRET/su,
    );
    const strangers = { RUNPROOF_API_HOST: "0.0.0.0" };
    await expect(start(database.url, strangers)).rejects.toThrow(/there is no API key/u);
  });

  it("describes itself and answers an unknown route with a problem", async () => {
    const service = await start(database.url);
    const { body } = await get(`${service.url}/openapi.json`);
    expect(Object.keys(body["paths"] as object)).toContain("/health/live");
    expect(body["info"]).toMatchObject({ title: "runproof" });
    expect(await get(`${service.url}/none`)).toMatchObject({
      status: 404,
      type: "application/problem+json",
    });
    await service.stop("SIGTERM");
  });
});
