/**
 * Goal: no false alarm. Whatever several processes record, roll back, number and sign at once, and wherever some of them
 * are killed, the signer never refuses, no audit finds anything, every run that was committed is in the log once, and all
 * checkpoints agree.
 * Method: processes that are killed at moments drawn from a seed, audits beside them, and a count of everything at the end.
 *
 * A hundred thousand runs with RUNPROOF_LONG=1; some without.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { Database } from "@runproof/drivers/Database";
import { CompactRange } from "@runproof/proof/MerkleTree";
import { openCheckpoint } from "@runproof/proof/Checkpoint";
import { entryLeafHash } from "@runproof/proof/LogEntry";
import { parseVerifierKey } from "@runproof/proof/NoteKey";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { expect, it } from "vitest";
import { checkpoint, configOf, inProcess, logPlace, type LogPlace } from "./SignedLog.ts";

const isLong = process.env["RUNPROOF_LONG"] === "1";
const RUNS = isLong ? 100_000 : 1_000;
const PROCESSES = isLong ? 6 : 3;
/** One process is killed each time so many checkpoints were signed, on average. */
const CHECKPOINTS_PER_KILL = isLong ? 12 : 4;
const SEED = 20_260_210;
const PROGRAM = join(import.meta.dirname, "LoggingProcess.ts");

/** A reproducible sequence of numbers from 0 to 1 (Lehmer). */
const sequenceOf = (seed: number) => () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

const query = (place: LogPlace, statement: string) => queryDatabase(place.url, statement);

const countRuns = async (place: LogPlace) =>
  Number((await query(place, "select count(*)::int as runs from aos_traces"))[0]!["runs"]);

/** What an audit of everything says, whoever writes meanwhile. */
const audit = ({ url, vkey }: LogPlace) =>
  Effect.flatMap(AuditCoordinator, (auditor) => auditor.audit({ verifier_keys: [vkey] })).pipe(
    Effect.map(({ report }) => report),
    Effect.provide(Layer.provide(AuditLayer.layer, Database.layer(configOf(url)))),
    Effect.runPromise,
  );

/** Runs processes, kills some and starts others, until that many runs are there; answers what went wrong. */
const recordUnderCrashes = async (place: LogPlace) => {
  const random = sequenceOf(SEED);
  const alarms: Array<string> = [];
  const running = new Set<ChildProcess>();
  let [kills, checkpoints, started] = [0, 0, 0];
  let isOver = false;

  const start = () => {
    const args = [PROGRAM, place.url, place.key, String((started += 1))];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    running.add(child);
    child.stderr.setEncoding("utf8").on("data", (text: string) => alarms.push(text));
    createInterface({ input: child.stdout }).on("line", () => {
      checkpoints += 1;
      if (isOver || random() * CHECKPOINTS_PER_KILL > 1) return;
      kills += 1;
      // Anywhere in what it does next.
      void setTimeout(random() * 40).then(() => child.kill("SIGKILL"));
    });
    child.once("exit", (code, signal) => {
      running.delete(child);
      if (signal !== "SIGKILL" && code !== 0) alarms.push(`ended with ${code} ${signal}`);
      if (!isOver) start();
    });
  };

  for (let at = 0; at < PROCESSES; at += 1) start();
  let audits = 0;
  while (alarms.length === 0 && (await countRuns(place)) < RUNS) {
    await setTimeout(200);
    if (checkpoints === 0) continue;
    const { findings } = await audit(place);
    alarms.push(...findings.map((finding) => JSON.stringify(finding)));
    audits += 1;
  }
  isOver = true;
  const ended = [...running].map((child) => once(child, "exit"));
  for (const child of running) child.stdin!.end();
  await Promise.all(ended);
  return { alarms, kills, checkpoints, audits };
};

/** What does not fit between runs and log, counted in the database. */
const MISFITS = `
  select
    (select count(*) from aos_log_queue)::int as queued,
    (select max(log_index) + 1 - count(*) from aos_log_entries)::int as gaps,
    (select count(*) from aos_traces t where (
       select count(*) from aos_log_entries e where e.trace_id = t.trace_id and e.kind = 1 and e.digest = t.link) <> 1)::int as not_opened,
    (select count(*) from aos_traces t where t.root_hash is not null and (
       select count(*) from aos_log_entries e where e.trace_id = t.trace_id and e.kind = 2 and e.digest = t.root_hash) <> 1)::int as not_sealed,
    (select count(*) from aos_log_entries e where not exists (
       select from aos_traces t where t.trace_id = e.trace_id and e.digest in (t.link, t.root_hash)))::int as strays`;

it(
  `${RUNS} runs of ${PROCESSES} processes with crashes in between raise no false alarm`,
  () =>
    Effect.gen(function* () {
      const place = yield* logPlace;
      const { alarms, kills, checkpoints, audits } = yield* Effect.promise(() =>
        recordUnderCrashes(place),
      );
      expect(alarms).toEqual([]);
      expect(kills).toBeGreaterThan(2);
      expect(audits).toBeGreaterThan(0);

      const last = yield* inProcess(place, checkpoint);
      const report = yield* Effect.promise(() => audit(place));
      expect(report).toMatchObject({ verdict: "CLEAN", findings: [] });
      const { verified, empty, open } = report.traces;
      expect(verified + empty + open).toBeGreaterThanOrEqual(RUNS);
      expect(report.levels).toEqual({ SELF: 0, SIGNED: verified });
      const [misfits] = yield* Effect.promise(() => query(place, MISFITS));
      expect(misfits).toEqual({ queued: 0, gaps: 0, not_opened: 0, not_sealed: 0, strays: 0 });

      const kept = yield* Effect.promise(() =>
        query(
          place,
          "select tree_size::int, root_hash, note from aos_checkpoints order by tree_size",
        ),
      );
      const roots = new Map(kept.map((row) => [Number(row["tree_size"]), row["root_hash"]]));
      const range = new CompactRange();
      const PAGE = 20_000;
      for (let from = 0; from < last.tree_size; from += PAGE) {
        const entries = yield* Effect.promise(() =>
          query(
            place,
            `select kind::int, digest from aos_log_entries where log_index >= ${from} and log_index < ${from + PAGE} order by log_index`,
          ),
        );
        for (const { kind, digest } of entries) {
          range.append(entryLeafHash({ kind: Number(kind), digest: String(digest) }));
          const root = roots.get(range.size);
          if (root !== undefined && root !== range.root()) expect(range.root()).toBe(root);
        }
      }
      expect(range.size).toBe(last.tree_size);
      expect(range.root()).toBe(last.root_hash);
      const trusted = [parseVerifierKey(place.vkey)];
      for (const { note } of kept) {
        expect(openCheckpoint(String(note), trusted)).toMatchObject({ is_trusted: true });
      }
      process.stderr.write(
        `${last.tree_size} entries, ${checkpoints} checkpoints told, ${kept.length} kept, ${kills} processes killed, ${audits} audits beside them, ${verified} runs verified, ${open} left open\n`,
      );
    }).pipe(Effect.scoped, Effect.runPromise),
  isLong ? 3_600_000 : 120_000,
);
