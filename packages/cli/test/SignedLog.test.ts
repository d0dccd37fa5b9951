/**
 * Goal: the signed log's commands do what they say, from a fresh key to a bundle that is SIGNED to somebody who has only
 * the key, and say loudly what was tampered with. Method: the real process on a real server and on the embedded database.
 */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Environment, folder, json, ndjson, runproof } from "./runproof.ts";

const here = folder();
const key = join(here.path, "log.key");
const bundle = join(here.path, "run.runproof.json");
let database: TestDatabase;
let env: Environment;
let vkey: string;

const importRuns = async (...run_ids: ReadonlyArray<string>) => {
  const file = here.write("runs.ndjson", ndjson(...run_ids));
  const args = ["import", file, "--format", "ndjson", "--tenant-id", "t"];
  expect((await runproof(args, env)).code).toBe(0);
};

const proofArgs = (run_id: string, ...more: ReadonlyArray<string>) => [
  "proof",
  run_id,
  "--tenant-id",
  "t",
  ...more,
];

beforeAll(async () => {
  database = await createDatabase(inject("postgresUrl"));
  const made = await runproof(["keys", "generate", "--origin", "example.com/log", "--out", key]);
  vkey = made.stdout.trim();
  env = { DATABASE_URL: database.url, RUNPROOF_LOG_KEY_FILE: key };
  await runproof(["migrate"], env);
  await importRuns("r-1", "r-2");
});
afterAll(async () => {
  here.remove();
  await database.drop();
});

describe("keys", () => {
  it("are made in a private file, with nothing but the verifier key on stdout", async () => {
    const out = join(here.path, "other.key");
    const args = ["keys", "generate", "--origin", "example.com/other", "--out", out];
    const made = await runproof(args);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^example\.com\/other\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\n$/u);
    expect(made.stderr).not.toContain("PRIVATE");
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(await runproof(args)).toMatchObject({ code: 2, stdout: "" });
    expect(
      await runproof(["keys", "generate", "--origin", "no good", "--out", `${out}.2`]),
    ).toMatchObject({ code: 2, stdout: "" });
  });

  it("are listed with what was signed last, and the private key is not", async () => {
    const listed = await runproof(["keys", "list", "--json"], env);
    expect(json(listed)).toMatchObject({
      keys: [{ vkey, role: "active" }],
      key_path: key,
      state_path: `${key}.state`,
    });
    expect(listed.stdout + listed.stderr).not.toContain("PRIVATE");
  });

  it("are refused where others can read their file", async () => {
    chmodSync(key, 0o644);
    const refused = await runproof(["checkpoint"], env);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(`chmod 600 ${key}`);
    chmodSync(key, 0o600);
  });
});

describe("checkpoint and proofs", () => {
  it("sign what was recorded, and prove a run's entry and that the log grew", async () => {
    const out = join(here.path, "checkpoint");
    const signed = await runproof(["checkpoint", "--out", out], env);
    expect(signed).toMatchObject({ code: 0, stdout: "" });
    expect(readFileSync(out, "utf8")).toMatch(/^example\.com\/log\n4\n/u);
    const printed = await runproof(["checkpoint"], env);
    expect(printed.stdout).toBe(readFileSync(out, "utf8"));

    const args = ["log", "prove-inclusion", "--run-id", "r-1", "--tenant-id", "t"];
    const inclusion = await runproof(args, env);
    expect(inclusion.code).toBe(0);
    expect(inclusion.stdout).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex \d\n/u);
    expect(inclusion.stdout.endsWith(printed.stdout)).toBe(true);
    expect(json(await runproof([...args, "--entry", "opened", "--json"], env))).toMatchObject({
      kind: 1,
      tree_size: 4,
    });
    expect(await runproof(["log", "prove-inclusion", "--index", "9"], env)).toMatchObject({
      code: 3,
    });
    expect(await runproof(["log", "prove-inclusion"], env)).toMatchObject({ code: 2 });

    await importRuns("r-3");
    await runproof(["checkpoint"], env);
    const consistency = await runproof(["log", "prove-consistency", "--from", out], env);
    expect(consistency.stdout).toMatch(/^old 4\n[A-Za-z0-9+/=\n]+\n\nexample\.com\/log\n6\n/u);
  });

  it("say how many entries are not covered, and how to find the session that keeps them waiting", async () => {
    const holding = queryDatabase(
      database.url,
      "select pg_advisory_lock(hashtextextended('runproof_log', 'aos_log_entries'::regclass::oid::bigint))",
      // Ended below, as an operator would end it.
      "select pg_sleep(60)",
    ).catch(String);
    const locks = "select pid from pg_locks where locktype = 'advisory' and granted";
    while ((await queryDatabase(database.url, locks)).length === 0);
    await importRuns("r-waits");
    const signed = await runproof(["checkpoint", "--json"], env);
    expect(json(signed)).toMatchObject({ tree_size: 6, waiting: 2 });
    expect(signed.stderr).toContain("not covered: 2 entries");
    const query = /select pid from pg_locks .*bigint\)/u.exec(signed.stderr)?.[0];
    const holders = await queryDatabase(database.url, String(query));
    expect(holders).toHaveLength(1);
    const [{ pid }] = holders as [{ readonly pid: number }];
    await queryDatabase(database.url, `select pg_terminate_backend(${pid})`);
    expect(await holding).toContain("Connection closed");
    const later = await runproof(["checkpoint", "--json"], env);
    expect(json(later)).toMatchObject({ tree_size: 8, waiting: 0 });
    expect(later.stderr).not.toContain("not covered");
  });

  it("are exported for a static host", async () => {
    const to = join(here.path, "public");
    const exported = await runproof(["log", "export", to, "--json"], env);
    expect(json(exported)).toMatchObject({ folder: to, tree_size: 8, files_written: 2 });
    expect(readdirSync(to, { recursive: true, encoding: "utf8" }).toSorted()).toEqual(
      expect.arrayContaining(["checkpoint", "tile/0/000.p/8", "tile/entries/000.p/8"]),
    );
    const tile = join(to, "tile/0/000.p/8");
    const bytes = readFileSync(tile);
    writeFileSync(tile, "overwritten");
    expect((await runproof(["log", "export", to], env)).stdout).toContain("0 files written");
    const checked = await runproof(["log", "export", to, "--check"], env);
    expect(checked).toMatchObject({ code: 0 });
    expect(checked.stderr).toContain("tile/0/000.p/8");
    expect(checked.stdout).toContain("2 files checked, 1 file written");
    expect(readFileSync(tile)).toEqual(bytes);
  });
});

describe("a bundle", () => {
  it("is SIGNED under the key, FAILED under another, and SELF under none", async () => {
    const made = await runproof(proofArgs("r-1", "--bundle", bundle), env);
    expect(made).toMatchObject({ code: 0 });
    const other = readFileSync(join(here.path, "other.key.state"), "utf8");
    const { vkey: otherKey } = JSON.parse(other) as { readonly vkey: string };
    const signed = await runproof(["verify", bundle, "--vkey", vkey, "--json"]);
    expect(signed.code).toBe(0);
    expect(json(signed)).toMatchObject({ assurance: "SIGNED" });
    const both = await runproof(["verify", bundle, "--vkey", otherKey, "--vkey", vkey]);
    expect(both).toMatchObject({ code: 0, stdout: expect.stringContaining("SIGNED") });
    const failed = await runproof(["verify", bundle, "--vkey", otherKey]);
    expect(failed).toMatchObject({ code: 6, stdout: expect.stringContaining("KEY_UNTRUSTED") });
    expect(json(await runproof(["verify", bundle, "--json"]))).toMatchObject({ assurance: "SELF" });
  });

  it("is made without a key under an unverified checkpoint, which a note says, or under a given key's", async () => {
    const keyless = { DATABASE_URL: database.url };
    const file = join(here.path, "keyless.json");
    const args = proofArgs("r-1", "--bundle", file);
    const unverified = await runproof(args, keyless);
    expect(unverified).toMatchObject({ code: 0 });
    expect(unverified.stderr).toContain("was not checked");
    const made = await runproof([...args, "--vkey", vkey], keyless);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stderr).not.toContain("was not checked");
    expect(await runproof(["verify", file, "--vkey", vkey])).toMatchObject({ code: 0 });
    // Who knows the key needs no file to see the run SIGNED.
    const proved = await runproof(proofArgs("r-1", "--vkey", vkey, "--json"), keyless);
    expect(json(proved)).toMatchObject({
      assurance: "SIGNED",
      integrity: { verification_status: "VERIFIED" },
    });
    const to = join(here.path, "keyless");
    const exported = await runproof(["log", "export", to], keyless);
    expect(exported).toMatchObject({ code: 0 });
    expect(exported.stderr).toContain("was not checked");
    const verified = await runproof(["log", "export", to, "--vkey", vkey], keyless);
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stderr).not.toContain("was not checked");
  });

  it("shows one step alone, SIGNED", async () => {
    const file = join(here.path, "step.json");
    const args = proofArgs("r-1", "--bundle", file, "--step", "1");
    const written = await runproof(args, env);
    expect(written).toMatchObject({ code: 0 });
    expect(written.stderr).toContain("without them it is UNSUPPORTED");
    expect(readFileSync(file, "utf8")).not.toContain("weather");
    const verified = await runproof(["verify", file, "--vkey", vkey, "--json"]);
    expect(verified.code).toBe(0);
    expect(json(verified)).toMatchObject({ assurance: "SIGNED" });
    const shown = await runproof(["verify", file]);
    expect(shown.code).toBe(7);
    expect(shown.stdout).toContain(`UNSUPPORTED  step 1 of 2 of run r-1, from ${file}`);
    expect(shown.stdout.replace(/\s+/gu, " ")).toContain("give the log's verifier key (--vkey)");
    const bad = await runproof(["verify", file, "--vkey", "no key"]);
    expect(bad).toMatchObject({ code: 2, stdout: "" });
    expect(bad.stderr).toMatch(/^error: --vkey at /u);
    for (const [more, code] of [
      [["--step", "1"], 2],
      [["--step", "2", "--bundle", file], 2],
      [["--step", "-1", "--bundle", file], 2],
    ] as const) {
      expect(await runproof(proofArgs("r-1", ...more), env)).toMatchObject({ code });
    }
  });

  it("takes the place of its own run's older one, and of nothing else", async () => {
    const file = join(here.path, "mine.json");
    for (const code of [0, 0])
      expect(await runproof(proofArgs("r-1", "--bundle", file), env)).toMatchObject({ code });
    const held = readFileSync(file, "utf8");
    const other = await runproof(proofArgs("r-2", "--bundle", file), env);
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain("holds the bundle of another run or step");
    // A step alone is less than its run.
    expect(await runproof(proofArgs("r-1", "--bundle", file, "--step", "0"), env)).toMatchObject({
      code: 2,
    });
    expect(readFileSync(file, "utf8")).toBe(held);
    const notes = here.write("notes.txt", "do not lose me");
    expect(await runproof(proofArgs("r-1", "--bundle", notes), env)).toMatchObject({ code: 2 });
    expect(readFileSync(notes, "utf8")).toBe("do not lose me");
  });

  it("goes without the log where there is no key, and says so", async () => {
    await importRuns("r-4");
    const file = join(here.path, "unsigned.json");
    const made = await runproof(proofArgs("r-4", "--bundle", file), { DATABASE_URL: database.url });
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("no proof from the log"),
    });
    expect(await runproof(["verify", file])).toMatchObject({ code: 0 });
    expect(await runproof(["verify", file, "--vkey", vkey])).toMatchObject({ code: 6 });
    expect(await runproof(["checkpoint"], { DATABASE_URL: database.url })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("runproof keys generate"),
    });
  });
});

describe("rotation", () => {
  it("prints the new key; bundles made after are SIGNED under it, those before under the old one", async () => {
    const rotated = await runproof(["keys", "rotate", "--reason", "yearly", "--json"], env);
    expect(rotated.code).toBe(0);
    const { old_vkey, new_vkey } = json(rotated) as { old_vkey: string; new_vkey: string };
    expect(old_vkey).toBe(vkey);
    await importRuns("r-5");
    const file = join(here.path, "rotated.json");
    await runproof(proofArgs("r-5", "--bundle", file), env);
    expect(await runproof(["verify", file, "--vkey", new_vkey])).toMatchObject({ code: 0 });
    expect(await runproof(["verify", file, "--vkey", old_vkey])).toMatchObject({ code: 6 });
    expect(await runproof(["verify", bundle, "--vkey", old_vkey])).toMatchObject({ code: 0 });
    vkey = new_vkey;
  });
});

describe("tampering", () => {
  it("with the signer's state stops signing with its own code, until the state is restored", async () => {
    const state = `${key}.state`;
    const kept = join(here.path, "kept");
    await runproof(["checkpoint", "--out", kept], env);
    rmSync(state);
    const lost = await runproof(["checkpoint"], env);
    expect(lost).toMatchObject({ code: 7, stdout: "" });
    expect(lost.stderr).toContain("restore-state");
    expect(await runproof(["keys", "restore-state"], env)).toMatchObject({ code: 2 });
    expect(await runproof(["keys", "restore-state", "--never-signed"], env)).toMatchObject({
      code: 2,
    });
    expect(existsSync(state)).toBe(false);
    const [older] = await queryDatabase(
      database.url,
      "select note from aos_checkpoints where tree_size < (select max(tree_size) from aos_checkpoints) order by tree_size desc limit 1",
    );
    const old = join(here.path, "old");
    writeFileSync(old, String(older?.["note"]));
    const stale = await runproof(["keys", "restore-state", "--checkpoint", old], env);
    expect(stale).toMatchObject({ code: 2, stdout: "" });
    expect(stale.stderr).toContain("a newer checkpoint of this key");
    expect(existsSync(state)).toBe(false);
    const away = { ...env, DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" };
    const unseen = await runproof(["keys", "restore-state", "--never-signed"], away);
    expect(unseen.code).toBe(5);
    const uncompared = await runproof(["keys", "restore-state", "--checkpoint", kept], away);
    expect(uncompared).toMatchObject({ code: 0 });
    expect(uncompared.stderr).toContain("was not compared");
    rmSync(state);
    const restored = await runproof(["keys", "restore-state", "--checkpoint", kept], env);
    expect(restored).toMatchObject({ code: 0 });
    expect(restored.stderr).not.toContain("compared");
    expect(await runproof(["checkpoint"], env)).toMatchObject({ code: 0 });
  });

  it("with the log is an alarm: 6, LogForked or LogShrunk, and nothing signed", async () => {
    const state = readFileSync(`${key}.state`, "utf8");
    const forge = (statement: string) =>
      queryDatabase(database.url, "alter table aos_log_entries disable trigger user", statement);
    await forge("update aos_log_entries set digest = repeat('0', 64) where log_index = 1");
    const forked = await runproof(["checkpoint", "--json"], env);
    expect(forked).toMatchObject({ code: 6, stdout: "" });
    expect(JSON.parse(forked.stderr)).toMatchObject({ error: { code: 6, tag: "LogForked" } });
    await forge("delete from aos_log_entries where log_index > 1");
    const shrunk = await runproof(["checkpoint"], env);
    expect(shrunk).toMatchObject({ code: 6, stdout: "" });
    expect(shrunk.stderr).toMatch(
      /^error: the log has 2 entries, and the checkpoint that this key signed last is of \d+\n {2}try: [^\n]+\n$/u,
    );
    expect(readFileSync(`${key}.state`, "utf8")).toBe(state);
  });
});

describe("the embedded database", () => {
  it("has a key of its own from the first checkpoint on", async () => {
    const home = join(here.path, "home");
    const embedded = { RUNPROOF_HOME: home };
    expect((await runproof(["keys", "list"], embedded)).stdout).toContain("no key yet");
    const file = here.write("embedded.ndjson", ndjson("r-1"));
    await runproof(["import", file, "--format", "ndjson", "--tenant-id", "t"], embedded);
    const made = join(here.path, "embedded.json");
    expect(await runproof(proofArgs("r-1", "--bundle", made), embedded)).toMatchObject({ code: 0 });
    const { keys } = json(await runproof(["keys", "list", "--json"], embedded)) as {
      readonly keys: ReadonlyArray<{ readonly vkey: string }>;
    };
    expect(keys).toHaveLength(1);
    const verified = await runproof(["verify", made, "--vkey", keys[0]!.vkey]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("SIGNED") });
    writeFileSync(join(home, "log.key.state"), "{}");
    expect(await runproof(["checkpoint"], embedded)).toMatchObject({ code: 7 });
  });
});
