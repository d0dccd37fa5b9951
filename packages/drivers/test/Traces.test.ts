import { expect } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { STEPS_AT_ONCE_MAX } from "@runproof/drivers/EvidenceLimits";
import { LEASE_MS_MAX } from "@runproof/drivers/EvidenceLimits";
import { TEXT_BYTES_MAX } from "@runproof/proof/CanonicalJson";
import { rootHash } from "@runproof/proof/Chain";
import { inclusionPath } from "@runproof/proof/MerkleTree";
import { planInclusion } from "@runproof/proof/ProofPlan";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import * as Effect from "effect/Effect";
import * as References from "effect/References";
import { readSubtrees } from "../src/logs/readSubtrees.ts";
import { sqlState } from "../src/internal/postgres/sqlReason.ts";
import { asSuperuser, literal, onEachDatabase } from "./Databases.ts";
import {
  appendOne,
  freshIdentity,
  HOLDER,
  LEASE_MS,
  numberedStep,
  openRun,
  read,
  record,
  recordAt,
  seal,
  sealedRun,
  sealInput,
  start,
  stepInput,
  traceInput,
  verdictOf,
  verify,
} from "./Evidence.ts";
import { traces } from "./Stores.ts";

onEachDatabase("the trace store", (it) => {
  it.effect("completes a run, and what it stored verifies", () =>
    Effect.gen(function* () {
      const run = yield* sealedRun(3);
      const stored = yield* read(run);
      expect(stored.trace.status).toBe("completed");
      expect(verdictOf(stored)).toMatchObject({
        verification_status: "VERIFIED",
        lifecycle: "COMPLETE",
        chain_length: 3,
        root_hash: run.sealed.root_hash,
        merkle_root: run.sealed.merkle_root,
        findings: [],
      });
      expect(rootHash(run.sealed.chain_head, run.sealed.seal_record)).toBe(run.sealed.root_hash);
    }),
  );

  it.effect("answers where the chain stands after each write", () =>
    Effect.gen(function* () {
      const identity = freshIdentity();
      const prepared = prepareTrace(traceInput(identity));
      const first = yield* start(identity);
      expect(first).toMatchObject({ trace_id: identity.trace_id, next_index: 0 });
      expect(prepared.link).toMatch(/^[0-9a-f]{64}$/u);
      const after = yield* record(identity.trace_id);
      expect(after.next_index).toBe(1);
      const stored = yield* read(identity);
      expect(first.link).toBe(stored.trace.link);
      expect(after.link).toBe(stored.steps[0]!.link);
    }),
  );

  it.effect("records many steps in one call, in their order, all or none", () =>
    Effect.gen(function* () {
      const { trace_id, ...identity } = yield* openRun(1);
      const steps = Array.from({ length: 40 }, (_, index) => numberedStep(index + 1));
      const head = yield* record(trace_id, ...steps);
      expect(head.next_index).toBe(41);
      // The last one is of another place.
      const refused = yield* Effect.flip(record(trace_id, ...steps, { step_index: 99 }));
      expect(refused._tag).toBe("ChainMoved");
      yield* seal(trace_id);
      const stored = yield* read({ trace_id, ...identity });
      expect(stored.steps.map((step) => step.columns["skill_name"])).toEqual(
        Array.from({ length: 41 }, (_, index) => `step number ${index}`),
      );
      expect(verdictOf(stored).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("stores what every step's path is made of, however many steps came in one call", () =>
    Effect.gen(function* () {
      const { trace_id, ...identity } = yield* openRun(1);
      for (const length of [1, 2, 5, 1, 16, 33, 1, 1, 8]) {
        yield* record(trace_id, ...Array.from({ length }, (_, index) => numberedStep(index)));
      }
      yield* seal(trace_id);
      const { trace, steps } = yield* read({ trace_id, ...identity });
      const leaves = [trace, ...steps].map(({ leaf_hash }) => leaf_hash);
      const { sql } = yield* Database;
      for (let leaf = 0; leaf < leaves.length; leaf += 1) {
        const { nodes, build } = planInclusion(leaf, leaves.length);
        const hashes = yield* readSubtrees(sql, { trace_id, nodes });
        expect(build(hashes.map(String)), `leaf ${leaf}`).toEqual(inclusionPath(leaves, leaf));
      }
      const beyond = { level: 0, index: leaves.length };
      expect(yield* readSubtrees(sql, { trace_id, nodes: [beyond] })).toEqual([null]);
    }),
  );

  it.effect("refuses no step, and more steps than its limit, in one call", () =>
    Effect.gen(function* () {
      const { trace_id } = yield* openRun(0);
      const store = yield* traces;
      const step = prepareStep(stepInput(trace_id));
      for (const length of [0, STEPS_AT_ONCE_MAX + 1]) {
        const steps = Array.from({ length }, () => step);
        const many = { trace_id, holder: HOLDER, first_index: 0, steps };
        expect(yield* Effect.flip(store.appendSteps(many))).toMatchObject({
          _tag: "InvalidInput",
          where: `trace ${trace_id}`,
        });
        const items = steps.map(() => ({ trace_id, holder: HOLDER, step_index: 0, step }));
        expect(yield* Effect.flip(store.append(items))).toMatchObject({ _tag: "InvalidInput" });
      }
    }),
  );

  it.effect("takes a step of each of many traces in one call, and answers each for itself", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const [first, second, third] = [yield* openRun(1), yield* openRun(0), yield* openRun(2)];
      const sealed = yield* sealedRun(1);
      const item = ({ trace_id }: { trace_id: string }, step_index: number, over = {}) => ({
        trace_id,
        holder: HOLDER,
        step_index,
        step: prepareStep(stepInput(trace_id, { step_index, ...over })),
      });
      const answers = yield* store.append([
        item(first, 1),
        item(sealed, 1),
        item(second, 3),
        { ...item(third, 2), holder: "another" },
        item(freshIdentity(), 0),
      ]);
      const told = answers.map((answer) =>
        answer._tag === "Success" ? "recorded" : answer.failure._tag,
      );
      expect(told).toEqual(["recorded", "TraceSealed", "ChainMoved", "LeaseLost", "TraceNotFound"]);
      const stored = yield* read(first);
      expect(answers[0]).toMatchObject({ success: stored.steps[1]!.link });
      // One that the database refuses takes nobody with it.
      const parent = { parent_step_index: 0 };
      const refused = { ...item(second, 0), step: item(third, 2).step };
      const mixed = yield* store.append([item(first, 2, parent), refused, item(third, 2, parent)]);
      expect(mixed.map(({ _tag }) => _tag)).toEqual(["Success", "Failure", "Success"]);
      for (const run of [first, second, third]) yield* seal(run.trace_id);
      expect((yield* verify(first)).chain_length).toBe(3);
      expect((yield* verify(third)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("answers a step, a start and a seal that are sent again as it did the first time", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const identity = freshIdentity();
      const { trace_id } = identity;
      const trace = prepareTrace(traceInput(identity));
      const begun = { trace, holder: HOLDER, lease_ms: LEASE_MS };
      expect(yield* store.start(begun)).toEqual(yield* store.start(begun));
      expect((yield* Effect.flip(store.start({ ...begun, holder: "another" })))._tag).toBe(
        "ImmutabilityViolation",
      );
      const step = prepareStep(stepInput(trace_id));
      const item = { trace_id, holder: HOLDER, step_index: 0, step };
      const [first] = yield* store.append([item]);
      expect(yield* store.append([item])).toEqual([first]);
      const steps = [1, 2].map((step_index) => prepareStep(stepInput(trace_id, { step_index })));
      const many = { trace_id, holder: HOLDER, first_index: 1, steps };
      expect(yield* store.appendSteps(many)).toEqual(yield* store.appendSteps(many));
      // Another step at that place is another step.
      const other = { ...item, step: prepareStep(stepInput(trace_id)) };
      expect(yield* store.append([other])).toMatchObject([{ failure: { _tag: "ChainMoved" } }]);
      const sealing = { trace_id, holder: HOLDER, seal: prepareSeal(sealInput(trace_id)) };
      const sealed = yield* store.seal(sealing);
      expect(yield* store.seal(sealing)).toEqual(sealed);
      expect(sealed.step_count).toBe(3);
      expect(yield* store.append([item])).toEqual([first]);
      expect((yield* verify(identity)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("refuses a step once the lease is over", () =>
    Effect.gen(function* () {
      const run = freshIdentity();
      const head = yield* start(run, {}, { lease_ms: 0 });
      expect((yield* Effect.flip(recordAt(head)))._tag).toBe("LeaseLost");
      expect((yield* Effect.flip(recordAt(head, {}, { step_index: 1 })))._tag).toBe("LeaseLost");
    }),
  );

  it.effect("takes a sealer's expected head, and says that the chain moved where it did", () =>
    Effect.gen(function* () {
      const { trace_id } = yield* openRun(0);
      const store = yield* traces;
      const head = yield* record(trace_id);
      const next = yield* recordAt(head);
      expect(next.next_index).toBe(2);
      expect((yield* Effect.flip(recordAt(head)))._tag).toBe("ChainMoved");
      const seals = { trace_id, holder: HOLDER, seal: prepareSeal(sealInput(trace_id)) };
      for (const expected of [head, { ...next, link: head.link }, { ...next, next_index: 1 }]) {
        expect((yield* Effect.flip(store.seal({ ...seals, expected })))._tag).toBe("ChainMoved");
      }
      yield* store.seal({ ...seals, expected: next });
    }),
  );

  it.effect("seals each end as what it is", () =>
    Effect.gen(function* () {
      const ends = { completed: "COMPLETE", failed: "COMPLETE", aborted: "ABORTED" } as const;
      for (const [status, lifecycle] of Object.entries(ends)) {
        const run = yield* openRun(1);
        expect((yield* verify(run)).lifecycle).toBe("OPEN");
        yield* seal(run.trace_id, { status: status as keyof typeof ends });
        const stored = yield* read(run);
        expect(stored.trace.status).toBe(status);
        expect(verdictOf(stored)).toMatchObject({ verification_status: "VERIFIED", lifecycle });
      }
    }),
  );

  it.effect("refuses a second run of one id in a tenant, and takes it in another tenant", () =>
    Effect.gen(function* () {
      const run = yield* openRun(0);
      const again = { ...run, trace_id: freshIdentity().trace_id };
      expect(yield* Effect.flip(start(again))).toMatchObject({
        _tag: "RunExists",
        run_id: run.run_id,
      });
      yield* start({ ...again, tenant_id: "another tenant" });
    }),
  );

  it.effect("refuses a second trace of one trace id", () =>
    Effect.gen(function* () {
      const run = yield* openRun(0);
      const error = yield* Effect.flip(start({ ...freshIdentity(), trace_id: run.trace_id }));
      expect(error._tag).toBe("ImmutabilityViolation");
    }),
  );

  it.effect("finds no other tenant's run", () =>
    Effect.gen(function* () {
      const run = yield* sealedRun(1);
      const store = yield* traces;
      for (const other of [
        { tenant_id: "another tenant", run_id: run.run_id },
        { tenant_id: run.tenant_id, run_id: "another run" },
        { tenant_id: "", run_id: run.run_id },
        { tenant_id: run.tenant_id, run_id: "U+0000: \u0000" },
      ])
        expect(yield* Effect.flip(store.get(other))).toMatchObject({
          _tag: "RunNotFound",
          ...other,
        });
    }),
  );

  it.effect("says what a write to a sealed or unknown trace meets", () =>
    Effect.gen(function* () {
      const { trace_id } = yield* sealedRun(1);
      const head = { trace_id, next_index: 1, link: "" };
      for (const steps of [[{}], [{}, { step_index: 2 }]])
        expect(yield* Effect.flip(recordAt(head, ...steps))).toMatchObject({
          _tag: "TraceSealed",
          status: "completed",
        });
      expect((yield* Effect.flip(seal(trace_id)))._tag).toBe("TraceSealed");
      expect((yield* Effect.flip(seal(trace_id, { status: "aborted" })))._tag).toBe("TraceSealed");
      expect((yield* Effect.flip(record("no such trace")))._tag).toBe("TraceNotFound");
      expect((yield* Effect.flip(seal("no such trace")))._tag).toBe("TraceNotFound");
    }),
  );

  it.effect("keeps a lease for its holder only", () =>
    Effect.gen(function* () {
      const { trace_id } = yield* openRun(0);
      const store = yield* traces;
      const own = { trace_id, holder: HOLDER, lease_ms: LEASE_MS };
      const other = { trace_id: (yield* openRun(0)).trace_id, holder: "x", lease_ms: LEASE_MS };
      expect(yield* store.renewLeases([own, other])).toEqual(new Set([other.trace_id]));
      yield* seal(trace_id);
      expect(yield* store.renewLeases([own])).toEqual(new Set([trace_id]));
    }),
  );

  it.effect("aborts what expired, once, with its steps, and leaves what is kept alive", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const alive = yield* openRun(1);
      const dead = yield* openRun(1);
      yield* asSuperuser(
        `update aos_trace_leases set expires_at = now() where trace_id = ${literal(dead.trace_id)}`,
      );
      const swept = yield* store.abortExpired();
      const aborted = swept.filter(({ trace_id }) => trace_id === dead.trace_id);
      expect(aborted).toMatchObject([{ ...dead, step_count: 1 }]);
      expect(yield* store.abortExpired()).toEqual([]);
      const stored = yield* read(dead);
      expect(stored.trace.status).toBe("aborted");
      expect(stored.seal!.columns["reason"]).toContain("lease ended at");
      expect(verdictOf(stored)).toMatchObject({
        verification_status: "VERIFIED",
        lifecycle: "ABORTED",
        root_hash: aborted[0]!.root_hash,
      });
      expect((yield* verify(alive)).lifecycle).toBe("OPEN");
      yield* seal(alive.trace_id);
    }),
  );

  it.effect("renews no lease that is over: such a run can only be aborted", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const run = freshIdentity();
      yield* start(run, {}, { lease_ms: 0 });
      const late = { trace_id: run.trace_id, holder: HOLDER, lease_ms: LEASE_MS };
      expect(yield* store.renewLeases([late])).toEqual(new Set([run.trace_id]));
      expect((yield* Effect.flip(seal(run.trace_id)))._tag).toBe("LeaseLost");
      const swept = yield* store.abortExpired();
      expect(swept.map(({ trace_id }) => trace_id)).toContain(run.trace_id);
    }),
  );

  it.effect("takes steps and a seal from the lease's holder only", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const run = freshIdentity();
      const { trace_id } = run;
      const holder = "its own";
      yield* start(run, {}, { holder });
      const step = prepareStep(stepInput(trace_id));
      const sealing = prepareSeal(sealInput(trace_id));
      for (const other of ["another", ""]) {
        const writes: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }, Database>> = [
          appendOne({ trace_id, holder: other, step_index: 0, step }),
          store.appendSteps({ trace_id, holder: other, first_index: 0, steps: [step] }),
          store.seal({ trace_id, holder: other, seal: sealing }),
        ];
        for (const write of writes) {
          expect((yield* Effect.flip(write))._tag).toBe("LeaseLost");
        }
      }
      const { sql } = yield* Database;
      const unnamed = sql`select runproof_seal_trace(${trace_id}, null, array['', '', '', ''], null, null, null, null)`;
      expect(sqlState(yield* Effect.flip(unnamed))).toBe("S6005");
      yield* appendOne({ trace_id, holder, step_index: 0, step });
      yield* store.seal({ trace_id, holder, seal: sealing });
      expect((yield* verify(run)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("shows no lease's holder to the application's role", () =>
    Effect.gen(function* () {
      const { sql } = yield* Database;
      yield* sql`select trace_id, expires_at from aos_trace_leases`;
      const hidden = yield* Effect.flip(sql`select holder from aos_trace_leases`);
      expect(sqlState(hidden)).toBe("42501");
    }),
  );

  it.effect("keeps no lease for longer than the longest", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const run = freshIdentity();
      const lease_ms = LEASE_MS_MAX + 1;
      const error = yield* Effect.flip(start(run, {}, { lease_ms }));
      expect(error._tag).toBe("InvalidInput");
      yield* start(run, {}, { lease_ms: LEASE_MS_MAX });
      const renewal = { trace_id: run.trace_id, holder: HOLDER };
      const longer = yield* Effect.flip(store.renewLeases([{ ...renewal, lease_ms }]));
      expect(longer._tag).toBe("DatabaseFailed");
      yield* store.renewLeases([{ ...renewal, lease_ms: LEASE_MS_MAX }]);
      const { sql } = yield* Database;
      const { record } = prepareTrace(traceInput(freshIdentity()));
      const past = sql`select runproof_start_trace(${record}, null, null, null, null, 'x', ${BigInt(lease_ms)})`;
      expect(sqlState(yield* Effect.flip(past))).toBe("22023");
    }),
  );

  it.effect("keeps all or nothing of what is done atomically", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const [kept, dropped] = [freshIdentity(), freshIdentity()];
      yield* store.atomically(sealedRun(2, kept));
      const failure = yield* Effect.flip(
        store.atomically(Effect.andThen(sealedRun(2, dropped), Effect.fail("stop" as const))),
      );
      expect(failure).toBe("stop");
      expect((yield* verify(kept)).verification_status).toBe("VERIFIED");
      expect((yield* Effect.flip(read(dropped)))._tag).toBe("RunNotFound");
      // A sub-transaction inside it counts as part of it.
      const nested = freshIdentity();
      yield* store.atomically(store.atomically(sealedRun(1, nested)));
      expect((yield* verify(nested)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("reads a run whose trace has no steps, and one that is open", () =>
    Effect.gen(function* () {
      expect(yield* verify(yield* openRun(2))).toMatchObject({
        verification_status: "UNSUPPORTED",
        lifecycle: "OPEN",
        findings: [],
      });
      expect(yield* verify(yield* sealedRun(0))).toMatchObject({
        verification_status: "UNSUPPORTED",
        failure_reason: "No steps to verify",
      });
    }),
  );

  it.effect("reads back a payload of the largest size that the format takes", () =>
    Effect.gen(function* () {
      const run = yield* openRun(0);
      // Its canonical text has two quotes more.
      yield* record(run.trace_id, { params: "a".repeat(TEXT_BYTES_MAX - 2) });
      yield* seal(run.trace_id);
      expect((yield* verify(run)).verification_status).toBe("VERIFIED");
    }),
  );

  it.effect("refuses input that the database can't hold, as input", () =>
    Effect.gen(function* () {
      const run = yield* openRun(0);
      const store = yield* traces;
      const error = yield* Effect.flip(
        start({ ...run, trace_id: `${freshIdentity().trace_id}\u0000` }).pipe(
          Effect.catchDefect((defect) => Effect.fail(defect as { readonly _tag: string })),
        ),
      );
      expect(error._tag).toBe("RecordInvalid");
      const lease = yield* Effect.flip(
        store.start({
          trace: prepareTrace(traceInput(freshIdentity())),
          holder: "test",
          lease_ms: 1.5,
        }),
      );
      expect(lease._tag).toBe("InvalidInput");
    }),
  );

  it.effect("goes on after a statement that failed, and after one that was interrupted", () =>
    Effect.gen(function* () {
      const run = yield* openRun(0);
      const { sql } = yield* Database;
      yield* Effect.flip(record("no such trace"));
      // The client can't decode an array of arrays, and gives up the connection in the middle of the transaction.
      const broken = sql.withTransaction(sql`select array[[1], [2]] as nested`);
      const exit = yield* Effect.exit(broken).pipe(
        Effect.provideService(References.MinimumLogLevel, "None"),
      );
      expect(exit._tag).toBe("Failure");
      // Only a statement that has its connection for itself can be interrupted.
      const long = sql.withTransaction(sql`select count(*) from generate_series(1, 2000000)`);
      yield* Effect.timeoutOption(long, "5 millis");
      yield* Effect.all(
        Array.from({ length: 8 }, (_, index) =>
          index % 2 === 0
            ? record(run.trace_id).pipe(
                Effect.retry({ while: (error) => error._tag === "ChainMoved" }),
              )
            : Effect.asVoid(Effect.flip(record("no such trace"))),
        ),
        { concurrency: "unbounded" },
      );
      yield* seal(run.trace_id);
      expect(yield* verify(run)).toMatchObject({
        verification_status: "VERIFIED",
        chain_length: 4,
      });
    }),
  );

  it.effect("probes the newest trace, or the one of a run, of its tenant only", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const tenant_id = freshIdentity().tenant_id;
      expect(yield* store.probe({ tenant_id })).toBeNull();
      const older = yield* sealedRun(2, freshIdentity(tenant_id));
      const newer = freshIdentity(tenant_id);
      yield* start(newer, { started_at: "2026-02-11T00:00:00.000000Z" });
      expect(yield* store.probe({ tenant_id })).toEqual({
        run_id: newer.run_id,
        tenant_id,
        started_at: "2026-02-11T00:00:00.000000Z",
        status: "running",
        step_count: 0,
      });
      expect(yield* store.probe({ tenant_id, run_id: older.run_id })).toMatchObject({
        run_id: older.run_id,
        status: "completed",
        step_count: 2,
      });
      expect(yield* store.probe({ tenant_id: "another", run_id: older.run_id })).toBeNull();
      expect(yield* store.probe({ tenant_id, run_id: "U+0000: \u0000" })).toBeNull();
    }),
  );

  it.effect("queues OPENED with C_0 when a trace starts, and SEALED with its root, once each", () =>
    Effect.gen(function* () {
      const run = yield* sealedRun(1);
      const stored = yield* read(run);
      const entries = yield* asSuperuser(
        `select kind::int as kind, digest from aos_log_queue where trace_id = ${literal(run.trace_id)} order by queue_id`,
      );
      expect(entries).toEqual([
        { kind: 1, digest: stored.trace.link },
        { kind: 2, digest: run.sealed.root_hash },
      ]);
    }),
  );
});
