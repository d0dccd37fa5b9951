/**
 * Goal: every committed start and seal has one index, none is skipped, and the tree's hashes are those of the entries.
 * Method: concurrent writers and sequencers on real databases, some of them rolled back, and proofs made from the stored
 * hashes, checked against trees computed from the entries.
 */
import { layer, type Vitest } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { SEQUENCE_BATCH } from "@runproof/drivers/EvidenceLimits";
import type { StoredLogEntry } from "@runproof/drivers/ledger/readLogEntries";
import { eventRecordText } from "@runproof/proof/EventRecord";
import { entryLeafHash, eventDigest, LogEntryKind } from "@runproof/proof/LogEntry";
import {
  consistencyPath,
  inclusionPath,
  merkleRoot,
  rootFromInclusion,
  verifyConsistency,
} from "@runproof/proof/MerkleTree";
import {
  planConsistency,
  planInclusion,
  planRoot,
  type ProofPlan,
} from "@runproof/proof/ProofPlan";
import * as Effect from "effect/Effect";
import { expect, inject } from "vitest";
import { asSuperuser, embeddedStores, serverStores } from "./Databases.ts";
import { freshIdentity, openRun, sealedRun, seal, start } from "./Evidence.ts";
import { ledger, traces } from "./Stores.ts";

const readAll = Effect.gen(function* () {
  const log = yield* ledger;
  const entries: Array<StoredLogEntry> = [];
  for (;;) {
    const page = yield* log.entries({ from: (entries.at(-1)?.log_index ?? -1) + 1 });
    if (page.length === 0) return entries;
    entries.push(...page);
  }
});

const sequence = Effect.flatMap(ledger, (log) => log.sequence);
const sizeOf = Effect.flatMap(ledger, (log) => log.size);

/** Empties the log, past its guards. */
const EMPTY = ["aos_log_entries", "aos_log_tiles"].flatMap((table) => [
  `alter table ${table} disable trigger user`,
  `truncate ${table}`,
  `alter table ${table} enable always trigger s6_change`,
  `alter table ${table} enable always trigger s6_truncate`,
]);

const readPlan = <A>(plan: ProofPlan<A>) =>
  Effect.flatMap(ledger, (log) => Effect.map(log.nodes(plan.nodes), plan.build));

/** Queues entries as of runs that are not there, many at once. */
const queue = (count: number, from = 0) =>
  asSuperuser(
    `insert into aos_log_queue (kind, digest, trace_id)
     select 1 + n % 3, encode(sha256(convert_to('entry ' || n, 'UTF8')), 'hex'), 'trace ' || n
     from generate_series(${from}, ${from + count - 1}) as n`,
  );

const suite = (it: Vitest.MethodsNonLive<Database>) => {
  it.effect("holds a run's start and seal, in order, by their digests", () =>
    Effect.gen(function* () {
      const run = yield* sealedRun(2);
      const log = yield* ledger;
      expect(yield* log.entries({ trace_id: run.trace_id })).toEqual([]);
      expect((yield* sizeOf).pending).toBe(2);
      yield* sequence;
      const store = yield* traces;
      const { trace } = yield* store.get(run);
      const entries = yield* log.entries({ trace_id: run.trace_id });
      expect(entries.map(({ kind, digest }) => ({ kind, digest }))).toEqual([
        { kind: LogEntryKind.OPENED, digest: trace.link },
        { kind: LogEntryKind.SEALED, digest: run.sealed.root_hash },
      ]);
      expect(yield* sizeOf).toMatchObject({ pending: 0 });
    }),
  );

  it.effect("holds what was rolled back nowhere, and leaves no gap for it", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const before = (yield* readAll).length;
      yield* Effect.forEach(
        Array.from({ length: 10 }, (_, at) => at),
        (at) =>
          store
            .atomically(
              Effect.gen(function* () {
                yield* openRun(1);
                if (at % 2 === 0) return yield* Effect.fail("rolled back" as const);
              }),
            )
            .pipe(Effect.ignore),
      );
      yield* sequence;
      const entries = yield* readAll;
      expect(entries.length).toBe(before + 5);
      expect(entries.map((entry) => entry.log_index)).toEqual(entries.map((_, at) => at));
    }),
  );

  it.effect("holds an EVENT of a key by its record's hash, and refuses other records", () =>
    Effect.gen(function* () {
      const log = yield* ledger;
      const record = eventRecordText({
        event: "key_added",
        trace_id: null,
        occurred_at: "2026-02-10T12:43:41.549430Z",
        actor: "operator",
        reason: "yearly",
        detail: { old_vkey: "a", new_vkey: "b" },
      });
      yield* log.recordEvent(record);
      yield* sequence;
      expect((yield* readAll).at(-1)).toMatchObject({
        kind: LogEntryKind.EVENT,
        digest: eventDigest(record),
        trace_id: null,
        event_record: record,
      });
      const { size } = yield* sizeOf;
      for (const wrong of [
        `${record} `,
        "{}",
        ...(
          [
            ["key_added", "erasure"],
            ['"trace_id":null', '"trace_id":"a-trace"'],
            ['"actor":"operator"', '"actor":1'],
            ['"actor":"operator"', '"actor":"\\u006fperator"'],
            ['"reason":"yearly"', '"reason":null'],
            [/"detail":\{[^}]*\}/u, '"detail":[1.10]'],
            [/"detail":\{[^}]*\}/u, '"detail":{}'],
            ['"new_vkey":"b"', '"new_vkey":2'],
            ['"new_vkey":"b"', '"more":"","new_vkey":"b"'],
            ['"new_vkey":"b"', ' "new_vkey":"b"'],
            ["2026-02-10T12:43:41.549430Z", "yesterday"],
            ["2026-02-10T12:43:41.549430Z", "2026-02-10T12:43:41Z"],
          ] as const
        ).map(([from, to]) => record.replace(from, to)),
      ]) {
        expect(wrong).not.toBe(record);
        yield* Effect.flip(log.recordEvent(wrong));
      }
      yield* sequence;
      expect((yield* sizeOf).size).toBe(size);
    }),
  );

  it.effect("answers the hashes that a tree over its entries has, at any size", () =>
    Effect.gen(function* () {
      yield* queue(700);
      yield* sequence;
      const leaves = (yield* readAll).map(entryLeafHash);
      expect(leaves.length).toBeGreaterThan(700);
      for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 513, leaves.length]) {
        const tree = leaves.slice(0, size);
        expect(yield* readPlan(planRoot(size))).toBe(merkleRoot(tree));
        for (const index of [0, 1, 254, 255, 256, size - 1].filter((at) => at >= 0 && at < size)) {
          expect(yield* readPlan(planInclusion(index, size))).toEqual(inclusionPath(tree, index));
        }
        for (const old of [1, 2, 255, 256, 257, size].filter((at) => at > 0 && at <= size)) {
          expect(yield* readPlan(planConsistency(old, size))).toEqual(consistencyPath(tree, old));
        }
      }
    }),
  );

  it.effect("keeps checkpoints, and finds them by size and the newest", () =>
    Effect.gen(function* () {
      const log = yield* ledger;
      expect(yield* log.latestCheckpoint).toBe(null);
      yield* queue(9);
      yield* sequence;
      const root = Buffer.alloc(32, 0xab);
      const origin = "example.com/log";
      const of = (tree_size: number, signature: string) => ({
        origin,
        tree_size,
        root_hash: root.toString("hex"),
        note: `${origin}\n${tree_size}\n${root.toString("base64")}\n\n${signature}\n`,
      });
      for (const [size, signature] of [
        [5, "first"],
        [9, "only"],
        [5, "second"],
      ] as const) {
        yield* log.storeCheckpoint(of(size, signature));
      }
      expect(yield* log.latestCheckpoint).toMatchObject(of(9, "only"));
      expect(yield* log.checkpointOfSize(5)).toMatchObject(of(5, "second"));
      const good = of(6, "");
      const { size } = yield* sizeOf;
      for (const wrong of [
        of(size + 1, ""),
        of(-1, ""),
        { ...good, note: "junk" },
        { ...good, note: of(7, "").note },
        { ...good, origin: "example.com/other" },
        { ...good, origin: "", note: good.note.slice(origin.length) },
        { ...good, root_hash: "ac".repeat(32) },
        { ...good, root_hash: "no hash" },
        { ...good, root_hash: good.root_hash.toUpperCase() },
      ]) {
        const error = yield* Effect.flip(log.storeCheckpoint(wrong));
        expect(error.message).toContain("S6006");
      }
      expect(yield* log.checkpointOfSize(6)).toBe(null);
    }),
  );

  it.effect(
    "says which hash is missing where entries were removed, and answers none in its place",
    () =>
      Effect.gen(function* () {
        const { size } = yield* sizeOf;
        const error = yield* Effect.flip(readPlan(planRoot(size + 1)));
        expect(error).toMatchObject({ _tag: "StoredDataUnreadable" });
        yield* asSuperuser(
          "alter table aos_log_entries disable trigger user",
          `delete from aos_log_entries where log_index = ${size - 2}`,
          "alter table aos_log_entries enable always trigger s6_change",
          "alter table aos_log_entries enable always trigger s6_truncate",
        );
        const tile = Math.floor((size - 2) / 256);
        expect(yield* Effect.flip(readPlan(planRoot(size)))).toMatchObject({
          _tag: "StoredDataUnreadable",
          where: `log tile level 0, index ${tile}`,
          what: expect.stringContaining(`hash ${(size - 2) % 256} is missing`),
        });
      }),
  );
};

const options = { excludeTestServices: true, timeout: "2 minutes" } as const;
const where = `PostgreSQL ${inject("postgresVersion")}`;

layer(serverStores, options)(`the log (${where})`, suite);
layer(embeddedStores, options)("the log (embedded)", suite);

layer(serverStores, options)(`the log under load (${where})`, (it) => {
  it.effect("numbers each entry once under concurrent writers and sequencers", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const runs: Array<string> = [];
      const write = Effect.gen(function* () {
        const identity = freshIdentity();
        yield* start(identity);
        yield* seal(identity.trace_id);
        runs.push(identity.trace_id);
      });
      const rollBack = store
        .atomically(Effect.andThen(start(freshIdentity()), Effect.fail("rolled back" as const)))
        .pipe(Effect.ignore);
      const writers = Effect.all(
        [
          Effect.forEach(Array.from({ length: 120 }), () => write, { concurrency: 4 }),
          Effect.forEach(Array.from({ length: 40 }), () => rollBack, { concurrency: 2 }),
        ],
        { concurrency: "unbounded" },
      );
      const sequencers = Effect.all(
        Array.from({ length: 4 }, () => Effect.forever(sequence)),
        { concurrency: "unbounded" },
      );
      yield* Effect.raceFirst(writers, sequencers);
      yield* sequence;
      const entries = yield* readAll;
      expect(entries.map((entry) => entry.log_index)).toEqual(entries.map((_, at) => at));
      expect(yield* sizeOf).toEqual({ size: 240, pending: 0 });
      const byTrace = Map.groupBy(entries, (entry) => entry.trace_id);
      expect(byTrace.size).toBe(120);
      for (const trace_id of runs) {
        expect(byTrace.get(trace_id)?.map(({ kind }) => kind)).toEqual([
          LogEntryKind.OPENED,
          LogEntryKind.SEALED,
        ]);
      }
    }),
  );

  it.effect("does not wait for a writer whose transaction is open, nor lose its entry", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const slow = freshIdentity();
      const context = yield* Effect.context<Database>();
      // Outside the transaction, on another connection: it commits after the slow one queued its entry, and before that one does.
      const elsewhere = Effect.promise(() =>
        Effect.runPromise(
          Effect.provideContext(
            Effect.tap(sealedRun(0), () => sequence),
            context,
          ),
        ),
      );
      const quick = yield* store.atomically(Effect.andThen(start(slow), elsewhere));
      yield* sequence;
      const log = yield* ledger;
      const [opened] = yield* log.entries(slow);
      const [, sealed] = yield* log.entries(quick);
      expect(opened!.log_index).toBeGreaterThan(sealed!.log_index);
    }),
  );

  it.effect("ends though as much is queued meanwhile as is numbered", () =>
    Effect.gen(function* () {
      const { size } = yield* sizeOf;
      yield* queue(SEQUENCE_BATCH);
      yield* asSuperuser(
        `create function keep_writing() returns trigger language plpgsql as $$
         begin
           -- Not for ever: a sequencer that follows would never be seen to fail.
           if (select max(log_index) from aos_log_entries) < ${size + 3 * SEQUENCE_BATCH} then
             insert into aos_log_queue (kind, digest, trace_id) select kind, digest, trace_id from added;
           end if;
           return null;
         end
         $$`,
        `create trigger keep_writing after insert on aos_log_entries
         referencing new table as added for each statement execute function keep_writing()`,
        "alter table aos_log_entries enable always trigger keep_writing",
      );
      expect(yield* sequence).toBe(2 * SEQUENCE_BATCH);
      yield* asSuperuser("drop function keep_writing cascade");
      yield* sequence;
    }),
  );

  it.effect("answers the hashes of a tree of more than two levels of tiles", () =>
    Effect.gen(function* () {
      yield* queue(66_500);
      yield* sequence;
      const leaves = (yield* readAll).map(entryLeafHash);
      const size = leaves.length;
      const root = merkleRoot(leaves);
      expect(size).toBeGreaterThan(66_500);
      expect(yield* readPlan(planRoot(size))).toBe(root);
      for (const index of [0, 40_000, 65_535, 65_536, size - 1]) {
        const path = yield* readPlan(planInclusion(index, size));
        expect(rootFromInclusion({ index, size, leaf_hash: leaves[index]!, path })).toBe(root);
      }
      for (const old_size of [1, 256, 40_000, 65_536, 65_537, size]) {
        const old_root = merkleRoot(leaves.slice(0, old_size));
        const path = yield* readPlan(planConsistency(old_size, size));
        const proof = { old_size, new_size: size, old_root, new_root: root, path };
        expect(verifyConsistency(proof)).toBe(true);
      }
    }),
  );

  it.effect("reads O(log n) rows for a proof, at ten million entries too", () =>
    Effect.gen(function* () {
      const { sql } = yield* Database;
      const rowsRead = Effect.map(
        sql<{ rows: string }>`
          select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::text as rows
          from pg_stat_xact_user_tables where relname in ('aos_log_entries', 'aos_log_tiles')`,
        ([row]) => Number(row!.rows),
      );
      const countRows = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        sql.withTransaction(
          Effect.gen(function* () {
            const before = yield* rowsRead;
            yield* effect;
            return (yield* rowsRead) - before;
          }),
        );
      const countProofs = (size: number) =>
        Effect.all([
          countRows(readPlan(planRoot(size))),
          countRows(readPlan(planInclusion(Math.floor(size / 3), size))),
          countRows(readPlan(planConsistency(Math.floor(size / 2) - 1, size))),
        ]);
      const { size: small } = yield* sizeOf;
      const few = yield* countProofs(small);
      // What a proof reads of ten million entries: full tiles, and the entries of the last that is not full. They are
      // laid down as they would lie there, with hashes of anything.
      const large = 10_000_000;
      yield* asSuperuser(...EMPTY);
      const tiles = (level: number, count: number) => `
        insert into aos_log_tiles (level, tile_index, hashes, root)
        select ${level}, n, decode(repeat(encode(sha256(convert_to('tile ' || n, 'UTF8')), 'hex'), 256), 'hex'), sha256('')
        from generate_series(0, ${count - 1}) as n`;
      yield* asSuperuser(
        tiles(0, 39_062),
        tiles(1, 152),
        `insert into aos_log_entries (log_index, kind, digest, queued_at)
         select n, 1, encode(sha256(convert_to('entry ' || n, 'UTF8')), 'hex'), now()
         from generate_series(39062 * 256, ${large - 1}) as n`,
        "analyze aos_log_entries",
        "analyze aos_log_tiles",
      );
      const many = yield* countProofs(large);
      // At each of the tiles' levels at most one tile is not full and is read by its rows, beside some full ones.
      for (const [size, counts] of [
        [small, few],
        [large, many],
      ] as const) {
        const levels = Math.ceil(Math.log2(size) / 8);
        for (const count of counts) expect(count).toBeLessThanOrEqual(260 * levels);
      }
    }),
  );
});
