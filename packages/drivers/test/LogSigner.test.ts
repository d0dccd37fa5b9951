/**
 * Goal: nothing is signed that does not extend what was signed before, whatever became of the signer's files or of the
 * process that wrote them. Method: real files, real processes, and trees of leaves in memory.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseConfig } from "@runproof/drivers/Database";
import {
  type LogSigner,
  logSigner,
  type LogSignerConfig,
  logSignerConfig,
} from "@runproof/drivers/LogSigner";
import { parseCheckpoint } from "@runproof/proof/Checkpoint";
import { parseVerifierKey } from "@runproof/proof/NoteKey";
import { parseNote, verifyNote } from "@runproof/proof/SignedNote";
import type { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeDurably } from "../src/internal/file/writeDurably.ts";
import { leavesOf, propose, sign } from "./Trees.ts";

const ORIGIN = "example.com/log";
const server: DatabaseConfig = { kind: "server", url: Redacted.make("postgresql://h/d") };

let folder: string;
let key: string;
let state: string;
let config: LogSignerConfig | ConfigurationInvalid;

/** What is refused is said in the log too; the tests look at the error. */
const quiet = Layer.succeed(References.MinimumLogLevel, "None");

const run = <A, E>(
  use: (signer: LogSigner) => Effect.Effect<A, E>,
  over: LogSignerConfig | ConfigurationInvalid = config,
) => Effect.runPromise(Effect.provide(use(logSigner(over)), quiet));

const refused = <A, E>(
  use: (signer: LogSigner) => Effect.Effect<A, E>,
  over: LogSignerConfig | ConfigurationInvalid = config,
) => run((signer) => Effect.flip(use(signer)), over);

const generate = (signer: LogSigner) => signer.generate({ origin: ORIGIN, path: key });
const status = (signer: LogSigner) => signer.status;
const restore = (note: string | null) => (signer: LogSigner) =>
  signer.restoreState(note, () => Effect.succeed(null));

const fileConfig = () => logSignerConfig({ RUNPROOF_LOG_KEY_FILE: key }, server);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runproof-signer-"));
  key = join(folder, "log.key");
  state = `${key}.state`;
  config = fileConfig();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a file that is written durably", () => {
  it("keeps a symbolic link, and replaces what it leads to", async () => {
    const link = join(folder, "mounted.key");
    writeFileSync(key, "old");
    symlinkSync("log.key", link);
    await writeDurably(link, "new", { mode: 0o600, replaces: true });
    expect(readFileSync(key, "utf8")).toBe("new");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(["log.key", "mounted.key"]);
  });
});

describe("the signer", () => {
  it("signs trees that grow, and answers the same tree with the same note", async () => {
    const { vkey } = await run(generate);
    const first = await run(sign(leavesOf(3)));
    const verifier = parseVerifierKey(vkey);
    expect(verifyNote(parseNote(first.note), [verifier]).verified_by).toEqual([verifier]);
    expect(parseCheckpoint(first.note)).toMatchObject({ origin: ORIGIN, tree_size: 3 });
    const { ino } = statSync(state);
    expect(await run(sign(leavesOf(3)))).toEqual(first);
    expect(statSync(state).ino).toBe(ino);
    expect(await run(sign(leavesOf(8)))).toMatchObject({ tree_size: 8 });
    expect((await run(status)).last).toMatchObject({ tree_size: 8 });
  });

  it("goes on from a state behind a symbolic link, which stays", async () => {
    await run(generate);
    const [kept, mounted] = [join(folder, "kept"), join(folder, "mounted")];
    renameSync(state, kept);
    symlinkSync("kept", mounted);
    const over = logSignerConfig(
      { RUNPROOF_LOG_KEY_FILE: key, RUNPROOF_LOG_STATE_FILE: mounted },
      server,
    );
    await run(sign(leavesOf(8)), over);
    expect(lstatSync(mounted).isSymbolicLink()).toBe(true);
    expect(readFileSync(kept, "utf8")).toContain(`${ORIGIN}\\n8\\n`);
    expect((await refused(sign(leavesOf(3)), over))._tag).toBe("LogShrunk");
  });

  it("waits for no pipe in the place of its state or its key", async () => {
    await run(generate);
    for (const path of [state, key]) {
      renameSync(path, `${path}.kept`);
      execFileSync("mkfifo", ["-m", "600", path]);
      const error = await refused(sign(leavesOf(3)));
      expect(error.message).toContain("is no file");
      rmSync(path);
      renameSync(`${path}.kept`, path);
    }
    expect(await run(sign(leavesOf(3)))).toMatchObject({ tree_size: 3 });
  });

  it("signs any tree after the empty one", async () => {
    await run(generate);
    expect(await run(sign([]))).toMatchObject({ tree_size: 0 });
    expect(await run(sign(leavesOf(5)))).toMatchObject({ tree_size: 5 });
  });

  it("refuses a smaller tree as LogShrunk, and remembers", async () => {
    await run(generate);
    await run(sign(leavesOf(8)));
    for (const size of [7, 0]) {
      expect(await refused(sign(leavesOf(size)))).toMatchObject({
        _tag: "LogShrunk",
        signed_size: 8,
        size,
      });
    }
    expect((await run(status)).last).toMatchObject({ tree_size: 8 });
  });

  it("refuses a forked tree as LogForked: of the same size, larger, and by one leaf", async () => {
    await run(generate);
    const { root_hash } = await run(sign(leavesOf(8)));
    for (const [size, from] of [
      [8, 0],
      [8, 7],
      [9, 0],
      [9, 7],
      [300, 4],
    ] as const) {
      const error = await refused(sign(leavesOf(size, { branch: " forged", from })));
      expect(error).toMatchObject({
        _tag: "LogForked",
        signed_size: 8,
        signed_root_hash: root_hash,
      });
    }
    expect(await run(sign(leavesOf(9)))).toMatchObject({ tree_size: 9 });
  });

  it("believes the proof and not the caller's word for the old root", async () => {
    await run(generate);
    const { root_hash } = await run(sign(leavesOf(8)));
    const lie = (signer: LogSigner) =>
      signer.sign((last) =>
        Effect.map(propose(leavesOf(20, { branch: " forged" }))(last), (proposal) => ({
          ...proposal,
          signed_root: root_hash,
        })),
      );
    expect(await refused(lie)).toMatchObject({ _tag: "StoredDataUnreadable" });
    const empty = (signer: LogSigner) =>
      signer.sign((last) =>
        Effect.map(propose(leavesOf(20))(last), (proposal) => ({ ...proposal, consistency: [] })),
      );
    expect(await refused(empty)).toMatchObject({ _tag: "StoredDataUnreadable" });
  });

  it("knows from the file what another process signed", async () => {
    await run(generate);
    await run(sign(leavesOf(8)), fileConfig());
    expect(await refused(sign(leavesOf(7)), fileConfig())).toMatchObject({ _tag: "LogShrunk" });
  });

  it("keeps its state where it is told, and asks for it with a key from the environment", async () => {
    await run(generate);
    const text = readFileSync(key, "utf8");
    const elsewhere = join(folder, "elsewhere");
    expect(logSignerConfig({ RUNPROOF_LOG_KEY: text }, server)).toMatchObject({
      _tag: "ConfigurationInvalid",
      setting: "RUNPROOF_LOG_STATE_FILE",
    });
    const named = logSignerConfig(
      { RUNPROOF_LOG_KEY: text, RUNPROOF_LOG_STATE_FILE: elsewhere },
      server,
    );
    expect(await refused(sign(leavesOf(1)), named)).toMatchObject({ _tag: "SignerStateInvalid" });
    await run(restore(null), named);
    await run(sign(leavesOf(4)), named);
    expect(existsSync(elsewhere)).toBe(true);
    expect(await refused(sign(leavesOf(3)), named)).toMatchObject({ _tag: "LogShrunk" });
  });

  it("says what to do where there is no key, and where two are given", async () => {
    const none = logSignerConfig({}, server);
    expect(await refused(sign(leavesOf(1)), none)).toMatchObject({
      _tag: "ConfigurationInvalid",
      remedy: expect.stringContaining("runproof keys generate"),
    });
    const both = logSignerConfig({ RUNPROOF_LOG_KEY: "a", RUNPROOF_LOG_KEY_FILE: "b" }, server);
    expect(await refused(status, both)).toMatchObject({ _tag: "ConfigurationInvalid" });
    expect(await refused(sign(leavesOf(1)))).toMatchObject({
      _tag: "ConfigurationInvalid",
      what: expect.stringContaining(key),
    });
    expect(existsSync(key)).toBe(false);
  });

  it("never shows the private key in an error", async () => {
    await run(generate);
    const secret = readFileSync(key, "utf8").trim();
    const spoilt = logSignerConfig(
      { RUNPROOF_LOG_KEY: secret.slice(0, -4), RUNPROOF_LOG_STATE_FILE: state },
      server,
    );
    const error = await refused(status, spoilt);
    expect(error).toMatchObject({ _tag: "ConfigurationInvalid" });
    expect(JSON.stringify(error) + String(error)).not.toContain(secret.split("+")[3]!.slice(0, 12));
  });
});

describe("the embedded default's key", () => {
  const embedded = () => logSignerConfig({}, { kind: "embedded", home: join(folder, "home") });

  it("is made on first use, for its owner only, and not by looking", async () => {
    expect((await run(status, embedded())).keys).toEqual([]);
    expect(existsSync(join(folder, "home"))).toBe(false);
    await run(sign(leavesOf(2)), embedded());
    const path = join(folder, "home", "log.key");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}.state`).mode & 0o777).toBe(0o600);
    const { keys } = await run(status, embedded());
    expect(keys).toEqual([
      { vkey: expect.stringMatching(/^localhost\/runproof\//u), role: "active" },
    ]);
    expect(await refused(sign(leavesOf(1)), embedded())).toMatchObject({ _tag: "LogShrunk" });
  });

  it("is made once by processes that begin together", async () => {
    await Promise.all(
      [1, 2, 3, 4].map((size) => run(sign(leavesOf(size)), embedded()).catch(() => {})),
    );
    expect((await run(status, embedded())).keys).toHaveLength(1);
    expect(readdirSync(join(folder, "home")).toSorted()).toEqual(["log.key", "log.key.state"]);
  });

  it("is not made anew where it was in use and is gone", async () => {
    await run(sign(leavesOf(2)), embedded());
    rmSync(join(folder, "home", "log.key"));
    expect(await refused(sign(leavesOf(3)), embedded())).toMatchObject({
      _tag: "ConfigurationInvalid",
      what: expect.stringContaining("is gone"),
    });
  });
});

describe("a key's file", () => {
  it("is made for its owner only, with a state that says it signed nothing", async () => {
    const { vkey } = await run(generate);
    expect(vkey).toMatch(/^example\.com\/log\+[0-9a-f]{8}\+/u);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(state, "utf8"))).toEqual({
      format: "runproof/log-signer@v1",
      vkey,
      note: null,
      rotation: null,
      retired: [],
    });
    expect(readdirSync(folder).toSorted()).toEqual(["log.key", "log.key.state"]);
  });

  it("is never overwritten, and neither is a state", async () => {
    await run(generate);
    const before = readFileSync(key, "utf8");
    expect(await refused(generate)).toMatchObject({ _tag: "FileFailed" });
    expect(readFileSync(key, "utf8")).toBe(before);
    const text = readFileSync(state);
    rmSync(state);
    expect(await refused(generate)).toMatchObject({ _tag: "FileFailed", path: key });
    expect(existsSync(state)).toBe(false);
    rmSync(key);
    writeFileSync(state, text);
    expect(await refused(generate)).toMatchObject({ _tag: "FileFailed", path: state });
  });

  it("needs a name that a key can have", async () => {
    for (const origin of ["", "two words", "a+b"]) {
      const error = await refused((signer) => signer.generate({ origin, path: key }));
      expect(error).toMatchObject({ _tag: "InvalidInput", where: "--origin" });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is refused where others can read or write it, and taken where only its owner can", async () => {
    await run(generate);
    for (const mode of [0o640, 0o604, 0o660, 0o644, 0o602, 0o610]) {
      chmodSync(key, mode);
      const error = await refused(sign(leavesOf(1)));
      expect(error).toMatchObject({
        _tag: "ConfigurationInvalid",
        setting: "RUNPROOF_LOG_KEY_FILE",
        what: expect.stringContaining(`mode 0${mode.toString(8)}`),
        remedy: `chmod 600 ${key}`,
      });
    }
    chmodSync(key, 0o400);
    await run(sign(leavesOf(1)));
  });

  it.skipIf(process.getuid?.() !== 0)("is refused where it is another user's", async () => {
    await run(generate);
    chownSync(key, 65_534, 65_534);
    expect(await refused(sign(leavesOf(1)))).toMatchObject({
      _tag: "ConfigurationInvalid",
      what: expect.stringContaining("belongs to the user 65534"),
    });
  });

  it("is refused where it holds anything but keys of one log", async () => {
    await run(generate);
    const own = readFileSync(key, "utf8");
    const other = join(folder, "other.key");
    await run((signer) => signer.generate({ origin: "other", path: other }));
    for (const text of ["", "nothing", own + own + own, own + readFileSync(other, "utf8")]) {
      writeFileSync(key, text);
      expect(await refused(status)).toMatchObject({ _tag: "ConfigurationInvalid" });
    }
  });
});

describe("the signer's state", () => {
  it("is not believed lost for never written: without it nothing is signed", async () => {
    await run(generate);
    const { note } = await run(sign(leavesOf(8)));
    rmSync(state);
    expect(await refused(sign(leavesOf(2)))).toMatchObject({
      _tag: "SignerStateInvalid",
      path: state,
      remedy: expect.stringContaining("restore-state"),
    });
    expect(existsSync(state)).toBe(false);
    await run(restore(note));
    expect(await refused(sign(leavesOf(2)))).toMatchObject({ _tag: "LogShrunk" });
    expect(await run(sign(leavesOf(9)))).toMatchObject({ tree_size: 9 });
  });

  it("is refused where it can't be read as one, or its note is not of this key", async () => {
    await run(generate);
    await run(sign(leavesOf(8)));
    const good = readFileSync(state, "utf8");
    const fields = JSON.parse(good) as Record<string, unknown>;
    const other = join(folder, "other.key");
    const made = await run((signer) => signer.generate({ origin: ORIGIN, path: other }));
    const otherConfig = logSignerConfig({ RUNPROOF_LOG_KEY_FILE: other }, server);
    const foreign = await run(sign(leavesOf(2)), otherConfig);
    const cases: ReadonlyArray<string> = [
      "",
      good.slice(0, -20),
      JSON.stringify({ ...fields, more: 1 }),
      JSON.stringify({ ...fields, format: "runproof/log-signer@v2" }),
      JSON.stringify({ ...fields, note: undefined }),
      JSON.stringify({ ...fields, note: "no note" }),
      JSON.stringify({ ...fields, note: String(fields["note"]).replace("\n8\n", "\n2\n") }),
      JSON.stringify({ ...fields, note: foreign.note }),
      JSON.stringify({ ...fields, vkey: made.vkey }),
      readFileSync(`${other}.state`, "utf8"),
    ];
    for (const text of cases) {
      writeFileSync(state, text);
      expect(await refused(sign(leavesOf(9))), text).toMatchObject({ _tag: "SignerStateInvalid" });
      expect(readFileSync(state, "utf8")).toBe(text);
    }
    writeFileSync(state, good);
    await run(sign(leavesOf(9)));
  });

  it("is restored from a checkpoint of this key only, and never where it is whole", async () => {
    await run(generate);
    const { note } = await run(sign(leavesOf(8)));
    expect(await refused(restore(note))).toMatchObject({ _tag: "InvalidInput" });
    expect(await refused(restore(null))).toMatchObject({ _tag: "InvalidInput" });
    writeFileSync(state, "{");
    expect(await refused(restore(note.replace("\n8\n", "\n2\n")))).toMatchObject({
      _tag: "InvalidInput",
      where: "--checkpoint",
    });
    expect(await run(restore(note))).toMatchObject({ last: { tree_size: 8 } });
  });

  it("is written before the note is handed out, and a write that fails hands out none", async () => {
    await run(generate);
    await run(sign(leavesOf(8)));
    const before = readFileSync(state, "utf8");
    // The state's place is taken by a folder while the tree is proposed, so that it can't be replaced.
    const blocked = (signer: LogSigner) =>
      signer.sign((last) =>
        Effect.tap(propose(leavesOf(9))(last), () =>
          Effect.sync(() => {
            rmSync(state);
            mkdirSync(join(state, "in the way"), { recursive: true });
          }),
        ),
      );
    expect(await refused(blocked)).toMatchObject({ _tag: "FileFailed" });
    rmSync(state, { recursive: true });
    writeFileSync(state, before);
    expect((await run(status)).last).toMatchObject({ tree_size: 8 });
  });

  it("goes forward only under processes that sign at once, each from its own view", async () => {
    await run(generate);
    const sizes = Array.from({ length: 12 }, (_, at) => 5 + at * 3);
    const outcomes = await Promise.all(
      sizes.map((size) =>
        run(sign(leavesOf(size))).then(
          ({ tree_size }) => tree_size,
          (error: { readonly _tag: string }) => error._tag,
        ),
      ),
    );
    expect(new Set(outcomes.filter((outcome) => typeof outcome === "string"))).toEqual(
      new Set(outcomes.includes("LogShrunk") ? ["LogShrunk"] : []),
    );
    expect((await run(status)).last?.tree_size).toBe(38);
  });

  it("is whole after its writer was killed, at whatever moment", async () => {
    await run(generate);
    const program = join(import.meta.dirname, "SigningProcess.ts");
    let signed = 0;
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, [program, key, String(signed)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = once(child, "exit");
      let text = "";
      for await (const chunk of child.stdout.setEncoding("utf8")) {
        text += String(chunk);
        if (text.split("\n").length > 4 + round) child.kill("SIGKILL");
      }
      await ended;
      const lines = text.split("\n");
      signed = Number(lines.at(-2));
      const { last } = await run(status);
      // What was handed out is known; at most the one that was being handed out is beyond it.
      expect(last!.tree_size).toBeGreaterThanOrEqual(signed);
      expect(last!.tree_size).toBeLessThanOrEqual(signed + 1);
      signed = last!.tree_size;
    }
    expect(signed).toBeGreaterThan(20);
    expect(readdirSync(folder).filter((file) => file.endsWith(".part")).length).toBeLessThanOrEqual(
      6,
    );
  });
});
