/**
 * Goal: a program records, proves and administers runs with the typed client, and gets problems as typed errors. Method: the
 * client, over fetch, against the whole service over a real server.
 */
import type { TestDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import type * as HttpClient from "effect/http/HttpClient";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import * as Client from "../src/Client.ts";
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

const using = <A, E>(
  use: (client: Client.Client) => Effect.Effect<A, E, HttpClient.HttpClient>,
  as: string | undefined = key,
) =>
  Client.make({ url: service.url, key: as }).pipe(
    Effect.flatMap(use),
    Effect.provide(FetchHttpClient.layer),
    Effect.runPromise,
  );

it("records and proves a run", async () => {
  const proof = await using(({ runs }) =>
    Effect.gen(function* () {
      const { run_id } = yield* runs.start({ headers: {}, payload: { agent_id: "clerk" } });
      const params = { run_id };
      const steps = [{ skill_id: "refund", status: "success" as const, params: { order: 7 } }];
      const { next_index } = yield* runs.append({ params, payload: { steps } });
      expect(next_index).toBe(1);
      const { root_hash } = yield* runs.complete({ params, payload: {} });
      const page = yield* runs.steps({ params, query: {} });
      expect([page.next_from, page.root_hash]).toEqual([null, root_hash]);
      return yield* runs.proof({ params, query: {} });
    }),
  );
  expect(proof).toMatchObject({ integrity: { verification_status: "VERIFIED" } });
});

it("gets a problem as an error that says its type", async () => {
  const failed = await using(({ runs }) =>
    Effect.flip(runs.complete({ params: { run_id: "none" }, payload: {} })),
  );
  expect(failed).toMatchObject({ type: "urn:runproof:problem:run-not-found", status: 404 });
  const stranger = await using(
    ({ controls }) => Effect.flip(controls.holds({})),
    "rp_live_unknown",
  );
  expect(stranger).toMatchObject({ type: "urn:runproof:problem:unauthenticated", status: 401 });
});
