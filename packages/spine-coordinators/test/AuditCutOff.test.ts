/**
 * Goal: an audit that the database cuts off says so, and what it did not check; entries that nothing numbers are found. Method:
 * each in a database of its own, with a lock that somebody holds, and a queue that has waited.
 */
import { assert, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { AuditBridge } from "@runproof/spine-coordinators/audit/AuditBridge";
import { AuditCoordinator } from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import { asOwner } from "@runproof/tooling/OwnerSession";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { SqlClient } from "effect/sql/SqlClient";
import { asSuperuser, audit, audited, number, pastTriggers, sealedRun } from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

/** Runs as the owner in one transaction, while it holds the lock on the log's tiles that whoever changes the schema takes. */
const withTilesLocked = <A, E, R>(use: (sql: SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Database, (database) =>
    asOwner(database)(
      Effect.gen(function* () {
        const sql = yield* SqlClient;
        yield* sql`set local deadlock_timeout = '1h'`;
        yield* sql`lock table aos_log_tiles in access exclusive mode`;
        return yield* use(sql);
      }),
    ),
  );

/** Has somebody lock the tiles when an audit has read the entries and not the tiles, and then want the entries. */
const meetingInTheMiddle = Effect.gen(function* () {
  const database = yield* Database;
  const bridge = yield* AuditBridge;
  const locked = yield* Deferred.make<void>();
  const other = withTilesLocked((sql) =>
    Effect.andThen(
      Deferred.succeed(locked, undefined),
      sql`lock table aos_log_entries in access exclusive mode`,
    ),
  ).pipe(Effect.provideService(Database, database));
  return AuditBridge.of({
    ...bridge,
    snapshot: (use) =>
      bridge.snapshot((reads) =>
        use({
          ...reads,
          strayTiles: Effect.forkDetach(other).pipe(
            Effect.andThen(Deferred.await(locked)),
            Effect.andThen(reads.strayTiles),
          ),
        }),
      ),
  });
});

layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
  "an audit that is cut off",
  (it) => {
    it.effect("by a deadlock with who changes the schema says what it did not check", () =>
      Effect.gen(function* () {
        yield* sealedRun(2);
        yield* number;
        const meeting = AuditCoordinator.layer.pipe(
          Layer.provide(Layer.effect(AuditBridge, meetingInTheMiddle)),
          Layer.provide(AuditBridge.layer),
        );
        const error = yield* Effect.flip(Effect.provide(audit(), meeting, { local: true }));
        assert.strictEqual(error._tag, "AuditUnfinished");
        assert.include(error.message, "deadlock");
        assert.include(error.message, "Not checked: traces, steps and log, checkpoints");
        assert.deepStrictEqual((yield* audit()).report.verdict, "CLEAN");
      }),
    );

    it.effect("by a time limit of the database says it, too", () =>
      Effect.gen(function* () {
        const { config } = yield* Database;
        yield* asSuperuser(
          "do $$ begin execute format('alter database %I set statement_timeout = ''300ms''', current_database()); end $$",
        );
        const limited = Effect.flatMap(AuditCoordinator, (coordinator) => coordinator.audit()).pipe(
          Effect.provide(AuditLayer.layer.pipe(Layer.provide(Database.asItIs(config))), {
            local: true,
          }),
        );
        const error = yield* withTilesLocked(() => Effect.flip(limited));
        assert.strictEqual(error._tag, "AuditUnfinished");
        assert.include(error.message, "ended a statement that took too long");
        assert.include(error.message, "Not checked: defences, indexes, rows without a trace");
      }),
    );

    it.effect("is not what entries are that nothing numbers for an hour: they are found", () =>
      Effect.gen(function* () {
        const { trace_id } = yield* sealedRun(1);
        assert.deepStrictEqual((yield* audit()).report.findings, []);
        for (const [change, isFound] of [
          ["interval '59 minutes'", false],
          ["interval '61 minutes'", true],
        ] as const) {
          yield* pastTriggers(
            `update aos_log_queue set queued_at = clock_timestamp() - ${change} where trace_id = '${trace_id}' and kind = 2`,
            `update runs set completed_at = q.queued_at from aos_log_queue q where q.trace_id = runs.trace_id and q.kind = 2`,
          );
          const { report } = yield* audit();
          assert.deepStrictEqual(
            report.findings.map(({ code, object }) => [code, object]),
            isFound ? [["LOG_STALLED", "aos_log_queue"]] : [],
          );
        }
      }),
    );
  },
);
