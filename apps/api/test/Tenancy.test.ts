/**
 * Goal: a key of another tenant reads, lists, proves, tails and writes nothing, over every route that there is. Method: each
 * operation of the OpenAPI document is filled so that it reaches a run of its own tenant, and is sent by a stranger first. A
 * route that nobody said how to fill fails the test, and so does one whose filling its own tenant can't use.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Answer, keyOf, migrated, serve, type Service } from "./Service.ts";

const step = { skill_id: "weather", status: "success", params: { q: "hidden" } };

/** What a stranger gets of a filled request. */
type Kept =
  /** `404`, as if there were no such run. */
  | "not-found"
  /** A verdict on nothing. */
  | "unsupported"
  /** `400`, for there is nothing of its own to do that with. */
  | "nothing"
  /** An answer of its own, from what is its own. */
  | "own"
  /** Anyone's, without a key: it says nothing of any tenant. */
  | "public";

interface Filling {
  readonly kept: Kept;
  /** Values for the places in the path; `run_id` is the sealed run where none is said. */
  readonly names?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  /** What the run's own tenant gets. */
  readonly status?: number;
  /** Of an answer that does not end: what comes last in what is there for the stranger, and for the run's own tenant. */
  readonly until?: readonly [stranger: string, own: string];
}

const OPEN = { run_id: "open" };

/** Calls a port on which nobody listens. */
const PLAN = {
  steps: [
    { skill: "http_call", params: { method: "GET", url: "http://127.0.0.1:1/" }, retries: 0 },
  ],
};

/** How each operation is filled, in an order in which the run's own tenant can do them all. */
const FILLINGS: Readonly<Record<string, Filling>> = {
  "GET /health/live": { kept: "public" },
  "GET /health/ready": { kept: "public" },
  // Of all tenants together.
  "GET /metrics": { kept: "own" },
  "GET /v1/runs": { kept: "own", query: "?run_id=sealed" },
  "GET /v1/runs/{run_id}": { kept: "not-found" },
  "GET /v1/runs/{run_id}/steps": { kept: "not-found" },
  "GET /v1/runs/{run_id}/steps/{step_index}/payloads/{name}": { kept: "not-found" },
  "GET /v1/runs/{run_id}/proof": { kept: "unsupported", query: "?payloads=true" },
  "GET /v1/runs/{run_id}/bundle": { kept: "not-found" },
  "GET /v1/runs/{run_id}/steps/{step_index}/bundle": { kept: "not-found" },
  "GET /log/checkpoint": { kept: "public", status: 404 },
  // Nobody has signed this log.
  "GET /v1/log/checkpoint": { kept: "own", status: 404 },
  "GET /v1/log/inclusion": { kept: "not-found", query: "?run_id=sealed", status: 404 },
  "GET /v1/log/consistency": { kept: "own", query: "?from=1", status: 404 },
  "GET /v1/runs/{run_id}/events": { kept: "not-found" },
  "GET /v1/events": {
    kept: "own",
    query: "?last_event_id=-1",
    until: ["of-the-stranger", "begun"],
  },
  "GET /v1/runs/{run_id}/evidence": { kept: "not-found" },
  "GET /v1/runs/{run_id}/signals": { kept: "not-found" },
  "GET /v1/runs/{run_id}/diff/{other_run_id}": { kept: "not-found" },
  "GET /v1/evidence-export": { kept: "own" },
  "GET /v1/policies": { kept: "own" },
  "GET /v1/limits": { kept: "own" },
  "GET /v1/holds": { kept: "own" },
  "POST /v1/runs/{run_id}/signals": {
    kept: "not-found",
    body: { signal: "acknowledge", reason: "stolen" },
    status: 201,
  },
  // A run may be held before it begins: the stranger holds one of its own by that name.
  "POST /v1/holds": {
    kept: "own",
    body: { run_id: "sealed", reason: "stolen" },
    status: 201,
  },
  "POST /v1/holds/{hold_id}/lift": { kept: "nothing", body: { reason: "stolen" } },
  "POST /v1/erasures": { kept: "nothing", body: { run_id: "elder", reason: "stolen" } },
  "POST /v1/runs/{run_id}/replay": {
    kept: "not-found",
    names: { run_id: "planned" },
    body: {},
  },
  "POST /v1/hooks/claude-code": {
    kept: "own",
    body: {
      session_id: "hooked",
      hook_event_name: "PreToolUse",
      tool_name: "Bash",
      tool_use_id: "c",
      tool_input: {},
    },
  },
  "POST /v1/hooks/codex": {
    kept: "own",
    body: { session_id: "sealed", hook_event_name: "Stop" },
  },
  "POST /v1/runs/execute": { kept: "own", body: { plan: PLAN }, status: 201 },
  "POST /v1/runs": { kept: "own", body: { agent_id: "another" }, status: 201 },
  "POST /v1/runs/{run_id}/renew": { kept: "not-found", names: OPEN, body: {} },
  "POST /v1/runs/{run_id}/intents": {
    kept: "not-found",
    names: OPEN,
    body: { intent: { skill_id: "weather" } },
    status: 201,
  },
  "POST /v1/runs/{run_id}/steps": {
    kept: "not-found",
    names: OPEN,
    body: { steps: [{ skill_id: "weather", status: "success", intent_index: 0 }] },
    status: 201,
  },
  "POST /v1/runs/{run_id}/complete": { kept: "not-found", names: OPEN, body: {} },
  "POST /v1/runs/{run_id}/abort": {
    kept: "not-found",
    names: { run_id: "begun" },
    body: { reason: "stolen" },
  },
  // Last: from here on the tenant may do less.
  "POST /v1/limits": {
    kept: "own",
    body: { kind: "runs_per_minute", value: 100, reason: "stolen" },
  },
  "POST /v1/policies": {
    kept: "own",
    body: { policy: { rules: [{ effect: "warn", reason: "stolen" }] }, reason: "stolen" },
    status: 201,
  },
  "POST /v1/traces": { kept: "own", body: { resourceSpans: [] } },
  "POST /v1/logs": { kept: "own", body: {}, status: 501 },
  "POST /v1/metrics": { kept: "own", body: {}, status: 501 },
};

/** Tables that hold what is a tenant's. */
const TABLES = [
  "aos_traces",
  "aos_trace_steps",
  "aos_trace_leases",
  "runs",
  "aos_audit_ledger",
  "aos_holds",
  "aos_policies",
  "aos_limits",
];

let database: TestDatabase;
let service: Service;
let key: string;
let stranger: string;
let operations: ReadonlyArray<{ readonly name: string; readonly security: unknown }>;
/** Texts that only answers to the run's own tenant may hold. */
let secrets: ReadonlyArray<string>;

const NAMES = {
  run_id: "sealed",
  other_run_id: "elder",
  step_index: "0",
  name: "params",
  hold_id: "0",
};

const send = (name: string, asking?: string): Promise<Answer> => {
  const { names = {}, query = "", body, until } = FILLINGS[name]!;
  const [method, path] = name.split(" ") as [string, string];
  const places: Record<string, string> = { ...NAMES, ...names };
  const filled = path.replaceAll(/\{(\w+)\}/gu, (_, place: string) => places[place]!);
  return until === undefined || asking === undefined
    ? service.call(method, filled + query, asking, body)
    : tail(filled + query, asking, until[asking === key ? 1 : 0]);
};

/** The beginning of an answer that does not end, as far as a text that it comes to. */
const tail = async (path: string, asking: string, until: string): Promise<Answer> => {
  const going = new AbortController();
  const response = await fetch(service.url + path, {
    headers: { authorization: `Bearer ${asking}` },
    signal: going.signal,
  });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(until)) break;
  }
  going.abort();
  return { status: response.status, headers: response.headers, text, body: {} };
};

/** Everything that is the run's own tenant's. */
const stored = async () => {
  const found: Record<string, unknown> = {};
  for (const table of TABLES) {
    found[table] = await queryDatabase(
      database.url,
      `select md5(coalesce(string_agg(t::text, ' ' order by t::text), '')) from ${table} t where tenant_id = 'acme'`,
    );
  }
  return found;
};

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme", ["write", "read", "admin"]);
  stranger = await keyOf(database.url, "rival", ["write", "read", "admin"]);
  service = await serve(database.url, undefined, {}, { executes_plans: true });
  const found: Array<string> = ["hidden", "weather", "clerk-of-acme"];
  for (const run_id of ["elder", "sealed", "open", "begun"]) {
    const capture = run_id === "open" ? "gated" : "inline";
    const run = { run_id, capture, agent_id: "clerk-of-acme" };
    const { body } = await service.call("POST", "/v1/runs", key, run);
    found.push(String(body["trace_id"]));
  }
  for (const run_id of ["elder", "sealed"])
    await service.call("POST", `/v1/runs/${run_id}/steps`, key, { steps: [step] });
  await service.call("POST", "/v1/runs/elder/complete", key, {});
  const { body } = await service.call("POST", "/v1/runs/sealed/complete", key, {});
  secrets = [...found, String(body["root_hash"]), String(body["chain_head"])];

  await service.call("POST", "/v1/runs/execute", key, { run_id: "planned", plan: PLAN });

  // The last in the log: before it would stand what is not the stranger's.
  await service.call("POST", "/v1/runs", stranger, { run_id: "of-the-stranger" });
  const held = { run_id: "sealed", reason: "asked for" };
  const hold = await service.call("POST", "/v1/holds", key, held);
  NAMES.hold_id = String(hold.body["hold_id"]);

  const document = await service.call("GET", "/openapi.json");
  const paths = document.body["paths"] as Record<string, Record<string, { security?: unknown }>>;
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      security,
    })),
  );
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

describe("over every route of the document", () => {
  it("is known how to reach what is another's", () => {
    const names = operations.map(({ name }) => name);
    expect(names.toSorted()).toEqual(Object.keys(FILLINGS).toSorted());
  });

  it("nobody without a key gets anything but what is public", async () => {
    for (const { name, security } of operations) {
      const isPublic = FILLINGS[name]?.kept === "public";
      expect([name, Array.isArray(security) && security.length > 0]).toEqual([name, !isPublic]);
      if (!isPublic) expect([name, (await send(name)).status]).toEqual([name, 401]);
    }
  });

  it("a key of another tenant finds nothing and changes nothing, where the tenant's own does both", async () => {
    const before = await stored();
    for (const { name } of operations) {
      const { kept, status = 200 } = FILLINGS[name]!;
      const answer = await send(name, stranger);
      expect([name, secrets.filter((secret) => answer.text.includes(secret))]).toEqual([name, []]);
      if (kept === "not-found") {
        expect([name, answer.status, answer.body["type"]]).toEqual([
          name,
          404,
          "urn:runproof:problem:run-not-found",
        ]);
      } else if (kept === "nothing") {
        expect([name, answer.status]).toEqual([name, 400]);
      } else if (kept === "unsupported") {
        expect(answer.body).toMatchObject({
          integrity: { verification_status: "UNSUPPORTED" },
          aos_trace_steps: [],
          raw_logs: [],
        });
      } else expect([name, answer.status]).toEqual([name, status]);
    }
    expect(await stored()).toEqual(before);

    for (const name of Object.keys(FILLINGS)) {
      const { status = 200 } = FILLINGS[name]!;
      const answer = await send(name, key);
      expect([name, answer.status, status < 400 ? answer.text : ""]).toEqual([
        name,
        status,
        expect.not.stringContaining("urn:runproof:problem"),
      ]);
    }
    expect(await stored()).not.toEqual(before);
  });
});
