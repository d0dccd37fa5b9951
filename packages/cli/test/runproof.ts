import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Effect from "effect/Effect";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { program } from "../src/Cli.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** How a process of the real command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the real command, with nothing of the tests' environment but what is said. */
export interface Started {
  readonly ended: Promise<Ended>;
  /** Resolves once stderr holds the text; rejects if the process ends before. */
  readonly says: (text: string) => Promise<void>;
  /** The same of stdout, where it is no file. */
  readonly prints: (text: string) => Promise<void>;
  readonly signal: (name: NodeJS.Signals) => void;
}

export type Environment = Readonly<Record<string, string>>;

/** Starts `runproof` in `folder`, its stdout on an open file where one is given. */
export const start = (
  args: ReadonlyArray<string>,
  env: Environment = {},
  folder = tmpdir(),
  stdout_fd?: number,
  stdin: "ignore" | number = "ignore",
): Started => {
  const { PATH = "", NODE_COMPILE_CACHE = join(tmpdir(), "runproof-test-compile-cache") } =
    process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH, NODE_COMPILE_CACHE, LANG: "C.UTF-8", TERM: "xterm-256color", ...env },
    stdio: [stdin, stdout_fd ?? "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const waiting = new Set<() => void>();
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    for (const check of waiting) check();
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    for (const check of waiting) check();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  const until = (has: (text: string) => boolean, text: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (has(text)) resolve();
      };
      waiting.add(check);
      check();
      void ended.then((end) =>
        reject(new Error(`ended without saying ${text}: ${JSON.stringify(end)}`)),
      );
    });
  return {
    ended,
    says: (text) => until((each) => stderr.includes(each), text),
    prints: (text) => until((each) => stdout.includes(each), text),
    signal: (name) => child.kill(name),
  };
};

/** A stream that keeps what is written to it; no terminal. */
const sink = () => {
  let text = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
};

const WORKER_ENVIRONMENT = { LANG: "C.UTF-8", TERM: "xterm-256color" };

/** Runs a command line to its end in this process: all but what only a process of its own can show. */
const here = async (args: ReadonlyArray<string>, env: Environment): Promise<Ended> => {
  const [stdout, stderr] = [sink(), sink()];
  const { effect, conclude } = program(args, {
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: { ...WORKER_ENVIRONMENT, ...env },
  });
  const { code, lines } = conclude(await Effect.runPromiseExit(effect), false);
  for (const line of lines) stderr.stream.write(`${line}\n`);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
};

/** Runs `runproof` to its end: in a folder or with a file for its stdout as a process of its own. */
export const runproof = (
  args: ReadonlyArray<string>,
  env: Environment = {},
  folder?: string,
  stdout_fd?: number,
): Promise<Ended> =>
  folder === undefined && stdout_fd === undefined
    ? here(args, env)
    : start(args, env, folder, stdout_fd).ended;

/** A folder of its own, to write files in and to remove. */
export const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "runproof-cli-test-"));
  return {
    path,
    write: (name: string, content: string | Uint8Array): string => {
      const target = join(path, name);
      writeFileSync(target, content);
      return target;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
};

/** A server on loopback: `/ok` answers 200, `/gone` 404, and `/hangs` never. */
export const site = async () => {
  const server: Server = createServer((request, response) => {
    if (request.url === "/hangs") return;
    response.writeHead(request.url === "/ok" ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ path: request.url }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** A plan of `GET` steps. */
export const planOf = (...urls: ReadonlyArray<string>): string =>
  JSON.stringify({
    steps: urls.map((url) => ({ skill: "http_call", params: { method: "GET", url } })),
  });

/** What a command printed as JSON on stdout. */
export const json = (ended: Ended): Record<string, unknown> =>
  JSON.parse(ended.stdout) as Record<string, unknown>;

/** The proof of a run of tenant `t`, as `proof --json` prints it. */
export const proofOf = async (run_id: string, env: Environment): Promise<RunProofResult> => {
  const ended = await runproof(["proof", run_id, "--tenant-id", "t", "--json"], env);
  return json(ended) as unknown as RunProofResult;
};

const ndjsonStep = (fields: object): string =>
  JSON.stringify({ type: "step", skill_id: "search", status: "success", ...fields });

/** Recorded runs of two steps each, as `import --format ndjson` takes them. */
export const ndjson = (...run_ids: ReadonlyArray<string>): string =>
  run_ids
    .flatMap((run_id) => [
      JSON.stringify({ type: "run", run_id, started_at: "2026-02-10T12:00:00.000000Z" }),
      ndjsonStep({
        params: { q: "weather" },
        started_at: "2026-02-10T12:00:00.100000Z",
        duration_ms: 40,
      }),
      ndjsonStep({ cost_cents: 0.5 }),
      JSON.stringify({ type: "end", status: "completed" }),
    ])
    .join("\n");
