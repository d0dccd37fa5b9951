/** Goal: what a source says is recorded whole and in its order, or nothing of it is and the error names the line. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, layer } from "@effect/vitest";
import { STEPS_AT_ONCE_MAX } from "@runproof/drivers/EvidenceLimits";
import { sha256 } from "@runproof/proof/Hash";
import { parseJson } from "@runproof/proof/JsonText";
import {
  ImportCoordinator,
  type ImportProgress,
  type ImportSettings,
} from "@runproof/spine-coordinators/import/ImportCoordinator";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import {
  type ShownPayload,
  TraceCoordinator,
} from "@runproof/spine-coordinators/logs/TraceCoordinator";
import {
  canonicalize,
  type JsonValue,
  PARSED_LIMITS,
  TEXT_BYTES_MAX,
} from "@runproof/proof/CanonicalJson";
import { DEFAULT_REDACTOR } from "@runproof/spine-coordinators/logs/WriteRules";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as fc from "fast-check";
import { rows } from "./StoredRuns.ts";
import { databases, runproof } from "./TestDatabase.ts";

const tenantId = () => `tenant-${crypto.randomUUID()}`;

const importText = (
  format: ImportSettings["format"],
  text: string,
  more: Partial<ImportSettings> & { readonly tenant_id: string },
) =>
  Effect.flatMap(ImportCoordinator, (imports) =>
    imports.importText({ format, name: "runs.ndjson", text, ...more }),
  );

const ndjson = (...lines: ReadonlyArray<unknown>) =>
  lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");

const show = (tenant_id: string, run_id: string) =>
  Effect.flatMap(TraceCoordinator, (traces) => traces.show({ tenant_id, run_id }));

const proofOf = (tenant_id: string, run_id: string) =>
  Effect.flatMap(RunProofCoordinator, (proofs) => proofs.getRunProof({ tenant_id, run_id }));

const statusOf = (tenant_id: string, run_id: string) =>
  Effect.map(proofOf(tenant_id, run_id), ({ integrity }) => integrity.verification_status);

const valueOf = (payload: ShownPayload | undefined) =>
  payload?.state === "present" ? payload.value : undefined;

const countTraces = (tenant_id: string) =>
  Effect.map(
    rows<{ n: bigint }>(`select count(*) as n from aos_traces where tenant_id = '${tenant_id}'`),
    ([row]) => Number(row?.n),
  );

const RUN = { type: "run", run_id: "r1", started_at: "2026-02-10T13:43:41.54943+01:00" };
const STEP = { type: "step", skill_id: "search", status: "success" };
const END = { type: "end", status: "completed", completed_at: "2026-02-10T12:43:42Z" };

const CALL = (id: string, name: string, args: string) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

/** tau-bench's transcripts, where they are there. */
const shared =
  process.env["RUNPROOF_SHARED_DATA"] ??
  fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const airline = join(shared, "tau-bench/airline.json");

/** The messages of a transcript, told again from the steps of its run. */
const retell = (
  steps: ReadonlyArray<{ record: object; payloads: Record<string, ShownPayload> }>,
) => {
  const messages = new Map<number, Record<string, unknown>>();
  for (const { record, payloads } of steps) {
    const attributes = valueOf(payloads["attributes"]) as Record<string, any>;
    const at = attributes["message_index"] as number;
    const outcome = valueOf(payloads["outcome_data"]);
    if (attributes["tool_call"] === undefined) {
      messages.set(at, outcome as Record<string, unknown>);
      continue;
    }
    const message = messages.get(at) ?? { ...attributes["message"] };
    const call = {
      ...attributes["tool_call"],
      function: { name: Reflect.get(record, "skill_id"), arguments: valueOf(payloads["params"]) },
    };
    messages.set(at, { ...message, tool_calls: [...((message["tool_calls"] as []) ?? []), call] });
    if (attributes["result_message_index"] !== undefined) {
      messages.set(attributes["result_message_index"], {
        ...attributes["result"],
        content: outcome,
      });
    }
  }
  return [...messages].toSorted(([a], [b]) => a - b).map(([, message]) => message);
};

/** Messages with the arguments of their tool calls as values. */
const withArguments = (messages: ReadonlyArray<Record<string, any>>) =>
  messages.map((message) =>
    message["tool_calls"] === undefined
      ? message
      : {
          ...message,
          tool_calls: message["tool_calls"].map((call: any) => ({
            ...call,
            function: { ...call.function, arguments: parseJson(call.function.arguments) },
          })),
        },
  );

/** A value as it is recorded: with what the default rules know masked. A name that secrets have may come up by chance. */
const masked = (value: JsonValue): any =>
  parseJson(DEFAULT_REDACTOR.json(canonicalize(value, PARSED_LIMITS)));

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `an import on ${name}`,
    (it) => {
      it.effect("of NDJSON records each run as its lines say, sealed and VERIFIED", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const text = ndjson(
            { ...RUN, agent_id: "a1", goal: "find it", attributes: { team: "t" }, seed: 7 },
            { ...STEP, params: { q: 1.1 }, outcome_data: [], duration_ms: 2.5 },
            "",
            {
              type: "step",
              skill_id: "book",
              skill_name: "Book",
              status: "failure",
              outcome_code: "FULL",
              started_at: "2026-02-10T12:43:41.6Z",
              parent_step_index: 0,
              step_index: 1,
            },
            { ...END, status: "failed", reason: "no seat", metadata: { tries: 1 } },
          );
          const { runs } = yield* importText("ndjson", text, {
            tenant_id,
            agent_id: "default-agent",
            origin_system_id: "default-system",
          });
          assert.lengthOf(runs, 1);
          assert.deepInclude(runs[0], { run_id: "r1", tenant_id, step_count: 2, status: "failed" });
          assert.strictEqual(yield* statusOf(tenant_id, "r1"), "VERIFIED");
          const run = yield* show(tenant_id, "r1");
          assert.deepInclude(run.trace, {
            started_at: "2026-02-10T12:43:41.549430Z",
            agent_id: "a1",
            origin_system_id: "default-system",
            seed: 7,
          });
          assert.deepStrictEqual(valueOf(run.payloads.attributes), {
            import: { source: "runs.ndjson", index: 0 },
            goal: "find it",
            attributes: { team: "t" },
            runproof: {
              source: {
                sha256: sha256(text),
                bytes: text.length,
                format: "ndjson",
                importer: "runproof/import@v1",
              },
            },
          });
          const { capture } = yield* proofOf(tenant_id, "r1");
          assert.deepStrictEqual([run.trace["capture"], capture], ["imported", "imported"]);
          assert.deepInclude(run.seal, {
            status: "failed",
            reason: "the source says why",
            completed_at: "2026-02-10T12:43:42.000000Z",
          });
          assert.deepStrictEqual(valueOf(run.payloads.metadata), {
            metadata: { tries: 1 },
            detail: "no seat",
          });
          const [first, second] = run.steps;
          assert.deepInclude(first?.record, {
            source: "external",
            skill_name: "search",
            outcome_category: "SUCCESS",
            duration_ms: 2.5,
            started_at: null,
          });
          assert.deepStrictEqual(valueOf(first?.payloads.params), { q: 1.1 });
          assert.deepInclude(second?.record, {
            skill_name: "Book",
            level: "ERROR",
            outcome_category: "PERMANENT",
            outcome_code: "FULL",
            parent_step_index: 0,
            started_at: "2026-02-10T12:43:41.600000Z",
          });
        }),
      );

      it.effect("of a run without an end is aborted, never COMPLETE", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const { runs } = yield* importText(
            "ndjson",
            ndjson(RUN, STEP, { ...RUN, run_id: "r2" }, STEP, STEP),
            { tenant_id },
          );
          assert.deepStrictEqual(
            runs.map(({ run_id, status, step_count }) => [run_id, status, step_count]),
            [
              ["r1", "aborted", 1],
              ["r2", "aborted", 2],
            ],
          );
          const { seal } = yield* show(tenant_id, "r2");
          assert.strictEqual(
            seal?.["reason"],
            "the source breaks off: it holds no end of this run",
          );
        }),
      );

      it.effect("of an end without its time says that the time is the import's", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          yield* importText("ndjson", ndjson(RUN, STEP, { type: "end", status: "completed" }), {
            tenant_id,
          });
          const run = yield* show(tenant_id, "r1");
          assert.deepStrictEqual(valueOf(run.payloads.metadata), {
            import: { completed_at: "the time of the import" },
          });
          assert.strictEqual(run.seal?.["completed_at"], run.seal?.["sealed_at"]);
        }),
      );

      const refused: ReadonlyArray<readonly [string, string, string]> = [
        ["a line that is no JSON", ndjson(RUN, "{oops", END), "runs.ndjson:2:2"],
        [
          "a number that would be rounded",
          ndjson(
            RUN,
            '{"type":"step","skill_id":"s","status":"success","params":9007199254740993}',
          ),
          "runs.ndjson:2:59",
        ],
        [
          "a key that is there twice",
          ndjson(RUN, STEP, '{"type":"end","type":"end","status":"completed"}'),
          "runs.ndjson:3:15",
        ],
        ["an unknown type", ndjson(RUN, { type: "note" }), "runs.ndjson:2"],
        ["a key that the type has not", ndjson(RUN, { ...STEP, cost: 1 }), "runs.ndjson:2"],
        ["a step before any run", ndjson("", STEP), "runs.ndjson:2"],
        [
          "a step without a skill",
          ndjson(RUN, { type: "step", status: "success" }),
          "runs.ndjson:2",
        ],
        ["a step without a status", ndjson(RUN, { type: "step", skill_id: "s" }), "runs.ndjson:2"],
        ["an unknown status", ndjson(RUN, { ...STEP, status: "splendid" }), "runs.ndjson:2"],
        ["a step out of order", ndjson(RUN, STEP, { ...STEP, step_index: 3 }), "runs.ndjson:3"],
        [
          "a parent that comes later",
          ndjson(RUN, { ...STEP, parent_step_index: 0 }),
          "runs.ndjson:2",
        ],
        ["a time that is none", ndjson({ ...RUN, started_at: "yesterday" }), "runs.ndjson:1"],
        [
          "a time finer than a microsecond",
          ndjson(RUN, { ...STEP, started_at: "2026-02-10T12:43:41.1234567Z" }),
          "runs.ndjson:2",
        ],
        ["a run without its start", ndjson({ type: "run" }), "runs.ndjson:1"],
        [
          "an end of an unknown status",
          ndjson(RUN, STEP, { ...END, status: "fine" }),
          "runs.ndjson:3",
        ],
        [
          "a failure without its reason",
          ndjson(RUN, STEP, { ...END, status: "failed" }),
          "runs.ndjson:3",
        ],
        [
          "a synthetic run without its scenario",
          ndjson({ ...RUN, is_synthetic: true }),
          "runs.ndjson:1",
        ],
        ["a line that is no object", ndjson(RUN, [1]), "runs.ndjson:2"],
        ["an id that is there twice", ndjson(RUN, STEP, END, RUN, STEP, END), "runs.ndjson:4"],
        ["no run at all", "\n\n", "runs.ndjson"],
        ["a lone surrogate", `${ndjson(RUN)}\n"\ud800"`, "runs.ndjson"],
      ];
      for (const [what, text, where] of refused) {
        it.effect(`is refused for ${what}, and leaves nothing of the runs before`, () =>
          Effect.gen(function* () {
            const tenant_id = tenantId();
            const before = ndjson({ ...RUN, run_id: "r0" }, STEP, END);
            const error = yield* Effect.flip(importText("ndjson", text, { tenant_id }));
            assert.strictEqual(error._tag, "InvalidInput");
            assert.strictEqual("where" in error ? error.where : "", where);
            if (where === "runs.ndjson") return;
            yield* Effect.flip(importText("ndjson", `${before}\n${text}`, { tenant_id }));
            assert.strictEqual(yield* countTraces(tenant_id), 0);
            const { sweep } = yield* LogsBridge;
            assert.lengthOf(yield* sweep(), 0);
          }),
        );
      }

      it.effect("of the same source again is refused, and changes nothing", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const { run_id: _, ...anonymous } = RUN;
          const text = ndjson(anonymous, STEP, END, anonymous, STEP, END);
          const { runs } = yield* importText("ndjson", text, { tenant_id });
          assert.strictEqual(new Set(runs.map(({ run_id }) => run_id)).size, 2);
          const error = yield* Effect.flip(importText("ndjson", text, { tenant_id }));
          assert.strictEqual(error._tag, "RunExists");
          assert.strictEqual(yield* countTraces(tenant_id), 2);
          const other = tenantId();
          const elsewhere = yield* importText("ndjson", text, { tenant_id: other });
          assert.notInclude(
            runs.map(({ run_id }) => run_id),
            elsewhere.runs[0]?.run_id,
          );
          yield* importText("ndjson", text, { tenant_id, run_ids: "random" });
          assert.strictEqual(yield* countTraces(tenant_id), 4);
        }),
      );

      it.effect("of a file that grows takes what is new, and each run once it has its end", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const grown = (...lines: ReadonlyArray<unknown>) =>
            importText("ndjson", ndjson(...lines), { tenant_id, existing: "skip" });
          const second = { ...RUN, run_id: "r2" };
          const first = [RUN, STEP, END];
          const begun = yield* grown(...first, second, STEP);
          assert.deepStrictEqual(
            [begun.runs.map(({ run_id }) => run_id), begun.skipped, begun.unfinished],
            [["r1"], [], "r2"],
          );
          const ended = yield* grown(...first, second, STEP, STEP, END);
          assert.deepStrictEqual(
            [ended.runs.map(({ run_id }) => run_id), ended.skipped, ended.unfinished],
            [["r2"], ["r1"], null],
          );
          const again = yield* grown(...first, second, STEP, STEP, END);
          assert.deepStrictEqual([again.runs, again.skipped], [[], ["r1", "r2"]]);
          // What is stored otherwise is not the same run, and nothing beside it is taken.
          for (const other of [
            [RUN, STEP, STEP, END],
            [RUN, STEP, { ...END, status: "failed", reason: "x" }],
          ]) {
            const refused = yield* Effect.flip(
              grown({ ...RUN, run_id: "r3" }, STEP, END, ...other),
            );
            assert.strictEqual(refused._tag, "InvalidInput");
            assert.include(refused.message, "r1");
          }
          assert.strictEqual(yield* countTraces(tenant_id), 2);
          assert.strictEqual(yield* statusOf(tenant_id, "r2"), "VERIFIED");
        }),
      );

      it.effect("is told stored once all of it is, and never where nothing is", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          let stored = 0;
          const onStored = Effect.sync(() => {
            stored += 1;
          });
          const settings = {
            tenant_id,
            onStored,
            onProgress: () => Effect.sync(() => assert.strictEqual(stored, 0)),
          };
          const late = ndjson(RUN, STEP, END, { ...RUN, run_id: "r2", started_at: "soon" });
          yield* Effect.flip(importText("ndjson", late, settings));
          assert.deepStrictEqual([stored, yield* countTraces(tenant_id)], [0, 0]);
          yield* importText("ndjson", ndjson(RUN, STEP, END), settings);
          assert.deepStrictEqual([stored, yield* countTraces(tenant_id)], [1, 1]);
        }),
      );

      it.effect("of a file says where it is, and names the file's line in errors", () =>
        Effect.gen(function* () {
          const folder = yield* Effect.acquireRelease(
            Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-import-"))),
            (path) => Effect.promise(() => rm(path, { recursive: true })),
          );
          const tenant_id = tenantId();
          const good = join(folder, "good.ndjson");
          const runs = Array.from({ length: 30 }, (_, index) =>
            ndjson(
              { ...RUN, run_id: `r${index}` },
              ...Array.from({ length: 70 }, () => ({ ...STEP, params: "é".repeat(999) })),
              END,
            ),
          );
          yield* Effect.promise(() => writeFile(good, `\ufeff${runs.join("\r\n")}\n`));
          const seen: Array<ImportProgress> = [];
          const imports = yield* ImportCoordinator;
          const result = yield* imports.importFile({
            format: "ndjson",
            path: good,
            tenant_id,
            onProgress: (progress) => Effect.sync(() => seen.push(progress)),
          });
          assert.lengthOf(result.runs, 30);
          assert.deepStrictEqual(
            seen.map(({ runs_done, steps_done }) => [runs_done, steps_done]),
            Array.from({ length: 30 }, (_, index) => [index + 1, (index + 1) * 70]),
          );
          const { bytes_done, bytes_total } = seen.at(-1)!;
          assert.strictEqual(bytes_done, bytes_total);
          assert.strictEqual(yield* statusOf(tenant_id, "r29"), "VERIFIED");
          const bad = join(folder, "bad.ndjson");
          yield* Effect.promise(() =>
            writeFile(
              bad,
              Buffer.concat([
                Buffer.from(`${ndjson({ ...RUN, run_id: "bad" }, STEP)}\n`),
                Buffer.from('{"type":"end","status":"failed","reason":"'),
                Buffer.from([0xff]),
                Buffer.from('"}'),
              ]),
            ),
          );
          const error = yield* Effect.flip(
            imports.importFile({ format: "ndjson", path: bad, tenant_id }),
          );
          assert.deepInclude(error, { _tag: "InvalidInput", where: `${bad}:3` });
          const missing = join(folder, "missing.ndjson");
          const absent = yield* Effect.flip(
            imports.importFile({ format: "ndjson", path: missing, tenant_id }),
          );
          assert.deepInclude(absent, { _tag: "FileFailed", path: missing });
        }).pipe(Effect.scoped),
      );

      it.effect("takes a run of more steps than the store takes at once", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const count = STEPS_AT_ONCE_MAX + 1;
          const text = ndjson(RUN, ...Array(count).fill(JSON.stringify(STEP)), END);
          const { runs } = yield* importText("ndjson", text, { tenant_id });
          assert.strictEqual(runs[0]?.step_count, count);
        }),
      );

      it.effect("of a transcript matches calls and results in order, ids used again too", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const messages = [
            { role: "system", content: "Help." },
            { role: "user", content: "Book two." },
            {
              role: "assistant",
              content: "Sure.",
              tool_calls: [CALL("c1", "book", '{"n": 1}'), CALL("c1", "book", "{n:2}")],
            },
            { role: "tool", tool_call_id: "c1", name: "book", content: "first" },
            { role: "tool", tool_call_id: "c1", name: "book", content: "second" },
            { role: "tool", tool_call_id: "c9", name: "stray", content: "third" },
            { role: "assistant", content: null, tool_calls: [CALL("c2", "lost", "{}")] },
            { role: "assistant", content: "Done." },
          ];
          const { runs } = yield* importText(
            "openai-messages",
            JSON.stringify([{ run_id: "chat-1", messages, reward: 1 }]),
            { tenant_id },
          );
          assert.deepStrictEqual(
            runs.map(({ run_id, status, step_count }) => [run_id, status, step_count]),
            [["chat-1", "aborted", 8]],
          );
          const run = yield* show(tenant_id, "chat-1");
          assert.strictEqual(
            run.seal?.["reason"],
            "the transcript holds no result of a call of its last turn",
          );
          assert.deepStrictEqual(
            run.steps.map(({ record, payloads }) => [
              record["skill_id"],
              record["status"],
              record["outcome_category"],
              record["outcome_code"],
              valueOf(payloads.params),
            ]),
            [
              ["message.system", "success", "SUCCESS", null, undefined],
              ["message.user", "success", "SUCCESS", null, undefined],
              ["message.assistant", "success", "SUCCESS", null, undefined],
              ["book", "success", "RETURNED", null, { n: 1 }],
              ["book", "success", "RETURNED", null, "{n:2}"],
              ["stray", "success", "RETURNED", "NO_CALL", undefined],
              ["lost", "failure", "UNKNOWN", "NO_RESULT", {}],
              ["message.assistant", "success", "SUCCESS", null, undefined],
            ],
          );
          assert.deepStrictEqual(
            [3, 4, 5].map((index) => valueOf(run.steps[index]?.payloads.outcome_data)),
            ["first", "second", "third"],
          );
          assert.include(
            String(Reflect.get(valueOf(run.steps[4]?.payloads.attributes) as object, "arguments")),
            "kept as text",
          );
          assert.deepStrictEqual(
            Reflect.get(valueOf(run.steps[6]?.payloads.attributes) as object, "message"),
            { role: "assistant", content: null },
          );
          assert.deepStrictEqual(valueOf(run.payloads.attributes), {
            import: {
              source: "runs.ndjson",
              index: 0,
              started_at: "the time of the import",
            },
            attributes: { reward: 1 },
            runproof: Reflect.get(valueOf(run.payloads.attributes) as object, "runproof"),
          });
        }),
      );

      it.effect(
        "of transcripts that break off in a call is aborted, whichever result is missing",
        () =>
          Effect.gen(function* () {
            const both = {
              role: "assistant",
              content: null,
              tool_calls: [
                CALL("c1", "weather", '{"town":"A"}'),
                CALL("c2", "weather", '{"town":"B"}'),
              ],
            };
            const result = (id: string) => ({ role: "tool", tool_call_id: id, content: "rain" });
            const legacy = {
              role: "assistant",
              content: null,
              function_call: { name: "refund", arguments: '{"order":12}' },
            };
            const done = { role: "function", name: "refund", content: "done" };
            const user = { role: "user", content: "Go." };
            for (const [messages, status, steps] of [
              [[both, result("c2")], "aborted", ["weather failure", "weather success"]],
              [[both, result("c1")], "aborted", ["weather success", "weather failure"]],
              [
                [both, result("c2"), result("c1")],
                "completed",
                ["weather success", "weather success"],
              ],
              [[user, legacy], "aborted", ["message.user success", "refund failure"]],
              [[user, legacy, done], "completed", ["message.user success", "refund success"]],
            ] as const) {
              const tenant_id = tenantId();
              const { runs } = yield* importText("openai-messages", JSON.stringify(messages), {
                tenant_id,
              });
              const run = yield* show(tenant_id, runs[0]!.run_id);
              const told = run.steps.map(
                ({ record }) => `${record["skill_id"] as string} ${record["status"] as string}`,
              );
              assert.deepStrictEqual([run.status, told], [status, [...steps]]);
            }
            const tenant_id = tenantId();
            const { runs } = yield* importText("openai-messages", JSON.stringify([legacy, done]), {
              tenant_id,
            });
            const [step] = (yield* show(tenant_id, runs[0]!.run_id)).steps;
            assert.deepStrictEqual(valueOf(step?.payloads.params), { order: 12 });
            assert.strictEqual(valueOf(step?.payloads.outcome_data), "done");
          }),
      );

      it.effect("gives a result to the latest open call of its id", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const call = (n: number) => ({
            role: "assistant",
            content: null,
            tool_calls: [CALL("call_0", "pay", `{"invoice":${n}}`)],
          });
          const messages = [
            call(1),
            { role: "user", content: "You were cut off." },
            call(2),
            { role: "tool", tool_call_id: "call_0", content: "paid invoice 2" },
            { role: "assistant", content: "Invoice 2 is paid." },
          ];
          const { runs } = yield* importText("openai-messages", JSON.stringify(messages), {
            tenant_id,
          });
          const run = yield* show(tenant_id, runs[0]!.run_id);
          assert.strictEqual(run.status, "completed");
          const paid = run.steps.filter(({ record }) => record["skill_id"] === "pay");
          assert.deepStrictEqual(
            paid.map(({ record, payloads }) => [valueOf(payloads.params), record["outcome_code"]]),
            [
              [{ invoice: 1 }, "NO_RESULT"],
              [{ invoice: 2 }, null],
            ],
          );
        }),
      );

      it.effect("of runs that have a role each is one run each", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const text = JSON.stringify([
            {
              role: "planner",
              messages: [
                { role: "user", content: "Plan." },
                { role: "assistant", content: null, tool_calls: [CALL("a", "search", "{}")] },
              ],
            },
            { role: "writer", messages: [{ role: "user", content: "Write." }] },
          ]);
          const { runs } = yield* importText("openai-messages", text, { tenant_id });
          assert.deepStrictEqual(
            runs.map(({ status }) => status),
            ["aborted", "completed"],
          );
        }),
      );

      it.effect("derives a run's id from all its lines", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const { run_id: _, ...anonymous } = RUN;
          const monday = ndjson(anonymous, STEP, END);
          const tuesday = ndjson(anonymous, STEP, { ...END, status: "failed", reason: "no" });
          const ids = new Set<string>();
          for (const text of [monday, tuesday, ndjson(anonymous, STEP, STEP, END)]) {
            const { runs } = yield* importText("ndjson", text, { tenant_id });
            ids.add(runs[0]!.run_id);
          }
          assert.strictEqual(ids.size, 3);
          const again = yield* Effect.flip(importText("ndjson", monday, { tenant_id }));
          assert.strictEqual(again._tag, "RunExists");
        }),
      );

      it.effect("of an id that is there twice names both places", () =>
        Effect.gen(function* () {
          const text = ndjson(RUN, STEP, END, RUN, END);
          const error = yield* Effect.flip(importText("ndjson", text, { tenant_id: tenantId() }));
          assert.deepInclude(error, { _tag: "InvalidInput", where: "runs.ndjson:4" });
          assert.include(error.message, "its first run is at runs.ndjson:1");
        }),
      );

      it.effect("keeps keys with escapes and a skill's name of any length", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const skill_id = Array.from({ length: 400 }, (_, at) => `${at * 7919}`)
            .join("-")
            .repeat(20);
          const text = ndjson(
            RUN,
            { ...STEP, outcome_data: { A: 1, "k\\": 2 } },
            { ...STEP, outcome_data: { A: 1, 'k"': 2 } },
            { ...STEP, skill_id },
            END,
          );
          yield* importText("ndjson", text, { tenant_id });
          for (let time = 0; time < 3; time += 1)
            assert.strictEqual(yield* statusOf(tenant_id, "r1"), "VERIFIED");
        }),
      );

      it.effect("of a pipe imports what comes through it", () =>
        Effect.gen(function* () {
          const folder = yield* Effect.acquireRelease(
            Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-import-"))),
            (path) => Effect.promise(() => rm(path, { recursive: true })),
          );
          const pipe = join(folder, "pipe");
          execFileSync("mkfifo", [pipe]);
          const tenant_id = tenantId();
          const imports = yield* ImportCoordinator;
          const writing = yield* Effect.forkChild(
            Effect.promise(() => writeFile(pipe, ndjson(RUN, STEP, END))),
          );
          const { runs } = yield* imports.importFile({ format: "ndjson", path: pipe, tenant_id });
          yield* Fiber.join(writing);
          assert.lengthOf(runs, 1);
          assert.strictEqual(yield* statusOf(tenant_id, "r1"), "VERIFIED");
        }).pipe(Effect.scoped),
      );

      it.effect("names the field of a payload that is too large, where the source has it", () =>
        Effect.gen(function* () {
          const tenant_id = tenantId();
          const large = "x".repeat(TEXT_BYTES_MAX);
          const run = { type: "run", started_at: "2026-03-01T10:00:00Z" };
          const step = { type: "step", skill_id: "a", status: "success" };
          const end = { type: "end", status: "completed" };
          for (const [place, ...lines] of [
            ["1: $.goal", { ...run, goal: large }],
            ["1: $.attributes.a", { ...run, attributes: { a: large } }],
            [
              "1: $.plan.steps[0].params",
              { ...run, plan: { steps: [{ params: large, skill: "a" }] } },
            ],
            ["2: $.params.a", run, { ...step, params: { a: large, b: 1 } }],
            ["3: $.reason", run, step, { ...end, reason: large }],
            ["3: $.metadata", run, step, { ...end, metadata: large }],
          ] as const) {
            const text = ndjson(...lines);
            const error = yield* Effect.flip(importText("ndjson", text, { tenant_id }));
            assert.include(error.message, `runs.ndjson:${place} the canonical text is over`);
          }
        }),
      );

      it.effect("takes transcripts as one array, one a line, or one alone", () =>
        Effect.gen(function* () {
          const chat = (text: string) => [{ role: "user", content: text }];
          for (const [text, count] of [
            [JSON.stringify([chat("a"), { messages: chat("b") }, { traj: chat("c") }]), 3],
            [JSON.stringify([chat("a"), chat("b")], null, 2), 2],
            [ndjson(chat("a"), { messages: chat("b") }), 2],
            [JSON.stringify(chat("a")), 1],
            [JSON.stringify({ messages: chat("a") }, null, 2), 1],
          ] as const) {
            const tenant_id = tenantId();
            const { runs } = yield* importText("openai-messages", text, { tenant_id });
            assert.lengthOf(runs, count);
            assert.isTrue(runs.every(({ status }) => status === "completed"));
          }
        }),
      );

      for (const [what, text, where] of [
        ["no messages", "[[]]", "runs.ndjson:1"],
        ["an object without messages", '[{"a":1}]', "runs.ndjson:1"],
        ["a message without a role", '[{"messages":[\n{"content":"x"}]}]', "runs.ndjson $[0]"],
        [
          "a tool call without a name",
          '[[{"role":"assistant","tool_calls":[{}]}]]',
          "runs.ndjson:1",
        ],
        ["JSON that breaks off", '[\n[{"role":"user"\n', "runs.ndjson:2:16"],
        ["a second line that is no JSON", '[{"role":"user"}]\n{', "runs.ndjson:2:2"],
      ] as const) {
        it.effect(`of transcripts is refused for ${what}`, () =>
          Effect.gen(function* () {
            const tenant_id = tenantId();
            const error = yield* Effect.flip(importText("openai-messages", text, { tenant_id }));
            assert.deepInclude(error, { _tag: "InvalidInput", where });
            assert.strictEqual(yield* countTraces(tenant_id), 0);
          }),
        );
      }

      it.effect.skipIf(!existsSync(airline))(
        "of tau-bench's airline transcripts: 48 runs, each VERIFIED, and each message told again from its steps, but for addresses that are masked",
        () =>
          Effect.gen(function* () {
            const tenant_id = tenantId();
            const imports = yield* ImportCoordinator;
            const { runs } = yield* imports.importFile({
              format: "openai-messages",
              path: airline,
              tenant_id,
            });
            assert.lengthOf(runs, 48);
            const source = JSON.parse(readFileSync(airline, "utf8")) as ReadonlyArray<
              Record<string, any>
            >;
            for (const [index, { run_id }] of runs.entries()) {
              assert.strictEqual(yield* statusOf(tenant_id, run_id), "VERIFIED");
              const run = yield* show(tenant_id, run_id);
              const { traj, ...rest } = source[index]!;
              assert.deepStrictEqual(
                retell(run.steps as never),
                masked(withArguments(traj) as never),
              );
              const attributes = valueOf(run.payloads.attributes) as Record<string, unknown>;
              assert.deepStrictEqual(attributes["attributes"], rest);
            }
            const again = yield* Effect.flip(
              imports.importFile({ format: "openai-messages", path: airline, tenant_id }),
            );
            assert.strictEqual(again._tag, "RunExists");
          }),
        120_000,
      );

      it.effect("of any steps gives them back as they were, but for what is masked", () =>
        Effect.gen(function* () {
          const context = yield* Effect.context<ImportCoordinator | TraceCoordinator>();
          const payload = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)));
          const step = fc.record({
            status: fc.constantFrom("success", "failure", "retry", "skipped"),
            params: payload,
            outcome_data: payload,
          });
          const check = (
            steps: ReadonlyArray<{ status: string } & Record<"params" | "outcome_data", JsonValue>>,
          ) =>
            Effect.gen(function* () {
              const tenant_id = tenantId();
              const lines = steps.map((each) => ({ ...STEP, ...each }));
              yield* importText("ndjson", ndjson(RUN, ...lines, END), { tenant_id });
              const run = yield* show(tenant_id, "r1");
              assert.deepStrictEqual(
                run.steps.map(({ record, payloads }) => ({
                  status: record["status"],
                  params: valueOf(payloads.params),
                  outcome_data: valueOf(payloads.outcome_data),
                })) as unknown,
                steps.map(({ status, params, outcome_data }) => ({
                  status,
                  params: masked(params),
                  outcome_data: masked(outcome_data),
                })),
              );
            });
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(fc.array(step, { maxLength: 6 }), (steps) =>
                Effect.runPromise(Effect.provideContext(check(steps), context)),
              ),
              {
                numRuns: 25,
                examples: [
                  [[{ status: "success", params: null, outcome_data: { "": { otp: " " } } }]],
                ],
              },
            ),
          );
        }),
      );
    },
  );
}
