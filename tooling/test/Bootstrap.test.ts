import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { FixtureTree } from "./FixtureTree.ts";

const root = path.resolve(import.meta.dirname, "../..");
const bootstrap = path.join(root, "tooling", "bootstrap.mjs");

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command whose output can be waited for. */
class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly end: Promise<End>;
  #stdout = "";
  #stderr = "";

  constructor(command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(command, args, { cwd: root, env });
    this.child.stdout.setEncoding("utf8").on("data", (chunk: string) => (this.#stdout += chunk));
    this.child.stderr.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk));
    this.end = new Promise((resolve) =>
      this.child.on("close", (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      ),
    );
  }

  /** Ends when the text was printed; fails when the command ends without it. */
  until(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if ((this.#stdout + this.#stderr).includes(text)) resolve();
      };
      this.child.stdout.on("data", look);
      this.child.stderr.on("data", look);
      void this.end.then((end) => reject(new Error(`ended without "${text}": ${end.stderr}`)));
      look();
    });
  }
}

function inPlace(...args: ReadonlyArray<string>): Running {
  return new Running(process.execPath, [bootstrap, ...args]);
}

/** Answers a signal with an exit code of its own, as a server or a run would. */
const answersSignals = `
  for (const [signal, code] of [["SIGINT", 41], ["SIGTERM", 42], ["SIGHUP", 43]])
    process.on(signal, () => process.exit(code));
  setInterval(() => {}, 1000);
  console.log("ready");`;

describe("with everything in place, the bootstrap", () => {
  it.each([0, 1, 6, 130])(
    "gives back the command's exit code %i and adds nothing",
    async (code) => {
      const { end } = inPlace("exec", "node", "-e", `console.log("out"); process.exit(${code})`);
      expect(await end).toEqual({ code, signal: null, stdout: "out\n", stderr: "" });
    },
  );

  it.each([
    ["SIGINT", 41],
    ["SIGTERM", 42],
    ["SIGHUP", 43],
  ] as const)("passes %s on and waits for the answer", async (signal, code) => {
    const running = inPlace("exec", "node", "-e", answersSignals);
    await running.until("ready");
    running.child.kill(signal);
    expect(await running.end).toMatchObject({ code, signal: null });
  });

  it("says in the exit code which signal ended the command", async () => {
    const { end } = inPlace("exec", "node", "-e", 'process.kill(process.pid, "SIGKILL")');
    expect(await end).toMatchObject({ code: 128 + 9 });
  });

  it("passes standard input on, to its end", async () => {
    const running = inPlace("exec", "node", "-e", "process.stdin.pipe(process.stdout)");
    running.child.stdin.end("a\0b\n");
    expect(await running.end).toMatchObject({ code: 0, stdout: "a\0b\n" });
  });

  it("keeps npm's own settings away from the command, and the registry's address with it", async () => {
    const names = ["npm_config_prefix", "npm_lifecycle_event", "npm_config_registry"];
    const env = { ...process.env, ...Object.fromEntries(names.map((name) => [name, "set"])) };
    const print = `console.log(${JSON.stringify(names)}.filter((name) => process.env[name]).join())`;
    const { end } = new Running(process.execPath, [bootstrap, "exec", "node", "-e", print], env);
    expect(await end).toMatchObject({ stdout: "npm_config_registry\n" });
  });

  it.each([[[]], [["tests"]], [["exec"]]])("refuses %j with its usage", async (args) => {
    const end = await inPlace(...args).end;
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toMatch(/^bootstrap: usage: .*\n$/u);
  });

  it("writes nothing where all is in place, for the checkout may be another user's", async () => {
    const note = path.join(root, ".tools", "node-path");
    expect(await inPlace("install").end).toMatchObject({ code: 0 });
    const before = fs.statSync(note);
    expect(await inPlace("install").end).toMatchObject({ code: 0 });
    expect(fs.statSync(note)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  });

  it("says that a command is not there", async () => {
    const end = await inPlace("exec", "no-such-command-here").end;
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toContain("no-such-command-here can't be started");
  });
});

describe("bin/runproof", () => {
  it("is the CLI's own process, from anywhere and through a link", async () => {
    using tree = new FixtureTree({});
    const link = path.join(tree.root, "a link");
    fs.symlinkSync(
      path.relative(fs.realpathSync(tree.root), path.join(root, "bin/runproof")),
      link,
    );
    const direct = await new Running(path.join(root, "bin/runproof"), ["--version"]).end;
    expect(direct).toMatchObject({ code: 0, stderr: "" });
    expect(await new Running(link, ["--version"]).end).toEqual(direct);
    expect(await new Running(link, ["no-such-command"]).end).toMatchObject({ code: 2, stdout: "" });
  });
});

/** A workspace that the bootstrap can install from its own files alone. */
function workspace(): FixtureTree {
  const { packageManager } = JSON.parse(
    fs.readFileSync(path.join(root, "package.json"), "utf8"),
  ) as { readonly packageManager: string };
  const tree = new FixtureTree({
    "tooling/bootstrap.mjs": fs.readFileSync(bootstrap, "utf8"),
    "part/package.json": '{ "name": "part", "version": "1.0.0" }',
    "package.json": JSON.stringify({
      private: true,
      packageManager,
      dependencies: { part: "file:./part" },
    }),
    "pnpm-workspace.yaml": "pmOnFail: ignore\n",
  });
  const made = spawnSync("pnpm", ["install", "--lockfile-only", "--offline"], {
    cwd: tree.root,
    encoding: "utf8",
  });
  expect(made.status, made.stdout + made.stderr).toBe(0);
  return tree;
}

/** The bootstrap's own installing, in a workspace of its own. */
function install(tree: FixtureTree): Running {
  return new Running(process.execPath, [
    path.join(tree.root, "tooling", "bootstrap.mjs"),
    "install",
  ]);
}

const installing = "bootstrap: installing the dependencies\n";
const lock = ".tools/bootstrap.lock";

/** What a holder of the lock writes into it. */
const heldBy = (pid: number) => `${pid} ${hostname()} 0.5`;

describe("installing", () => {
  it("happens once, and again when the lockfile changes", async () => {
    using tree = workspace();
    expect(await install(tree).end).toEqual({
      code: 0,
      signal: null,
      stdout: "",
      stderr: installing,
    });
    expect(await install(tree).end).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    fs.appendFileSync(path.join(tree.root, "pnpm-lock.yaml"), "\n");
    expect(await install(tree).end).toMatchObject({ code: 0, stderr: installing });
  });

  it("happens again where it did not end", async () => {
    using tree = workspace();
    await install(tree).end;
    tree.remove("node_modules/.pnpm/lock.yaml");
    expect(await install(tree).end).toMatchObject({ code: 0, stderr: installing });
  });

  it("is done by one of many at once", async () => {
    using tree = workspace();
    const ends = await Promise.all(Array.from({ length: 6 }, () => install(tree).end));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(ends.filter(({ stderr }) => stderr.includes(installing))).toHaveLength(1);
    expect(fs.existsSync(path.join(tree.root, lock))).toBe(false);
  });

  it("waits for a holder that lives", async () => {
    using tree = workspace();
    tree.write(lock, heldBy(process.pid));
    const waiting = install(tree);
    await waiting.until(`waiting for process ${process.pid}`);
    expect(fs.existsSync(path.join(tree.root, "node_modules"))).toBe(false);
    tree.remove(lock);
    expect(await waiting.end).toMatchObject({ code: 0 });
  });

  it("takes over from a holder that is gone", async () => {
    using tree = workspace();
    const gone = spawnSync(process.execPath, ["--version"]);
    tree.write(lock, heldBy(gone.pid));
    expect(await install(tree).end).toMatchObject({ code: 0, stderr: installing });
  });

  it("takes over from a holder that has not shown itself for long", async () => {
    using tree = workspace();
    tree.write(lock, `${process.pid} another-host 0.5`);
    const longAgo = new Date(Date.now() - 60_000);
    fs.utimesSync(path.join(tree.root, lock), longAgo, longAgo);
    expect(await install(tree).end).toMatchObject({ code: 0, stderr: installing });
  });

  it("that fails says what failed and what to do", async () => {
    using tree = workspace();
    tree.write(
      "package.json",
      fs.readFileSync(path.join(tree.root, "package.json"), "utf8").replace("part", "path"),
    );
    const end = await install(tree).end;
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toContain("Installing the dependencies with pnpm failed");
    expect(end.stderr).toContain("ERR_PNPM_OUTDATED_LOCKFILE");
    expect(end.stderr).toMatch(/run the same command again/u);
    expect(fs.existsSync(path.join(tree.root, lock))).toBe(false);
  });
});
