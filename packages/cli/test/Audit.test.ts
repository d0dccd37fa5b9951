/**
 * Goal: `audit` answers with its exit code, says what it checked and what it did not, and takes no more memory for more
 * steps; `attack-test` runs as a command. Method: the real process on a real server.
 */
import type { AuditReport } from "@runproof/schemas/AuditReport";
import { signCheckpoint } from "@runproof/proof/Checkpoint";
import { generateSignerKey } from "@runproof/proof/NoteKey";
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, inject, it } from "vitest";
import { parseEvery, renderReport } from "../src/commands/Audit.ts";
import { type Environment, folder, json, ndjson, runproof, start } from "./runproof.ts";
import { drawn, screen } from "./screens.ts";

const here = folder();
const databases: Array<TestDatabase> = [];

/** A database with some imported runs, and a key to sign its log with. */
const prepared = async (...run_ids: ReadonlyArray<string>) => {
  const database = await createDatabase(inject("postgresUrl"));
  databases.push(database);
  const key = join(here.path, `${database.name}.key`);
  const env: Environment = { DATABASE_URL: database.url, RUNPROOF_LOG_KEY_FILE: key };
  await runproof(["migrate"], env);
  const made = await runproof(["keys", "generate", "--origin", "example.com/log", "--out", key]);
  if (run_ids.length > 0) await add(env, ...run_ids);
  return { env, url: database.url, vkey: made.stdout.trim().split("\n").at(-1)!.trim() };
};

const add = async (env: Environment, ...run_ids: ReadonlyArray<string>) => {
  const path = here.write("runs.ndjson", ndjson(...run_ids));
  const args = ["import", path, "--format", "ndjson", "--tenant-id", "t"];
  expect(await runproof(args, env)).toMatchObject({ code: 0 });
};

const tamper = (url: string, run_id: string) =>
  queryDatabase(
    url,
    "alter table aos_trace_steps disable trigger s6_update",
    `update aos_trace_steps set skill_name = 'another' where run_id = '${run_id}' and step_index = 1`,
    "alter table aos_trace_steps enable always trigger s6_update",
  );

/** The URL as people may see it. */
const hidden = (url: string): string => url.replace(/:[^:@/]+@/u, ":***@").replace(/\?.*/u, "");

const reportOf = (ended: Awaited<ReturnType<typeof runproof>>) =>
  json(ended) as unknown as AuditReport;

afterAll(async () => {
  here.remove();
  for (const database of databases) await database.drop();
});

describe("audit", () => {
  it("ends with 0 on an honest database and with 6 on one that was tampered with, naming run and step", async () => {
    const { env, url } = await prepared("a-1", "a-2");
    const clean = await runproof(["audit"], env);
    expect(clean).toMatchObject({ code: 0, stderr: "" });
    expect(clean.stdout).toMatch(/^CLEAN {2}2 traces, 4 steps and 4 log entries in /mu);
    expect(clean.stdout).toContain(`\n  database    ${hidden(url)}\n`);
    expect(clean.stdout).toContain("No checkpoint was there to compare with");
    await tamper(url, "a-2");
    const found = await runproof(["audit"], env);
    expect(found.code).toBe(6);
    expect(found.stdout).toMatch(/^COLUMN_MISMATCH +t +a-2 +step 1 +/mu);
    expect(found.stdout).toContain("1 FINDING");
    const report = reportOf(await runproof(["audit", "--json"], env));
    expect(report).toMatchObject({
      verdict: "FINDINGS",
      findings: [{ code: "COLUMN_MISMATCH", tenant_id: "t", run_id: "a-2", step_index: 1 }],
      traces: { verified: 1, failed: 1 },
    });
  });

  it("compares with checkpoints that were kept elsewhere, and goes on from the last", async () => {
    const { env, url, vkey } = await prepared("b-1");
    const kept = join(here.path, "kept.txt");
    const last = join(here.path, "last.txt");
    expect(await runproof(["checkpoint", "--out", kept], env)).toMatchObject({ code: 0 });
    const flags = ["--checkpoint", kept, "--vkey", vkey];
    const saved = await runproof(["audit", ...flags, "--save-checkpoint", last, "--json"], env);
    expect(saved).toMatchObject({ code: 0 });
    expect(reportOf(saved).levels).toEqual({ SELF: 0, SIGNED: 1 });
    expect(readFileSync(last, "utf8")).toBe(readFileSync(kept, "utf8"));
    const root_hash = "ab".repeat(32);
    const other = signCheckpoint({ origin: "other.org/log", tree_size: 9, root_hash }, [
      generateSignerKey("other.org/log"),
    ]);
    const anchor = here.write("anchor.txt", other);
    const lost = await runproof(["audit", ...flags, "--save-checkpoint", anchor], env);
    expect(lost.code).toBe(2);
    expect(lost.stderr).toContain("holds a checkpoint of the log other.org/log (9 entries)");
    expect(readFileSync(anchor, "utf8")).toBe(other);
    await add(env, "b-2");
    const recent = await runproof(["audit", "--since-checkpoint", last, "--vkey", vkey], env);
    expect(recent.code).toBe(0);
    expect(recent.stdout).toContain("what is new: 1 trace, 2 steps");
    expect(recent.stdout).toContain("Not checked again");
    await queryDatabase(
      url,
      "alter table aos_log_entries disable trigger s6_change",
      "delete from aos_log_entries where log_index > 0",
    );
    const shrunk = await runproof(["audit", ...flags, "--save-checkpoint", last, "--json"], env);
    expect(shrunk.code).toBe(6);
    expect(shrunk.stderr).toContain("was not written: there are findings");
    expect(Object.keys(reportOf(shrunk).findings_by_code)).toEqual(
      expect.arrayContaining(["CATALOG_DRIFT", "LOG_SHRUNK", "NOT_IN_LOG"]),
    );
  });

  it("says of bad flags and files what is wrong with them, and audits nothing", async () => {
    const { env } = await prepared("c-1");
    const missing = await runproof(["audit", "--checkpoint", join(here.path, "none.txt")], env);
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    const note = here.write("no-note.txt", "no note\n");
    const unreadable = await runproof(["audit", "--checkpoint", note], env);
    expect(unreadable).toMatchObject({ code: 2, stdout: "" });
    expect(unreadable.stderr).toContain("no-note.txt");
    expect(await runproof(["audit", "--every", "often"], env)).toMatchObject({ code: 2 });
    expect(await runproof(["audit", "--workers", "0"], env)).toMatchObject({ code: 2 });
    const unsigned = join(here.path, "unsigned.txt");
    const saved = await runproof(["audit", "--save-checkpoint", unsigned], env);
    expect(saved.stderr).toContain("no checkpoint covers the log");
    expect(existsSync(unsigned)).toBe(false);
  });

  it("ends with 5 where the database is away: it is not checked, and never clean", async () => {
    const away = { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" };
    const ended = await runproof(["audit", "--json"], away);
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).toContain("DatabaseUnreachable");
  });

  it.each([
    [["audit"]],
    [["traces", "list", "--tenant-id", "t"]],
    [["traces", "show", "r-1", "--tenant-id", "t"]],
    [["proof", "r-1", "--tenant-id", "t"]],
    [["sweep"]],
  ])(
    "%j makes no database where there is none: it ends with 5, and says what it looked for",
    async (args) => {
      const empty = mkdtempSync(join(here.path, "empty-"));
      const ended = await runproof(args, {}, empty);
      expect(ended).toMatchObject({ code: 5, stdout: "" });
      expect(ended.stderr).toContain(`no embedded database in ${join(empty, ".runproof")}`);
      expect(ended.stderr).toContain("DATABASE_URL");
      expect(readdirSync(empty)).toEqual([]);
    },
  );

  it("takes a wiped schema for no new one where a checkpoint covers entries", async () => {
    const { env, url } = await prepared("w-1");
    const kept = join(here.path, "wiped.txt");
    expect(await runproof(["checkpoint", "--out", kept], env)).toMatchObject({ code: 0 });
    await queryDatabase(url, "drop schema public cascade", "create schema public");
    expect(await runproof(["audit"], env)).toMatchObject({ code: 5, stdout: "" });
    const ended = await runproof(["audit", "--checkpoint", kept], env);
    expect(ended).toMatchObject({ code: 6, stdout: "" });
    expect(ended.stderr).toContain("covers 2 entries of example.com/log: the evidence is gone");
    expect(ended.stderr).not.toContain("run `runproof migrate`");
  });

  it("says with every other command that the record of the migrations was removed, and migrates nothing", async () => {
    const { env, url } = await prepared("m-1");
    await queryDatabase(url, "drop table aos_schema_migrations");
    for (const args of [["audit"], ["migrate"], ["traces", "list", "--tenant-id", "t"]]) {
      const ended = await runproof(args, env);
      expect(ended).toMatchObject({ code: 6, stdout: "" });
      expect(ended.stderr).toContain("Migrate nothing.");
    }
    const doctor = await runproof(["doctor"], env);
    expect(doctor.stdout).toContain("no record of the migration");
    expect(doctor.stdout).not.toContain("runproof migrate");
  });

  it("is what every command names where a table of evidence is gone, and never migrating", async () => {
    const { env, url } = await prepared("g-1");
    await queryDatabase(url, "drop table aos_trace_steps cascade");
    const listed = await runproof(["traces", "list", "--tenant-id", "t"], env);
    expect(listed.stderr).toContain("run `runproof audit`");
    expect(listed.stderr).not.toContain("`runproof migrate`");
    const audited = await runproof(["audit"], env);
    expect(audited.code).toBe(6);
    expect(audited.stdout).toContain("the table is missing");
  });

  it("audits again and again until it is told to end", async () => {
    const { env, url } = await prepared("d-1");
    const every = start(["audit", "--every", "1s"], env);
    await every.prints("CLEAN");
    await tamper(url, "d-1");
    await every.prints("1 FINDING");
    every.signal("SIGINT");
    expect((await every.ended).code).toBe(130);
  });

  it("ends at the first pass with findings where that is asked for", async () => {
    const { env, url } = await prepared("u-1");
    const every = start(["audit", "--every", "1s", "--until-finding"], env);
    await every.prints("CLEAN");
    await tamper(url, "u-1");
    const { code, stdout } = await every.ended;
    expect(code).toBe(6);
    expect(stdout).toMatch(/\n\nfinding /u);
    expect(stdout.match(/^ {2}finished {4}\d{4}-\d\d-\d\d /gmu)?.length).toBeGreaterThan(1);
    const alone = await runproof(["audit", "--until-finding"], env);
    expect(alone).toMatchObject({ code: 2, stdout: "" });
  });

  it("goes on where a checkpoint's file is away at a later pass, and says that nothing was checked", async () => {
    const { env } = await prepared("f-1");
    const kept = join(here.path, "away.txt");
    const flags = ["--every", "1s", "--checkpoint", kept];
    expect(await runproof(["audit", ...flags], env)).toMatchObject({ code: 2, stdout: "" });
    expect(await runproof(["checkpoint", "--out", kept], env)).toMatchObject({ code: 0 });
    const every = start(["audit", ...flags], env);
    await every.prints("CLEAN");
    renameSync(kept, `${kept}.moved`);
    await every.prints("NOT CHECKED");
    renameSync(`${kept}.moved`, kept);
    every.signal("SIGINT");
    expect((await every.ended).code).toBe(130);
  });

  it("says of a pass that it could not make that nothing was checked, and tries again", async () => {
    const away = { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" };
    const every = start(["audit", "--every", "1s", "--json"], away);
    await every.prints('"verdict":"NOT_CHECKED"');
    await every.prints('\n{"verdict":"NOT_CHECKED"');
    every.signal("SIGINT");
    const { code, stdout } = await every.ended;
    expect(code).toBe(130);
    expect(stdout).not.toContain("CLEAN");
  });
});

/** The rows are of this size together, in a heap that is less than half of it. */
const LARGE = { steps: 2_000, payload_bytes: 80_000, heap_mb: 72 } as const;

describe("the memory of an audit", () => {
  it("does not grow with the steps", async () => {
    const { env } = await prepared();
    const run = { type: "run", run_id: "large", started_at: "2026-02-10T12:00:00.000000Z" };
    const params = { q: "x".repeat(LARGE.payload_bytes) };
    const step = { type: "step", skill_id: "search", status: "success", params };
    const end = { type: "end", status: "completed" };
    const lines = [run, ...Array.from({ length: LARGE.steps }, () => step), end];
    const path = here.write("large.ndjson", lines.map((line) => JSON.stringify(line)).join("\n"));
    const args = ["import", path, "--format", "ndjson", "--tenant-id", "t"];
    expect(await runproof(args, env)).toMatchObject({ code: 0 });
    const NODE_OPTIONS = `--max-old-space-size=${LARGE.heap_mb}`;
    const ended = await runproof(["audit", "--json"], { ...env, NODE_OPTIONS });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(reportOf(ended).checked.steps).toBe(LARGE.steps);
  });
});

describe("attack-test", () => {
  it("shows the rows that were asked for, and writes the table", async () => {
    const table = join(here.path, "table.md");
    const url = inject("postgresUrl");
    const args = ["attack-test", "--instances", "1", "--row", "6", "--row", "8", "--row", "11"];
    const ended = await runproof([...args, "--table", table, "--database-url", url]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^ *6 +cut the tail of a sealed run +SELF +1 +TRUNCATED$/mu);
    expect(ended.stdout).toContain("not detectable, by design; then ORPHAN_LOG_ENTRY");
    expect(ended.stdout).toContain("not yet: needs witnesses");
    expect(ended.stdout).toMatch(/^PASS {2}\d+ attacks \(seed 1\)/mu);
    expect(readFileSync(table, "utf8")).toContain("| 6 | cut the tail of a sealed run |");
  });

  it("passes nothing where nothing was attacked", async () => {
    const url = inject("postgresUrl");
    const args = ["attack-test", "--row", "11", "--row", "13", "--row", "14"];
    const ended = await runproof([...args, "--database-url", url]);
    expect(ended.code).toBe(7);
    expect(ended.stdout).toMatch(/^NOT RUN {2}0 attacks/mu);
    expect(ended.stdout).not.toContain("PASS");
  });

  it.each([
    [["--row", "99"], "the table has no row 99"],
    [["--database-url", "garbage"], "is not a PostgreSQL URL"],
    [["--database-url", ""], "it is empty"],
    [["--table", "/nowhere/at/all/table.md"], "/nowhere/at/all is no folder"],
  ])("refuses %j before it attacks anything", async (flags, what) => {
    const ended = await runproof(["attack-test", ...flags]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(what);
    expect(ended.stderr).toContain("try: ");
  });
});

describe("a report", () => {
  const report: AuditReport = {
    verdict: "FINDINGS",
    database: "postgresql://app:***@db/evidence",
    started_at: "2026-02-10T12:43:41.000000Z",
    finished_at: "2026-02-10T12:43:42.500000Z",
    since: null,
    checked: { traces: 1200, steps: 3, entries: 1, entries_pending: 2, tiles: 0 },
    traces: { verified: 1, empty: 1, open: 1, open_past_lease: 1, failed: 1 },
    levels: { SELF: 1, SIGNED: 0 },
    payloads_erased: 1,
    outcomes_unknown: 0,
    deletions_recorded: 2,
    tree: { size: 1, root_hash: null },
    checkpoints: [],
    findings: [
      {
        code: "UNREADABLE",
        tenant_id: null,
        run_id: null,
        trace_id: null,
        step_index: null,
        log_index: 4,
        object: "aos_\u001b[2Jtraces",
        message: "gone",
      },
    ],
    findings_omitted: 2,
    findings_by_code: { UNREADABLE: 3 },
    notes: [],
  };

  it("counts everything, and lets nothing stored act on the terminal", () => {
    const text = renderReport(screen(100), report);
    expect(text).toContain("3 FINDINGS  1,200 traces, 3 steps and 1 log entry in 1.50 s");
    expect(text).toContain("1 open past their lease, 1 without steps, 1\n");
    expect(text).toContain("root unknown: entries are missing or unreadable, 2 wait");
    expect(text).toContain("2 more findings are not listed");
    expect(text).toContain("entry 4");
    expect(text).not.toContain("\u001b[2J");
  });

  const found = {
    code: "COLUMN_MISMATCH",
    tenant_id: "t",
    run_id: "0190c6a1-7b7e-7c3f-9d2a-3f1c2b4d5e6f",
    trace_id: "trace",
    step_index: 1,
    log_index: null,
    object: null,
    message: "step 1: the column skill_name differs from the record that the hash of it covers",
  } as const;
  const kept = {
    ...found,
    code: "LOG_SHRUNK",
    tenant_id: null,
    run_id: null,
    trace_id: null,
    step_index: null,
    object: "kept.txt",
    message: "the checkpoint of kept.txt: it is of 4 entries, and the log has 3",
  } as const;

  it("cuts nothing on a narrow terminal, and names each place once", () => {
    const text = renderReport(screen(50, { live: true }), { ...report, findings: [found, kept] });
    expect(text.slice(0, text.indexOf("\n\n"))).toBe(
      drawn(`
        COLUMN_MISMATCH  run
                         0190c6a1-7b7e-7c3f-9d2a-3f1c2b4d5e6f,
                         tenant t, step 1
          the column skill_name differs from the record
          that the hash of it covers
        LOG_SHRUNK  kept.txt
          it is of 4 entries, and the log has 3
      `),
    );
  });

  it("counts the findings by code and says what to do next", () => {
    const text = renderReport(screen(200), {
      ...report,
      findings: [kept, found, { ...kept, code: "CATALOG_DRIFT" }],
      findings_by_code: { LOG_SHRUNK: 1, COLUMN_MISMATCH: 1200, CATALOG_DRIFT: 1 },
    });
    expect(text).toContain("by code     1,200 COLUMN_MISMATCH, 1 LOG_SHRUNK, 1 CATALOG_DRIFT");
    expect(text).toContain("docs/audit.md");
    expect(text).toMatch(/proof 0190c6a1-7b7e-7c3f-9d2a-3f1c2b4d5e6f --tenant-id t$/mu);
    expect(text).toMatch(/next .*doctor$/mu);
    const clean = renderReport(screen(200), { ...report, verdict: "CLEAN", findings: [] });
    expect(clean).not.toContain("next");
  });

  it("is made as often as was said", () => {
    expect(["90s", "15m", "1h", "1d"].map(parseEvery)).toEqual([
      90_000, 900_000, 3_600_000, 86_400_000,
    ]);
    expect(["0s", "1", "h", "1 h", "-1h", "1.5h"].map(parseEvery)).toEqual(Array(6).fill(null));
  });
});
