/** Goal: every verdict that a stored run can get is the right one, on both databases and with no part of ours replaced. */
import { assert, layer } from "@effect/vitest";
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { verifyBundle } from "@runproof/proof/Verifier";
import { legacyRoot } from "@runproof/proof/LegacyRoot";
import type { RunOutcome } from "@runproof/spine-coordinators/runs/RunOutcome";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import {
  type RowPart,
  RunProofCoordinator,
} from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";
import { sealedRun } from "./AuditedRuns.ts";
import { asOwner, rows, runId, tamper, tenant_id, verdict } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

/** A sealed run of as many steps as there are params. */
const record = Effect.fnUntraced(function* (...params: ReadonlyArray<string>) {
  let sealed: RunOutcome | undefined;
  yield* TracedRun.run(
    { tenant_id, capture: "inline", onSealed: (outcome) => Effect.sync(() => (sealed = outcome)) },
    Effect.forEach(params, (each) =>
      TracedRun.step({ skill_id: "look_up", params: each }, Effect.succeed(`found ${each}`)),
    ),
  );
  return sealed!;
});

const getRunProof = (...input: Parameters<RunProofCoordinator["Service"]["getRunProof"]>) =>
  Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getRunProof(...input));

const getBundle = (run_id: string, tenant = tenant_id) =>
  Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getBundle({ tenant_id: tenant, run_id }));

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `a proof on ${name}`,
    (it) => {
      it.effect("valid chain: VERIFIED with its length and root", () =>
        Effect.gen(function* () {
          const { run_id, root_hash } = yield* record("a", "b", "c");
          const proof = yield* verdict(run_id);
          assert.deepStrictEqual(proof.integrity, {
            model: "HASH_CHAIN",
            verification_status: "VERIFIED",
            chain_length: 3,
            root_hash,
            failure_reason: null,
          });
          assert.strictEqual(proof.run_id, run_id);
          assert.strictEqual(proof.lifecycle, "COMPLETE");
          assert.strictEqual(proof.assurance, "SELF");
          assert.lengthOf(proof.findings, 0);
          assert.lengthOf(proof.aos_traces, 1);
          assert.lengthOf(proof.aos_trace_steps, 3);
          assert.strictEqual(proof.aos_traces[0]?.["status"], "completed");
          assert.strictEqual(
            proof.legacy_root_hash,
            legacyRoot(
              run_id,
              [0, 1, 2].map((step_index) => ({
                step_index,
                skill_name: "look_up",
                status: "success",
              })),
            ),
          );
        }),
      );

      it.effect('no trace: UNSUPPORTED "No trace found for run"', () =>
        Effect.gen(function* () {
          const { integrity, lifecycle, assurance, aos_traces } = yield* verdict("no-such-run");
          assert.deepStrictEqual(integrity, {
            model: "NONE",
            verification_status: "UNSUPPORTED",
            chain_length: 0,
            root_hash: null,
            failure_reason: "No trace found for run",
          });
          assert.deepStrictEqual([lifecycle, assurance, aos_traces.length], [null, null, 0]);
        }),
      );

      it.effect('no steps: UNSUPPORTED "No steps to verify"', () =>
        Effect.gen(function* () {
          const { run_id } = yield* record();
          const { integrity, assurance } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "UNSUPPORTED");
          assert.strictEqual(integrity.failure_reason, "No steps to verify");
          assert.strictEqual(integrity.chain_length, 0);
          assert.strictEqual(assurance, null);
        }),
      );

      it.effect("open: UNSUPPORTED, and never COMPLETE", () =>
        Effect.gen(function* () {
          const run_id = runId();
          yield* TracedRun.run(
            { tenant_id, capture: "inline", run_id },
            Effect.gen(function* () {
              yield* TracedRun.step({ skill_id: "look_up" }, Effect.succeed(1));
              const { integrity, lifecycle, assurance } = yield* verdict(run_id);
              assert.strictEqual(integrity.verification_status, "UNSUPPORTED");
              assert.include(integrity.failure_reason, "OPEN");
              assert.deepStrictEqual([lifecycle, assurance], ["OPEN", null]);
              const refusal = yield* Effect.flip(getBundle(run_id));
              assert.strictEqual(refusal._tag, "InvalidInput");
            }),
          );
        }),
      );

      it.effect("tenant: always passed on, and another tenant's run is not found", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a");
          const proof = yield* getRunProof({ tenant_id: "another-tenant", run_id });
          assert.strictEqual(proof.integrity.verification_status, "UNSUPPORTED");
          assert.strictEqual(proof.integrity.failure_reason, "No trace found for run");
          assert.lengthOf(proof.aos_traces, 0);
          assert.lengthOf(proof.aos_trace_steps, 0);
          const refusal = yield* Effect.flip(getBundle(run_id, "another-tenant"));
          assert.strictEqual(refusal._tag, "RunNotFound");
        }),
      );

      it.effect("unknown stored step status: a finding, never success", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a", "b");
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set status = 'splendid' where run_id = '${run_id}' and step_index = 1`,
          );
          const { integrity, findings } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "FAILED");
          assert.deepStrictEqual(
            findings.map(({ code, step_index }) => [code, step_index]),
            [["COLUMN_MISMATCH", 1]],
          );
        }),
      );

      it.effect("unknown stored trace status: a finding, never COMPLETE", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a");
          yield* asOwner("alter table aos_traces drop constraint aos_traces_status_known");
          yield* tamper(
            "aos_traces",
            `update aos_traces set status = 'splendid' where run_id = '${run_id}'`,
          );
          const { integrity, findings } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "FAILED");
          assert.strictEqual(findings[0]?.code, "COLUMN_MISMATCH");
        }),
      );

      it.effect("a changed payload: FAILED naming the step, and its neighbour VERIFIED", () =>
        Effect.gen(function* () {
          const changed = yield* record("a", "b", "c");
          const neighbour = yield* record("a", "b", "c");
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set outcome_data = '"found nothing"' where run_id = '${changed.run_id}' and step_index = 2`,
          );
          const proof = yield* verdict(changed.run_id);
          assert.strictEqual(proof.integrity.verification_status, "FAILED");
          assert.deepStrictEqual(
            proof.findings.map(({ code, step_index }) => [code, step_index]),
            [["PAYLOAD_MISMATCH", 2]],
          );
          assert.strictEqual(proof.assurance, null);
          const untouched = yield* verdict(neighbour.run_id);
          assert.strictEqual(untouched.integrity.verification_status, "VERIFIED");
          const refusal = yield* Effect.flip(getBundle(changed.run_id));
          assert.strictEqual(refusal._tag, "StoredDataUnreadable");
        }),
      );

      it.effect(
        "a step's bundle: made by its own path, and refused by name where that is broken",
        () =>
          Effect.gen(function* () {
            const { run_id } = yield* record("a", "b", "c", "d", "e");
            const bundleOf = (step_index: number) =>
              RunProofCoordinator.use((proofs) =>
                proofs.getStepBundle({ tenant_id, run_id, step_index }),
              );
            const honest = yield* bundleOf(1);
            const beyond = yield* Effect.flip(bundleOf(5));
            assert.include(beyond.message, "there is no step 5: the run has 5");
            // Nothing of the others is read: that one of them was changed is for the run's proof to say.
            yield* tamper(
              "aos_trace_steps",
              `update aos_trace_steps set outcome_data = '"found nothing"' where run_id = '${run_id}' and step_index = 3`,
            );
            assert.strictEqual((yield* bundleOf(1)).text, honest.text);
            const changed = yield* Effect.flip(bundleOf(3));
            assert.include(changed.message, "would not verify");
            yield* tamper(
              "aos_trace_steps",
              `update aos_trace_steps set outcome_data = '"found d"' where run_id = '${run_id}' and step_index = 3`,
            );
            // With no path to go by the whole run is read, which says why.
            yield* tamper(
              "aos_trace_steps",
              `update aos_trace_steps set subtrees = sha256('other') where run_id = '${run_id}' and step_index = 2`,
            );
            const refusal = yield* Effect.flip(bundleOf(1));
            assert.strictEqual(refusal._tag, "StoredDataUnreadable");
            assert.include(refusal.message, "step 2: the column subtrees");
            const { integrity, findings } = yield* verdict(run_id);
            assert.strictEqual(integrity.verification_status, "FAILED");
            assert.deepStrictEqual(
              findings.map(({ code, step_index }) => [code, step_index]),
              [["COLUMN_MISMATCH", 2]],
            );
          }),
      );

      it.effect("a trace row that is gone while its steps are there: FAILED, not missing", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a");
          yield* tamper("aos_traces", `delete from aos_traces where run_id = '${run_id}'`);
          const { integrity, findings } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "FAILED");
          assert.lengthOf(findings, 1);
        }),
      );

      it.effect(
        "a run that only names another tenant's trace: FAILED, and nothing of it shown",
        () =>
          Effect.gen(function* () {
            const { run_id, trace_id } = yield* record("secret");
            const [forged, stranger] = [runId(), "a stranger"];
            yield* asOwner(
              `insert into runs (tenant_id, run_id) values ('${stranger}', '${forged}')`,
              `update runs set status = 'running', trace_id = '${trace_id}' where run_id = '${forged}'`,
              `update runs set status = 'succeeded' where run_id = '${forged}'`,
            );
            const proof = yield* getRunProof({
              tenant_id: stranger,
              run_id: forged,
              include_payloads: true,
            });
            assert.strictEqual(proof.integrity.verification_status, "FAILED");
            assert.notInclude(JSON.stringify(proof), run_id);
            assert.notInclude(JSON.stringify(proof), "secret");
            const refusal = yield* Effect.flip(getBundle(forged, stranger));
            assert.strictEqual(refusal._tag, "StoredDataUnreadable");
            assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
          }),
      );

      it.effect("a trace row given to another tenant: FAILED for it, and nothing of it shown", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("secret");
          yield* tamper(
            "aos_traces",
            `update aos_traces set tenant_id = 'a thief' where run_id = '${run_id}'`,
          );
          const proof = yield* getRunProof({
            tenant_id: "a thief",
            run_id,
            include_payloads: true,
          });
          assert.strictEqual(proof.integrity.verification_status, "FAILED");
          assert.notInclude(JSON.stringify(proof.aos_trace_steps), "look_up");
          assert.notInclude(JSON.stringify(proof), "secret");
          assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "FAILED");
        }),
      );

      it.effect("a second trace row of the same run: FAILED", () =>
        Effect.gen(function* () {
          const { run_id, trace_id } = yield* record("a");
          yield* asOwner(
            `alter table aos_traces disable trigger user`,
            `alter table aos_traces drop constraint aos_traces_pkey`,
            `alter table aos_traces drop constraint aos_traces_tenant_id_run_id_key`,
            `insert into aos_traces select * from aos_traces where run_id = '${run_id}'`,
          );
          const { integrity } = yield* verdict(run_id);
          yield* asOwner(
            `delete from aos_traces a using aos_traces b
             where a.ctid < b.ctid and a.trace_id = b.trace_id and a.trace_id = '${trace_id}'`,
            `alter table aos_traces add primary key (trace_id)`,
            `alter table aos_traces add unique (tenant_id, run_id)`,
          );
          yield* tamper("aos_traces", `select 1`);
          assert.strictEqual(integrity.verification_status, "FAILED");
          assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
        }),
      );

      it.effect("an archival that the log does not record: FAILED", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a");
          yield* tamper(
            "aos_traces",
            `update aos_traces set archived_at = clock_timestamp() where run_id = '${run_id}'`,
          );
          const { integrity } = yield* verdict(run_id);
          assert.strictEqual(integrity.verification_status, "FAILED");
        }),
      );

      it.effect("the model MERKLE_TREE: VERIFIED too", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a", "b");
          const { integrity } = yield* getRunProof({ tenant_id, run_id, model: "MERKLE_TREE" });
          assert.strictEqual(integrity.model, "MERKLE_TREE");
          assert.strictEqual(integrity.verification_status, "VERIFIED");
        }),
      );

      it.effect("payloads are in raw_logs where they are asked for, and only there", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("secret-param");
          const without = yield* verdict(run_id);
          assert.notInclude(JSON.stringify(without), "secret-param");
          const proof = yield* getRunProof({ tenant_id, run_id, include_payloads: true });
          assert.deepStrictEqual(proof.raw_logs, [
            { of: "trace", name: "attributes", value: {} },
            { of: "step 0", name: "params", value: "secret-param" },
            { of: "step 0", name: "outcome_data", value: "found secret-param" },
          ]);
        }),
      );

      it.effect("a bundle verifies offline, with the root that the database sealed", () =>
        Effect.gen(function* () {
          const { run_id, root_hash } = yield* record("a", "b");
          const { text } = yield* getBundle(run_id);
          const { integrity } = verifyBundle(text);
          assert.strictEqual(integrity.verification_status, "VERIFIED");
          assert.strictEqual(integrity.root_hash, root_hash);
        }),
      );

      it.effect("a run of many pages: never more than one of them at a time", () =>
        Effect.gen(function* () {
          const [steps, page] = [250, 100];
          const run = yield* sealedRun(steps);
          const proofs = yield* RunProofCoordinator;
          const input = { ...run, include_payloads: true };
          const parts: Array<string> = [];
          const rows = { aos_traces: [], aos_trace_steps: [], raw_logs: [] } as Record<
            RowPart,
            Array<JsonObject>
          >;
          const { is_stored, ...judged } = yield* proofs.judge(input, (part, some) =>
            Effect.sync(() => {
              parts.push(part);
              if (part === "aos_trace_steps") assert.isAtMost(some.length, page);
              rows[part].push(...some);
            }),
          );
          const { verified_at: _, ...whole } = yield* proofs.getRunProof(input);
          const { verified_at: __, ...verdict } = judged;
          assert.deepStrictEqual({ ...verdict, ...rows }, whole);
          assert.isTrue(is_stored);
          assert.isAtLeast(parts.filter((part) => part === "aos_trace_steps").length, 3);

          const pieces: Array<string> = [];
          yield* proofs.writeBundle(run, (piece) => Effect.sync(() => pieces.push(piece)));
          assert.isAtMost(
            Math.max(...pieces.map((piece) => piece.split("runproof/step@v1").length - 1)),
            page,
          );
          const { integrity } = verifyBundle(pieces.join(""));
          assert.strictEqual(integrity.verification_status, "VERIFIED");
          assert.strictEqual(integrity.root_hash, whole.integrity.root_hash);

          const traces = yield* TraceCoordinator;
          const looked: Array<number> = [];
          yield* traces.look(run, (some) => Effect.sync(() => looked.push(some.length)));
          assert.isAtMost(Math.max(...looked), page);
          assert.lengthOf((yield* traces.show(run)).steps, steps);
        }),
      );

      it.effect("a run that was changed at its end: what was written of it is no bundle", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a", "b");
          yield* tamper(
            "aos_trace_steps",
            `update aos_trace_steps set params = '"c"' where run_id = '${run_id}' and step_index = 1`,
          );
          const pieces: Array<string> = [];
          const proofs = yield* RunProofCoordinator;
          const error = yield* Effect.flip(
            proofs.writeBundle({ tenant_id, run_id }, (piece) =>
              Effect.sync(() => pieces.push(piece)),
            ),
          );
          assert.strictEqual(error._tag, "StoredDataUnreadable");
          assert.throws(() => verifyBundle(pieces.join("")));
        }),
      );

      it.effect("a database that is gone: an error, never a verdict", () =>
        Effect.gen(function* () {
          const { run_id } = yield* record("a");
          yield* asOwner("alter table aos_trace_steps rename to elsewhere");
          const error = yield* Effect.flip(verdict(run_id)).pipe(
            Effect.ensuring(
              Effect.orDie(asOwner("alter table elsewhere rename to aos_trace_steps")),
            ),
          );
          assert.strictEqual(error._tag, "SchemaMismatch");
          assert.lengthOf(yield* rows(`select 1 from aos_trace_steps limit 1`), 1);
        }),
      );
    },
  );
}
