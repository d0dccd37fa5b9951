/**
 * Goal: a run that is recorded over HTTP is the run that a verifier reads, whoever of the service took which call, and no
 * key reaches another tenant's. Method: the whole service in this process, over a real server.
 */
import { verifyBundle } from "@runproof/proof/Verifier";
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let other: Service;
let key: string;
let stranger: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  stranger = await keyOf(database.url, "rival");
  service = await serve(database.url);
  other = await serve(database.url);
});
afterAll(async () => {
  await service.close();
  await other.close();
  await database.drop();
});

const step = { skill_id: "search", status: "success", params: { q: "weather" }, outcome_data: 7 };

describe("recording", () => {
  it("goes on with a run at any process of the service, and the run verifies", async () => {
    const started = await service.call("POST", "/v1/runs", key, { run_id: "r1", agent_id: "a" });
    expect(started).toMatchObject({ status: 201, body: { tenant_id: "acme", next_index: 0 } });
    const first = await other.call("POST", "/v1/runs/r1/steps", key, { steps: [step] });
    expect(first).toMatchObject({ status: 201, body: { first_index: 0, next_index: 1 } });
    const many = { steps: [step, { ...step, status: "failure" }, step] };
    const rest = await service.call("POST", "/v1/runs/r1/steps", key, many);
    expect(rest).toMatchObject({ status: 201, body: { first_index: 1, next_index: 4 } });
    expect((await other.call("POST", "/v1/runs/r1/renew", key, {})).status).toBe(200);
    const sealed = await other.call("POST", "/v1/runs/r1/complete", key, { metadata: { a: 1 } });
    expect(sealed).toMatchObject({ status: 200, body: { step_count: 4 } });

    const proof = await service.call("GET", "/v1/runs/r1/proof", key);
    expect(proof.body).toMatchObject({
      lifecycle: "COMPLETE",
      capture: "inline",
      integrity: { verification_status: "VERIFIED", root_hash: sealed.body["root_hash"] },
    });
    const bundle = await service.call("GET", "/v1/runs/r1/bundle", key);
    expect(verifyBundle(bundle.text).integrity.verification_status).toBe("VERIFIED");
    const alone = await service.call("GET", "/v1/runs/r1/steps/2/bundle", key);
    // Shown alone it rests on the log, which nobody has signed here.
    expect(verifyBundle(alone.text).integrity.verification_status).toBe("UNSUPPORTED");
    const page = await service.call("GET", "/v1/runs/r1/steps?from=1&limit=2", key);
    expect(page.body).toMatchObject({
      steps: [{ record: { step_index: 1 } }, { record: { step_index: 2 } }],
      next_from: 3,
    });
    const payload = await service.call("GET", "/v1/runs/r1/steps/0/payloads/params", key);
    expect(payload.text).toBe('{"q":"weather"}');
    expect((await service.call("GET", "/v1/runs?limit=1", key)).body).toMatchObject({
      traces: [{ run_id: "r1", step_count: 4 }],
    });
    const late = await service.call("POST", "/v1/runs/r1/steps", key, { steps: [step] });
    expect(late).toMatchObject({
      status: 409,
      body: { type: "urn:runproof:problem:trace-sealed", status: 409 },
    });
    expect(late.headers.get("content-type")).toBe("application/problem+json");
  });

  it("says an intent before its outcome in a gated run, and seals none over an open one", async () => {
    await service.call("POST", "/v1/runs", key, { run_id: "g1", capture: "gated" });
    const intent = { skill_id: "pay", params: { amount: 5 } };
    const said = await service.call("POST", "/v1/runs/g1/intents", key, { intent });
    expect(said).toMatchObject({ status: 201, body: { first_index: 0 } });
    const early = await service.call("POST", "/v1/runs/g1/complete", key, {});
    expect(early.status).toBe(400);
    const outcome = { skill_id: "pay", status: "success", intent_index: 0, outcome_data: "paid" };
    expect((await other.call("POST", "/v1/runs/g1/steps", key, { steps: [outcome] })).status).toBe(
      201,
    );
    expect((await other.call("POST", "/v1/runs/g1/complete", key, {})).status).toBe(200);
    expect((await service.call("GET", "/v1/runs/g1/proof", key)).body).toMatchObject({
      capture: "gated",
      integrity: { verification_status: "VERIFIED", chain_length: 2 },
    });
  });

  it("answers a call that is sent again as the first time, and refuses another at its place", async () => {
    await service.call("POST", "/v1/runs", key, { run_id: "again" });
    const sent = { first_index: 0, steps: [step, step] };
    const first = await service.call("POST", "/v1/runs/again/steps", key, sent);
    const second = await other.call("POST", "/v1/runs/again/steps", key, sent);
    expect(second).toMatchObject({ status: 201, body: first.body });
    const changed = { first_index: 0, steps: [step, { ...step, outcome_data: 8 }] };
    expect(await other.call("POST", "/v1/runs/again/steps", key, changed)).toMatchObject({
      status: 409,
      body: { type: "urn:runproof:problem:chain-moved" },
    });
    const [row] = await queryDatabase(
      database.url,
      "select count(*)::int as n from aos_trace_steps where run_id = 'again'",
    );
    expect(row).toEqual({ n: 2 });
  });

  it("begins one run by a request that is sent twice, and none by another under its key", async () => {
    const named = { "idempotency-key": "k1" };
    const first = await service.call("POST", "/v1/runs", key, { agent_id: "a" }, named);
    const second = await other.call("POST", "/v1/runs", key, { agent_id: "a" }, named);
    expect(first.status).toBe(201);
    expect(second).toMatchObject({ status: 201, body: first.body });
    const another = await other.call("POST", "/v1/runs", key, { agent_id: "b" }, named);
    expect(another).toMatchObject({
      status: 422,
      body: { type: "urn:runproof:problem:idempotency-conflict" },
    });
    const elsewhere = await service.call("POST", "/v1/runs", stranger, { agent_id: "a" }, named);
    expect(elsewhere.status).toBe(201);
    expect(elsewhere.body["run_id"]).not.toBe(first.body["run_id"]);
  });

  it("loses and doubles none of the steps that come to both processes at once", async () => {
    await service.call("POST", "/v1/runs", key, { run_id: "busy" });
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        [service, other][at % 2]!.call("POST", "/v1/runs/busy/steps", key, {
          steps: [{ ...step, params: at }],
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    const indexes = answers.map(({ body }) => body["first_index"] as number);
    expect(indexes.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("bodies", () => {
  it.each([
    ["cut off", '{"steps":['],
    ["with a key twice", '{"run_id":"twice","run_id":"other"}'],
    ["with a number that no double holds", '{"attributes":12345678901234567890}'],
    ["with a lone surrogate", '{"attributes":"\\ud800"}'],
    ["deeper than any reader", `{"attributes":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["of another type", '{"run_id":7}'],
    ["that is no object", "[]"],
  ])("are refused %s, and nothing is left of them", async (_, body) => {
    const count = () => queryDatabase(database.url, "select count(*) from aos_traces");
    const before = await count();
    const answer = await service.call("POST", "/v1/runs", key, body);
    expect(answer).toMatchObject({ status: 400 });
    expect(await count()).toEqual(before);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  it("are refused where they are too large, whatever they say of their size", async () => {
    const body = `{"attributes":"${"a".repeat(9 * 1024 * 1024)}"}`;
    expect((await service.call("POST", "/v1/runs", key, body)).status).toBe(413);
    const chunked = await fetch(`${service.url}/v1/runs`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: new Blob([body]).stream(),
      duplex: "half",
    }).then(
      ({ status }) => status,
      () => 413,
    );
    expect(chunked).toBe(413);
  });
});

describe("keys", () => {
  it("let in none that is missing, unknown, changed, expired, revoked or without the scope", async () => {
    const expired = await keyOf(database.url, "acme", ["read"], "2020-01-01T00:00:00Z");
    const changed = `${key.slice(0, -1)}${key.endsWith("A") ? "Q" : "A"}`;
    for (const wrong of [undefined, "x", changed, expired]) {
      expect(await service.call("GET", "/v1/runs", wrong)).toMatchObject({
        status: 401,
        body: { type: "urn:runproof:problem:unauthenticated" },
      });
    }
    const reader = await keyOf(database.url, "acme", ["read"]);
    expect((await service.call("GET", "/v1/runs", reader)).status).toBe(200);
    expect((await service.call("POST", "/v1/runs", reader, {})).status).toBe(403);
  });
});

describe("a service without any key", () => {
  it("serves programs of its own machine, and no page that a browser shows there", async () => {
    const bare = await migrated(inject("postgresUrl"));
    const open = await serve(bare.url);
    expect(await open.call("POST", "/v1/runs", undefined, {})).toMatchObject({
      status: 201,
      body: { tenant_id: "local" },
    });
    const page = { origin: "https://example.com" };
    expect((await open.call("GET", "/v1/runs", undefined, undefined, page)).status).toBe(403);
    await open.close();
    await bare.drop();
  });
});

describe("the documents", () => {
  it("are an OpenAPI 3.1 document and a page that asks nobody else for its parts", async () => {
    const { body } = await service.call("GET", "/openapi.json");
    expect(body["openapi"]).toMatch(/^3\.1/u);
    const page = await service.call("GET", "/docs");
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/<script[^>]+src=/u);
  });
});
