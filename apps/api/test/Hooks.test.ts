/**
 * Goal: what a coding agent's hooks tell is a run that a verifier reads: each call asked for before it acts, each outcome once,
 * the session's end its seal, and a blocked call kept from acting.
 * Method: the whole service over a real server, with events as the agents send them.
 */
import { PolicyCoordinator } from "@runproof/spine-coordinators/policies/PolicyCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  service = await serve(database.url);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const CLAUDE = "/v1/hooks/claude-code?on_failure=block";

const hook = async (
  path: string,
  session_id: string,
  hook_event_name: string,
  more: object = {},
) => {
  const event = {
    session_id,
    hook_event_name,
    cwd: "/home/ada/shop",
    transcript_path: "/t",
    ...more,
  };
  const { status, body } = await service.call("POST", path, key, event);
  return { status, body };
};

const OK = { status: 200, body: {} };

const call = (tool_use_id: string, more: object = {}) => ({
  tool_name: "Bash",
  tool_use_id,
  tool_input: { command: "make test" },
  ...more,
});

const stepsOf = async (run_id: string) => {
  const rows = await queryDatabase(
    database.url,
    `select step_index, status, intent_index, skill_id, params, outcome_data, attributes from aos_trace_steps
     where run_id = '${run_id}' order by step_index`,
  );
  return rows.map((row) => ({
    at: Number(row["step_index"]),
    answers: row["intent_index"] === null ? null : Number(row["intent_index"]),
    status: row["status"],
    skill_id: row["skill_id"],
    params: row["params"],
    outcome_data: row["outcome_data"],
    attributes: row["attributes"],
  }));
};

const proof = async (run_id: string) => {
  const { body } = await service.call("GET", `/v1/runs/${run_id}/proof`, key);
  const { integrity, lifecycle, findings } = body as {
    integrity: { verification_status: string };
    lifecycle: string;
    findings: ReadonlyArray<{ code: string }>;
  };
  return [integrity.verification_status, lifecycle, findings.map(({ code }) => code)];
};

it("records each call of Claude Code's before it acts and after, once, and seals the session", async () => {
  const of = (event: string, more: object = {}) => hook(CLAUDE, "session-1", event, more);
  expect(await of("SessionStart", { source: "startup" })).toEqual(OK);
  expect(await of("PreToolUse", call("toolu_1"))).toEqual(OK);
  const [intent] = await stepsOf("session-1");
  expect(intent).toMatchObject({
    status: "intended",
    skill_id: "Bash",
    params: '{"command":"make test"}',
  });
  expect(intent!.attributes).toContain("/home/ada/shop");
  // The answer was lost, and it is sent again; so is the outcome.
  expect(await of("PreToolUse", call("toolu_1"))).toEqual(OK);
  const done = call("toolu_1", { tool_response: { stdout: "42 passed" } });
  expect(await of("PostToolUse", done)).toEqual(OK);
  expect(await of("PostToolUse", done)).toEqual(OK);
  // Two beside each other.
  expect(
    await Promise.all([of("PreToolUse", call("toolu_2")), of("PreToolUse", call("toolu_3"))]),
  ).toEqual([OK, OK]);
  await of("PostToolUseFailure", call("toolu_3", { error: "exit code 2" }));
  await of("PostToolUse", call("toolu_2", { tool_response: "ok" }));
  expect(await of("Stop")).toEqual(OK);
  expect(await of("SessionEnd", { reason: "prompt_input_exit" })).toEqual(OK);
  const steps = await stepsOf("session-1");
  expect(steps.map(({ at, status, answers }) => [at, status, answers])).toEqual([
    [0, "intended", null],
    [1, "success", 0],
    [2, "intended", null],
    [3, "intended", null],
    [4, "failure", expect.any(Number)],
    [5, "success", expect.any(Number)],
  ]);
  expect(new Set([steps[4]!.answers, steps[5]!.answers])).toEqual(new Set([2, 3]));
  expect(steps[1]!.outcome_data).toBe('{"stdout":"42 passed"}');
  expect(await proof("session-1")).toEqual(["VERIFIED", "COMPLETE", []]);
});

it("names the call that a session ended in, and goes on with another run where it is resumed", async () => {
  const of = (event: string, more: object = {}) => hook(CLAUDE, "session-2", event, more);
  await of("PreToolUse", call("toolu_1"));
  expect(await of("SessionEnd")).toEqual(OK);
  expect(await proof("session-2")).toEqual(["VERIFIED", "ABORTED", ["OUTCOME_UNKNOWN"]]);
  // Its outcome comes too late, and is not taken in silence.
  expect((await of("PostToolUse", call("toolu_1", { tool_response: "late" }))).status).toBe(409);
  expect(await of("PreToolUse", call("toolu_2"))).toEqual(OK);
  await of("PostToolUse", call("toolu_2", { tool_response: "ok" }));
  await of("SessionEnd");
  expect(await proof("session-2~2")).toEqual(["VERIFIED", "COMPLETE", []]);
});

it("says of an act that nobody asked for that it was told after it", async () => {
  await hook(CLAUDE, "session-3", "PostToolUse", call("toolu_1", { tool_response: "done" }));
  const [intent, outcome] = await stepsOf("session-3");
  expect(intent!.attributes).toContain('"intent":"told after the act"');
  expect(outcome).toMatchObject({ status: "success", answers: 0 });
});

it("grades a session lower whose agent acts where the service fails, and Codex's turns always", async () => {
  const turn = { turn_id: "turn-1" };
  for (const [path, session, run_id] of [
    ["/v1/hooks/claude-code", "session-4", "session-4"],
    ["/v1/hooks/codex", "session-5", "session-5/turn-1"],
  ] as const) {
    const more = path.endsWith("codex") ? turn : {};
    expect(await hook(path, session, "PreToolUse", { ...call("c1"), ...more })).toEqual(OK);
    await hook(path, session, "PostToolUse", { ...call("c1", { tool_response: "ok" }), ...more });
    await hook(path, session, path.endsWith("codex") ? "Stop" : "SessionEnd", more);
    expect((await stepsOf(run_id)).map(({ status, params }) => [status, params])).toEqual([
      ["success", '{"command":"make test"}'],
    ]);
    const [trace] = await queryDatabase(
      database.url,
      `select capture, status from aos_traces where run_id = '${run_id}'`,
    );
    expect(trace).toEqual({ capture: "inline", status: "completed" });
  }
});

it("keeps a call from acting that a policy blocks, before and beside a run that is gated or not", async () => {
  const text = JSON.stringify({
    rules: [{ effect: "block", skill: "WebFetch", reason: "no web from here" }],
  });
  await PolicyCoordinator.use((policies) =>
    policies.set({ tenant_id: "blocked", text, where: "test", actor: "ada", reason: "test" }),
  ).pipe(
    Effect.provide(RunproofLayer.operatingFromEnvironment({ databaseUrl: database.url })),
    Effect.runPromise,
  );
  const blockedKey = await keyOf(database.url, "blocked");
  for (const path of [CLAUDE, "/v1/hooks/codex"]) {
    const session_id = `session-of-${path.includes("codex") ? "codex" : "claude"}`;
    const event = {
      session_id,
      hook_event_name: "PreToolUse",
      ...call("c1"),
      tool_name: "WebFetch",
    };
    for (const time of ["first", "again"]) {
      const { status, body } = await service.call("POST", path, blockedKey, event);
      expect([status, body], time).toMatchObject([
        200,
        { hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: "deny" } },
      ]);
    }
    const steps = await stepsOf(session_id);
    expect(steps.map(({ status }) => status)).toEqual(["skipped"]);
    const runs = await queryDatabase(
      database.url,
      `select status from runs where tenant_id = 'blocked' and run_id like '${session_id}%'`,
    );
    expect(runs).toEqual([{ status: "aborted" }]);
  }
});

it("records a tool's output that JSON can't say exactly, by its digits and as Unicode", async () => {
  await hook(CLAUDE, "session-8", "PreToolUse", call("c1"));
  const text = JSON.stringify({
    session_id: "session-8",
    hook_event_name: "PostToolUse",
    ...call("c1", { tool_response: "HERE" }),
  }).replace('"HERE"', '{"id":9007199254740993,"cut":"half \\ud83d","nul":"\\u0000"}');
  expect((await service.call("POST", CLAUDE, key, text)).status).toBe(200);
  const [, outcome] = await stepsOf("session-8");
  expect(outcome!.outcome_data).toBe(
    '{"cut":"half \ufffd","id":"9007199254740993","nul":"\\u0000"}',
  );
});

it("masks secrets, refuses what is no event, and keeps nothing of it", async () => {
  const secret = `sk_live_${"a1b2c3d4".repeat(4)}`;
  await hook(
    CLAUDE,
    "session-6",
    "PreToolUse",
    call("c1", { tool_input: { command: `curl -H 'Authorization: Bearer ${secret}'` } }),
  );
  expect(JSON.stringify(await stepsOf("session-6"))).not.toContain(secret);
  for (const event of [
    {},
    { session_id: "", hook_event_name: "PreToolUse" },
    { session_id: "session-7", hook_event_name: "PreToolUse", tool_name: "Bash" },
    { session_id: 7, hook_event_name: "PreToolUse" },
  ]) {
    const { status } = await service.call("POST", CLAUDE, key, event);
    expect(status, JSON.stringify(event)).toBe(400);
  }
  expect(await queryDatabase(database.url, "select from runs where run_id = 'session-7'")).toEqual(
    [],
  );
});
