/**
 * Goal: sealed evidence goes where its operator sends it, and nowhere else: into the archive, where it is as provable as
 * before; out of it, leaving its root; or payload by payload, leaving the proof. Method: runs sealed in February 2026, on a
 * real server and on the embedded database, and an audit after everything.
 */
import { assert, layer } from "@effect/vitest";
import { Database, type DatabaseConfig, migrateDatabase } from "@runproof/drivers/Database";
import { noKeyConfigured } from "@runproof/drivers/LogSigner";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { LedgerBridge } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import { ControlsBridge } from "@runproof/spine-coordinators/controls/ControlsBridge";
import { ErasureCoordinator } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import { RetentionCoordinator } from "@runproof/spine-coordinators/controls/RetentionCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { audit, found, openRun, type Run, sealedRun, startOf } from "./AuditedRuns.ts";
import { asOwner } from "./StoredRuns.ts";
import { databases } from "./TestDatabase.ts";

const order = { actor: "ann", reason: "policy 7" };
const OLD = { older_than_days: 200, below_floor: false, ...order };

const operated = <E, R>(config: Effect.Effect<DatabaseConfig, E, R>) =>
  Layer.unwrap(
    Effect.map(
      Effect.tap(config, (opened) => migrateDatabase(opened)),
      (opened) =>
        Layer.mergeAll(
          TraceCoordinator.layer,
          RetentionCoordinator.layer,
          ErasureCoordinator.layer,
          AuditLayer.layer,
          RunProofCoordinator.layer.pipe(Layer.provide(LogCoordinator.layer)),
        ).pipe(
          Layer.provideMerge(
            Layer.mergeAll(
              LogsBridge.layer,
              LedgerBridge.layer(noKeyConfigured()),
              ControlsBridge.layer,
            ),
          ),
          Layer.provideMerge(Database.operating(opened)),
        ),
    ),
  );

const nameOf = ({ tenant_id, run_id }: Run) => ({ tenant_id, run_id });
const proof = (run: Run) =>
  RunProofCoordinator.use((proofs) => proofs.getRunProof({ ...nameOf(run) }));
const isListed = (run: Run) =>
  Effect.map(
    TraceCoordinator.use((traces) => traces.list({ ...nameOf(run) })),
    ({ traces }) => traces.length === 1,
  );
const archive = RetentionCoordinator.use((retention) => retention.archive(OLD));
const placeOf = (run: Run) =>
  Effect.flatMap(
    Database,
    ({ sql }) => sql<{ place: string; steps: bigint }>`
      select 'live' as place, (select count(*) from aos_trace_steps s where s.trace_id = t.trace_id) as steps
      from aos_traces t where trace_id = ${run.trace_id}
      union all
      select 'archive', (select count(*) from aos_trace_steps_archive s where s.trace_id = t.trace_id)
      from aos_traces_archive t where trace_id = ${run.trace_id}`,
  ).pipe(Effect.map((rows) => rows.map(({ place, steps }) => `${place}:${steps}`).join()));
const isClean = Effect.gen(function* () {
  assert.deepStrictEqual(yield* found(), []);
});

for (const [name, config] of databases) {
  layer(operated(config), { excludeTestServices: true })(`on ${name}, an operator`, (it) => {
    it.effect("archives what is old and sealed, with all its steps, and leaves what is open", () =>
      Effect.gen(function* () {
        const [run, open] = [yield* sealedRun(3), yield* openRun(2)];
        const before = yield* proof(run);
        assert.isAtLeast((yield* archive).traces, 1);
        assert.strictEqual(yield* placeOf(run), "archive:3");
        assert.strictEqual(yield* placeOf(open), "live:2");
        const after = yield* proof(run);
        assert.strictEqual(after.integrity.verification_status, "VERIFIED");
        assert.strictEqual(after.integrity.root_hash, before.integrity.root_hash);
        assert.isTrue(yield* isListed(run));
        assert.strictEqual(
          (yield* TraceCoordinator.use((traces) => traces.show(nameOf(run)))).steps.length,
          3,
        );
        assert.strictEqual((yield* archive).traces, 0);
        yield* isClean;
        assert.isAtLeast((yield* audit()).report.traces.verified, 1);
      }),
    );

    it.effect("keeps the ids of what was archived and of what was deleted", () =>
      Effect.gen(function* () {
        const run = yield* sealedRun(1);
        const again = Effect.flip(
          Effect.flatMap(LogsBridge, ({ sink }) =>
            sink.start(startOf({ ...run, trace_id: crypto.randomUUID() })),
          ),
        );
        yield* archive;
        assert.strictEqual((yield* again)._tag, "RunExists");
        yield* RetentionCoordinator.use((retention) =>
          retention.setRetention({
            tenant_id: run.tenant_id,
            keep_days: 200,
            below_floor: false,
            ...order,
          }),
        );
        yield* RetentionCoordinator.use((retention) => retention.deleteExpired(order));
        assert.strictEqual(yield* placeOf(run), "");
        assert.strictEqual((yield* again)._tag, "RunExists");
        const [stub] = yield* Effect.flatMap(
          Database,
          ({ sql }) =>
            sql<{ root_hash: string; is_gone: boolean }>`
              select root_hash, deleted_at is not null as is_gone from runs where run_id = ${run.run_id}`,
        );
        assert.match(stub!.root_hash, /^[0-9a-f]{64}$/u);
        assert.isTrue(stub!.is_gone);
        const { verification_status, failure_reason } = (yield* proof(run)).integrity;
        assert.strictEqual(verification_status, "UNSUPPORTED");
        assert.include(failure_reason, stub!.root_hash);
        yield* isClean;
        assert.isAtLeast((yield* audit()).report.deletions_recorded, 1);
        yield* RetentionCoordinator.use((retention) =>
          retention.setRetention({
            tenant_id: run.tenant_id,
            keep_days: null,
            below_floor: false,
            ...order,
          }),
        );
      }),
    );

    it.effect("moves, erases and deletes nothing that is held, a run or a whole tenant", () =>
      Effect.gen(function* () {
        const retention = yield* RetentionCoordinator;
        const erasure = yield* ErasureCoordinator;
        for (const ofRun of [true, false]) {
          const run = yield* sealedRun(1);
          const hold_id = yield* retention.setHold({
            tenant_id: run.tenant_id,
            run_id: ofRun ? run.run_id : null,
            ...order,
          });
          yield* archive;
          assert.strictEqual(yield* placeOf(run), "live:1");
          const payloads = yield* erasure.find(nameOf(run));
          const refused = yield* Effect.flip(erasure.erase(run.tenant_id, payloads, order));
          assert.strictEqual(refused._tag, "RunHeld");
          assert.deepStrictEqual(yield* erasure.find(nameOf(run)), payloads);
          yield* retention.liftHold({ tenant_id: run.tenant_id, hold_id, ...order });
          assert.strictEqual(
            (yield* Effect.flip(
              retention.liftHold({ tenant_id: run.tenant_id, hold_id, ...order }),
            ))._tag,
            "InvalidInput",
          );
          yield* archive;
          assert.strictEqual(yield* placeOf(run), "archive:1");
        }
        yield* isClean;
      }),
    );

    it.effect("refuses what is below the floor, unless it is said so", () =>
      Effect.gen(function* () {
        const retention = yield* RetentionCoordinator;
        const young = { ...OLD, older_than_days: 182 };
        const error = yield* Effect.flip(retention.archive(young));
        assert.include(error.message, "183");
        yield* retention.archive({ ...young, below_floor: true });
        const short = { tenant_id: "t", keep_days: 30, ...order };
        yield* Effect.flip(retention.setRetention({ ...short, below_floor: false }));
        yield* retention.setRetention({ ...short, below_floor: true });
      }),
    );

    it.effect(
      "erases payloads with their salts, before and after the archive, and proves the rest",
      () =>
        Effect.gen(function* () {
          const erasure = yield* ErasureCoordinator;
          const run = yield* sealedRun(2);
          const erase = (scope: Partial<Parameters<typeof erasure.find>[0]>) =>
            Effect.flatMap(erasure.find({ ...nameOf(run), ...scope }), (payloads) =>
              erasure.erase(run.tenant_id, payloads, order),
            );
          assert.deepStrictEqual(yield* erase({ step_index: 1, fields: ["params"] }), [
            { run_id: run.run_id, payloads: ["step 1:params"] },
          ]);
          assert.include(
            (yield* Effect.flip(erase({ step_index: 1, fields: ["params"] }))).message,
            "no such payload",
          );
          yield* archive;
          yield* erase({ fields: ["plan", "metadata", "outcome_data"] });
          const verdict = yield* proof(run);
          assert.strictEqual(verdict.integrity.verification_status, "VERIFIED");
          assert.deepStrictEqual(
            verdict.findings.map(({ code }) => code),
            Array(5).fill("PAYLOAD_ERASED"),
          );
          const [left] = yield* Effect.flatMap(
            Database,
            ({ sql }) => sql<{ left: bigint }>`
            select count(*) as left from aos_trace_steps_archive
            where trace_id = ${run.trace_id} and (outcome_data is not null or outcome_data_salt is not null)`,
          );
          assert.strictEqual(left!.left, 0n);
          yield* isClean;
        }),
    );

    it.effect(
      "finds every payload of a tenant that holds a text, escaped or not, archived or not",
      () =>
        Effect.gen(function* () {
          const erasure = yield* ErasureCoordinator;
          const subject = 'ann "the boss" O\\Neil';
          const archived = yield* sealedRun(1, `refund ${subject}`);
          yield* archive;
          const later = yield* sealedRun(1, `call ${subject}`);
          const payloads = yield* erasure.find({ tenant_id: later.tenant_id, matching: subject });
          assert.sameDeepMembers(
            payloads.map(({ run_id, payload }) => [run_id, payload]),
            [archived, later].map(({ run_id }) => [run_id, "trace:attributes"]),
          );
          yield* erasure.erase(later.tenant_id, payloads, order);
          assert.include(
            (yield* Effect.flip(erasure.find({ tenant_id: later.tenant_id, matching: subject })))
              .message,
            "holds that text",
          );
          yield* isClean;
        }),
    );

    it.effect("says of nothing that it went, where something in the database kept it", () =>
      Effect.gen(function* () {
        const erasure = yield* ErasureCoordinator;
        const run = yield* sealedRun(1);
        const payloads = yield* erasure.find(nameOf(run));
        const keeping = (table: string, event: string) =>
          `create trigger a_keeps before ${event} on ${table} for each row execute function keeps()`;
        yield* asOwner(
          "create function keeps() returns trigger language plpgsql as 'begin return null; end'",
          keeping("aos_trace_steps", "update"),
          keeping("aos_trace_steps", "delete").replace("a_keeps", "b_keeps"),
        );
        assert.strictEqual(
          (yield* Effect.flip(erasure.erase(run.tenant_id, payloads, order)))._tag,
          "DatabaseFailed",
        );
        assert.strictEqual((yield* Effect.flip(archive))._tag, "DatabaseFailed");
        yield* asOwner("drop function keeps() cascade");
        assert.deepStrictEqual(yield* erasure.find(nameOf(run)), payloads);
        assert.strictEqual(yield* placeOf(run), "live:1");
        yield* isClean;
      }),
    );

    it.effect("leaves each of these in the ledger, with who asked and why", () =>
      Effect.gen(function* () {
        const run = yield* sealedRun(1);
        yield* archive;
        const { ledger } = yield* LogsBridge;
        const [entry, ...others] = yield* ledger.read(nameOf(run));
        assert.deepStrictEqual(others, []);
        assert.deepInclude(entry, { event: "archived", ...order, run_id: run.run_id });
      }),
    );
  });
}
