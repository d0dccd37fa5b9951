/**
 * The process that owns one throwaway PostgreSQL server: it makes the data folder, starts the server, and when its standard
 * input ends (because `stop()` was called, or because the process that wanted the server is gone, however it ended) it ends
 * the server by its process id and removes the folder.
 *
 * The first line of its standard input is a `SupervisorRequest` as JSON; its answer is one line on standard output, a
 * `SupervisorAnswer`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { missingLinks, program } from "./PostgresBinaries.ts";

/** What to start. */
export interface SupervisorRequest {
  readonly binaries: string;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  /** More of the server's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The port of the server, of the same password, that it follows as a standby; without it, a server of its own. */
  readonly standby_of?: number | undefined;
}

/** The port that it listens on and its process id, or why there is none. */
export type SupervisorAnswer =
  | { readonly port: number; readonly pid: number }
  | { readonly error: string };

/** Another process can take the port between our choosing it and the server's opening it: so many more ports are tried. */
const portAttempts = 5;

/** How long a server may take from its start until it accepts connections. */
const startLimit_ms = 60_000;

/** How long each of a fast and an immediate shutdown may take before the next, harder one. */
const shutdownLimit_ms = 5_000;

/** How often the server's own status file is read while it starts. */
const statusInterval_ms = 20;

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: then it gets the account `postgres`, or else the one of nobody. */
function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = fs.readFileSync("/etc/passwd", "utf8").split("\n");
  const entry = lines.map((line) => line.split(":")).find(([name]) => name === "postgres");
  return entry === undefined
    ? { uid: 65_534, gid: 65_534 }
    : { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** True where any account may pass through the folder and all above it. */
function isOpenToAll(folder: string): boolean {
  const parent = path.dirname(folder);
  return (fs.statSync(folder).mode & 0o001) !== 0 && (parent === folder || isOpenToAll(parent));
}

/** The temporary folder, or the system's where that one is closed to the server's account. */
function temporaryFolder(account: Account | undefined): string {
  const folders = [tmpdir(), "/tmp", "/var/tmp"].filter((folder) => fs.existsSync(folder));
  const found = account === undefined ? folders[0] : folders.find(isOpenToAll);
  if (found === undefined)
    throw new Error("no temporary folder that another account can enter; set TMPDIR to one");
  return fs.mkdtempSync(path.join(fs.realpathSync(found), "runproof-postgres-"));
}

/** A folder of binaries that the account can run: the one given, or a copy of the whole package. */
function runnableBinaries(
  binaries: string,
  folder: string,
  account: Account | undefined,
  environment: NodeJS.ProcessEnv,
): string {
  const links = missingLinks(binaries);
  const options = { ...account, env: environment, cwd: folder };
  const runs = spawnSync(program(binaries, "postgres"), ["--version"], options).status === 0;
  if (runs && links.length === 0) return binaries;
  const copy = path.join(folder, "postgresql");
  fs.cpSync(path.join(binaries, ".."), copy, { recursive: true, verbatimSymlinks: true });
  for (const { link, target } of links) fs.symlinkSync(target, path.join(copy, link));
  openToAll(copy);
  return path.join(copy, "bin");
}

/** Lets any account read the copy and run what its owner can run. */
function openToAll(file: string): void {
  const status = fs.lstatSync(file);
  if (status.isSymbolicLink()) return;
  fs.chmodSync(file, (status.mode & 0o100) === 0 ? 0o644 : 0o755);
  if (status.isDirectory())
    for (const name of fs.readdirSync(file)) openToAll(path.join(file, name));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object"
          ? resolve(address.port)
          : reject(new Error("no free port on 127.0.0.1")),
      );
    });
  });
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function untilEnded(child: ChildProcess, limit_ms?: number): Promise<void> {
  return new Promise((resolve) => {
    if (ended(child)) return resolve();
    child.once("close", () => resolve());
    if (limit_ms !== undefined) setTimeout(resolve, limit_ms).unref();
  });
}

/** The last line of `postmaster.pid` says `ready` once connections are accepted, `standby` where they may only read; `pg_ctl` waits for the same. */
async function untilReady(child: ChildProcess, data: string): Promise<boolean> {
  const file = path.join(data, "postmaster.pid");
  for (let waited_ms = 0; waited_ms < startLimit_ms; waited_ms += statusInterval_ms) {
    if (ended(child)) return false;
    const status = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n")[7]?.trim() : "";
    // A standby that waits for its first records says so too, and takes no connection yet.
    if (status === "ready" || status === "standby") return true;
    await new Promise((resolve) => setTimeout(resolve, statusInterval_ms));
  }
  return false;
}

/** One server in one folder, from `initdb` to its removal. */
class Supervised {
  readonly #request: SupervisorRequest;
  readonly #account = unprivilegedAccount();
  readonly #folder = temporaryFolder(this.#account);
  readonly #environment: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    // Windows programs don't start without it.
    SystemRoot: process.env["SystemRoot"],
    HOME: this.#folder,
    LC_ALL: "C",
    TZ: "UTC",
  };
  #child: ChildProcess | undefined;
  #binaries = "";

  constructor(request: SupervisorRequest) {
    this.#request = request;
  }

  async start(): Promise<{ readonly port: number; readonly pid: number }> {
    if (this.#account !== undefined)
      fs.chownSync(this.#folder, this.#account.uid, this.#account.gid);
    const { binaries } = this.#request;
    this.#binaries = runnableBinaries(binaries, this.#folder, this.#account, this.#environment);
    const { standby_of } = this.#request;
    await (standby_of === undefined ? this.#initialise() : this.#copy(standby_of));
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      const child = this.#spawn("postgres", ["-D", this.#data, ...this.#arguments(port)]);
      if (await untilReady(child, this.#data)) return { port, pid: child.pid! };
      const taken = /could not (?:bind|create any TCP)|address already in use/iu.test(this.#log());
      if (!taken || attempt === portAttempts)
        throw new Error(`postgres did not start:\n${this.#log()}`);
    }
  }

  /** Ends when the server does, by itself or stopped. */
  async untilEnded(): Promise<void> {
    if (this.#child !== undefined) await untilEnded(this.#child);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined)
      for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
        if (ended(child)) break;
        child.kill(signal);
        await untilEnded(child, shutdownLimit_ms);
      }
    fs.rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  get #data(): string {
    return path.join(this.#folder, "data");
  }

  #log(): string {
    const file = path.join(this.#folder, "server.log");
    return fs.existsSync(file) ? fs.readFileSync(file, "utf8").slice(-4_000) : "";
  }

  #arguments(port: number): ReadonlyArray<string> {
    const settings = { ...this.#request.settings, port: String(port) };
    return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  }

  async #initialise(): Promise<void> {
    const passwordFile = path.join(this.#folder, "password");
    fs.writeFileSync(passwordFile, this.#request.password, { mode: 0o600 });
    if (this.#account !== undefined)
      fs.chownSync(passwordFile, this.#account.uid, this.#account.gid);
    const child = this.#spawn("initdb", [
      `--pgdata=${this.#data}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--no-locale",
      "--no-sync",
    ]);
    await untilEnded(child);
    if (child.exitCode !== 0) throw new Error(`initdb failed:\n${this.#log()}`);
  }

  async #copy(primary: number): Promise<void> {
    const from = ["--host=127.0.0.1", `--port=${primary}`, "--username=postgres"];
    const into = [
      `--pgdata=${this.#data}`,
      "--write-recovery-conf",
      "--checkpoint=fast",
      "--no-sync",
    ];
    const child = this.#spawn("pg_basebackup", [...from, ...into]);
    await untilEnded(child);
    if (child.exitCode !== 0) throw new Error(`pg_basebackup failed:\n${this.#log()}`);
  }

  #spawn(name: "initdb" | "postgres" | "pg_basebackup", args: ReadonlyArray<string>): ChildProcess {
    const log = fs.openSync(path.join(this.#folder, "server.log"), "w");
    const child = spawn(program(this.#binaries, name), args, {
      ...this.#account,
      cwd: this.#folder,
      env: {
        ...this.#environment,
        ...this.#request.environment,
        PGPASSWORD: this.#request.password,
      },
      stdio: ["ignore", log, log],
    });
    fs.closeSync(log);
    child.on("error", (error) =>
      fs.appendFileSync(path.join(this.#folder, "server.log"), error.message),
    );
    this.#child = child;
    return child;
  }
}

function answer(value: SupervisorAnswer): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function supervise(lines: Interface): Promise<void> {
  const dismissed = new Promise<undefined>((resolve) => {
    lines.once("close", () => resolve(undefined));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => resolve(undefined));
  });
  const request = await Promise.race([
    dismissed,
    new Promise<string>((resolve) => lines.once("line", resolve)),
  ]);
  if (request === undefined) return;
  const supervised = new Supervised(JSON.parse(request) as SupervisorRequest);
  const served = supervised.start().then(async (place) => {
    answer(place);
    await supervised.untilEnded();
  });
  try {
    await Promise.race([dismissed, served]);
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
  }
  await supervised.stop();
}

// The answer's reader may be gone; the folder is removed all the same.
process.stdout.on("error", () => {});
await supervise(createInterface({ input: process.stdin }));
process.exit();
