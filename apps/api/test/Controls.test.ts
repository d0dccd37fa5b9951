/**
 * Goal: what a tenant's runs may do, and what becomes of their evidence, is decided by keys that may, and each decision says
 * whose it was. Method: the whole service over a real server.
 */
import { createDatabase, queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;
let admin: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  admin = await keyOf(database.url, "acme", ["admin", "read"]);
  service = await serve(database.url);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const actor = () => `api key ${admin.split("_")[2]}`;

it("are changed by a key with the scope admin, and by no other", async () => {
  const changes: ReadonlyArray<readonly [path: string, body: object]> = [
    ["/v1/policies", { policy: { rules: [{ effect: "allow", reason: "x" }] }, reason: "x" }],
    ["/v1/limits", { kind: "steps_per_run", value: 1, reason: "x" }],
    ["/v1/holds", { run_id: null, reason: "x" }],
    ["/v1/holds/1/lift", { reason: "x" }],
    ["/v1/erasures", { run_id: "r", reason: "x" }],
  ];
  for (const [path, body] of changes) {
    const answer = await service.call("POST", path, key, body);
    expect([path, answer.status]).toEqual([path, 403]);
  }
  expect((await service.call("GET", "/v1/holds", key)).body).toEqual({ holds: [] });
});

it("stop what a policy blocks in runs that begin under it, and say who set it", async () => {
  const policy = { rules: [{ effect: "block", reason: "no refunds", skill: "refund" }] };
  const set = await service.call("POST", "/v1/policies", admin, { policy, reason: "asked for" });
  expect(set).toMatchObject({ status: 201, body: { version: 1 } });
  const listed = await service.call("GET", "/v1/policies", admin);
  expect(listed.body).toMatchObject({ policies: [{ version: 1, actor: actor() }] });

  await service.call("POST", "/v1/runs", key, { run_id: "blocked", capture: "gated" });
  const intent = { skill_id: "refund", params: { order: 7 } };
  const said = await service.call("POST", "/v1/runs/blocked/intents", key, { intent });
  expect(said.status).toBe(403);
  const evidence = await service.call("GET", "/v1/runs/blocked/evidence", key);
  expect(evidence.body).toMatchObject({
    impact: "incidents",
    policies_evaluated: { state: "version", version: 1 },
    decisions_made: [{ decision: "BLOCKED", step_index: 0, reason: "no refunds" }],
  });
  const allowed = { rules: [{ effect: "allow", reason: "all" }] };
  await service.call("POST", "/v1/policies", admin, { policy: allowed, reason: "again" });
});

it("refuse runs over the tenant's limit until it is taken away", async () => {
  const limit = { kind: "runs_per_minute", reason: "asked for" };
  const set = await service.call("POST", "/v1/limits", admin, { ...limit, value: 0 });
  expect(set.status).toBe(200);
  const { body } = await service.call("GET", "/v1/limits", key);
  expect(body).toMatchObject({ limits: [{ kind: limit.kind, value: 0 }] });
  const refused = await service.call("POST", "/v1/runs", key, {});
  expect(refused).toMatchObject({
    status: 429,
    body: { type: "urn:runproof:problem:run-refused" },
  });
  await service.call("POST", "/v1/limits", admin, { ...limit, value: null });
  expect((await service.call("POST", "/v1/runs", key, {})).status).toBe(201);
});

it("keep what is held from being erased, and erase what was named once it is not", async () => {
  await service.call("POST", "/v1/runs", key, { run_id: "personal" });
  const steps = [{ skill_id: "a", status: "success", params: { name: "Ada" }, outcome_data: 1 }];
  await service.call("POST", "/v1/runs/personal/steps", key, { steps });
  await service.call("POST", "/v1/runs/personal/complete", key, {});
  const held = { run_id: "personal", reason: "a case" };
  const { body: hold } = await service.call("POST", "/v1/holds", admin, held);
  const erasure = { matching: "Ada", fields: ["params"], reason: "asked for" };
  const refused = await service.call("POST", "/v1/erasures", admin, erasure);
  expect(refused).toMatchObject({ status: 409, body: { type: "urn:runproof:problem:run-held" } });
  const lift = { reason: "closed" };
  const path = `/v1/holds/${String(hold["hold_id"])}/lift`;
  expect((await service.call("POST", path, admin, lift)).status).toBe(200);
  expect((await service.call("POST", path, admin, lift)).status).toBe(400);

  const payloads = [{ run_id: "personal", payload: "step 0:params" }];
  const looked = await service.call("POST", "/v1/erasures", admin, { ...erasure, dry_run: true });
  expect(looked.body).toEqual({ erased: false, payloads });
  const payload = "/v1/runs/personal/steps/0/payloads/params";
  expect((await service.call("GET", payload, key)).text).toBe('{"name":"Ada"}');
  const erased = await service.call("POST", "/v1/erasures", admin, erasure);
  expect(erased.body).toEqual({ erased: true, payloads });
  expect((await service.call("GET", payload, key)).body["detail"]).toMatch(/erased/u);
  expect((await service.call("GET", "/v1/runs/personal/proof", key)).body).toMatchObject({
    integrity: { verification_status: "VERIFIED" },
  });
  const ledger = await queryDatabase(
    database.url,
    "select distinct actor from aos_audit_ledger where run_id = 'personal'",
  );
  expect(ledger).toEqual([{ actor: actor() }]);
});

it("are left alone by a service whose login may not operate", async () => {
  const own = await createDatabase(inject("postgresUrl"));
  const name = `app_only_${process.pid}`;
  await queryDatabase(own.url, `create role ${name} login password 'x' in role runproof_app`);
  const url = new URL(database.url);
  [url.username, url.password] = [name, "x"];
  const limited = await serve(url.href);
  const answer = await limited.call("POST", "/v1/holds", admin, { run_id: null, reason: "x" });
  expect(answer).toMatchObject({
    status: 503,
    body: { type: "urn:runproof:problem:not-authorised" },
  });
  await limited.close();
  await queryDatabase(own.url, `drop role ${name}`);
  await own.drop();
});
