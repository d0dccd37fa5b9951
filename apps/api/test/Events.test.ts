/**
 * Goal: whoever follows runs is told of each event once and in order, over connections that are cut anywhere, of what other
 * processes of the service record too. Method: two services over one real server; a reader who goes away after some events, by
 * a seed, and comes back to either with the last id that it got.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let services: readonly [Service, Service];
let key: string;
let stranger: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  stranger = await keyOf(database.url, "rival");
  services = [await serve(database.url), await serve(database.url)];
});
afterAll(async () => {
  for (const service of services) await service.close();
  await database.drop();
});

interface Told {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

interface Visit {
  /** What a reader goes on with. */
  readonly last_id: string | undefined;
  readonly told: ReadonlyArray<Told>;
  /** Whether the stream ended by itself. */
  readonly is_over: boolean;
}

const field = (block: string, name: string): string | undefined =>
  block
    .split("\n")
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2);

const ask = (service: Service, path: string, asking: string, last: string | undefined) => {
  const going = new AbortController();
  const headers = {
    authorization: `Bearer ${asking}`,
    ...(last === undefined ? {} : { "last-event-id": last }),
  };
  return {
    going,
    response: fetch(service.url + path, { headers, signal: going.signal }),
  };
};

/** Reads until there were `enough` events, or until the stream is over; the place that it begins with counts as none. */
const visit = async (
  service: Service,
  path: string,
  enough: number,
  last?: string,
  asking = key,
): Promise<Visit> => {
  const { going, response } = ask(service, path, asking, last);
  const told: Array<Told> = [];
  let last_id = last;
  let text = "";
  const { body, status } = await response;
  expect(status).toBe(200);
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const [id, data] = [field(block, "id"), field(block, "data")];
      last_id = id ?? last_id;
      if (data !== undefined)
        told.push({
          id: id!,
          event: field(block, "event")!,
          data: JSON.parse(data) as Record<string, unknown>,
        });
      if (told.length >= enough) {
        going.abort();
        return { last_id, told, is_over: false };
      }
    }
  }
  return { last_id, told, is_over: true };
};

/** Small numbers, by a seed. */
const numbers = (seed: number) => {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return 1 + (state % 4);
  };
};

/** Follows a stream over cut connections, from one service and the other in turn, until `isLast` or its end. */
const follow = async (
  path: string,
  isLast: (told: Told) => boolean,
  seed: number,
  from?: string,
) => {
  const next = numbers(seed);
  const all: Array<Told> = [];
  let last = from;
  for (let at = 0; ; at += 1) {
    const { last_id, told, is_over } = await visit(services[at % 2]!, path, next(), last);
    all.push(...told);
    last = last_id;
    if (is_over || told.some(isLast)) return { all, last };
  }
};

describe("a run's events", () => {
  it("are its steps in their order and its seal, each once, over every reconnection", async () => {
    await services[0].call("POST", "/v1/runs", key, { run_id: "r" });
    const path = "/v1/runs/r/events";
    const following = follow(path, ({ event }) => event === "sealed", 7);
    for (let at = 0; at < 20; at += 1) {
      const steps = [{ skill_id: "s", status: "success", params: { at, hidden: true } }];
      const sent = at % 3 === 0 ? [...steps, ...steps] : steps;
      await services[at % 2]!.call("POST", "/v1/runs/r/steps", key, { steps: sent });
    }
    const sealed = await services[1].call("POST", "/v1/runs/r/complete", key, {});
    const { all, last } = await following;
    const steps = Array.from({ length: 27 }, (_, index) => ["step", String(index), index]);
    expect(all.map(({ event, id, data }) => [event, id, data["step_index"]])).toEqual([
      ...steps,
      ["sealed", "sealed", undefined],
    ]);
    expect(all.at(-1)?.data).toEqual({
      status: "completed",
      root_hash: sealed.body["root_hash"],
    });
    expect(JSON.stringify(all)).not.toContain("hidden");
    // A browser would ask for ever.
    expect(last).toBe("sealed");
    expect((await ask(services[0], path, key, last).response).status).toBe(204);
  });

  it("are more than one page of them, and come whole from the first", async () => {
    await services[0].call("POST", "/v1/runs", key, { run_id: "long" });
    const steps = Array.from({ length: 250 }, () => ({ skill_id: "s", status: "success" }));
    await services[0].call("POST", "/v1/runs/long/steps", key, { steps });
    await services[0].call("POST", "/v1/runs/long/abort", key, { reason: "enough" });
    const { told, is_over } = await visit(services[1], "/v1/runs/long/events", 1000);
    expect([told.length, told.at(-1)?.data["status"], is_over]).toEqual([251, "aborted", true]);
  });

  it("end where records were edited too, each under the index that it is stored at", async () => {
    await services[0].call("POST", "/v1/runs", key, { run_id: "edited" });
    const steps = Array.from({ length: 3 }, () => ({ skill_id: "s", status: "success" }));
    await services[0].call("POST", "/v1/runs/edited/steps", key, { steps });
    await services[0].call("POST", "/v1/runs/edited/complete", key, {});
    const says = `replace(record, '"step_index":2', '"step_index":0')`;
    for (const statement of [
      "alter table aos_trace_steps disable trigger all",
      `update aos_trace_steps set record = ${says} where run_id = 'edited'`,
    ])
      await queryDatabase(database.url, statement);
    const { told, is_over } = await visit(services[0], "/v1/runs/edited/events", 1000);
    expect([told.map(({ id }) => id), is_over]).toEqual([["0", "1", "2", "sealed"], true]);
  });

  it("of a run that is not there, or after what is no event, are a problem and no empty stream", async () => {
    const [service] = services;
    for (const last of [undefined, "3", "sealed"]) {
      const answer = await ask(service, "/v1/runs/none/events", key, last).response;
      expect([last, answer.status]).toEqual([last, 404]);
    }
    for (const last of ["x", "-2", "1.5", "99999999999999999999", ""]) {
      for (const path of ["/v1/runs/r/events", "/v1/events"]) {
        const answer = await ask(service, path, key, last).response;
        expect([path, last, answer.status]).toEqual([path, last, 400]);
      }
    }
  });
});

describe("a tenant's events", () => {
  it("are each opened and sealed run of its own, once, over every reconnection", async () => {
    const start = await visit(services[0], "/v1/events?last_event_id=-1", 1);
    expect(start.told[0]).toMatchObject({ event: "opened", data: { run_id: "r" } });
    const names = Array.from({ length: 8 }, (_, at) => `e${at}`);
    const following = follow(
      "/v1/events",
      ({ event, data }) => event === "sealed" && data["run_id"] === "last",
      11,
      start.last_id,
    );
    const record = async (run_id: string, asking: string, at: number) => {
      const service = services[at % 2]!;
      await service.call("POST", "/v1/runs", asking, { run_id });
      await services[(at + 1) % 2]!.call("POST", `/v1/runs/${run_id}/complete`, asking, {});
    };
    await Promise.all([
      ...names.map((run_id, at) => record(run_id, key, at)),
      record("foreign", stranger, 0),
    ]);
    await record("last", key, 0);
    const { all } = await following;
    const ids = all.map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
    const seen = (wanted: string) =>
      all.filter(({ event }) => event === wanted).map(({ data }) => String(data["run_id"]));
    const before = ["long", "edited"];
    expect(seen("opened").toSorted()).toEqual([...before, ...names, "last"].toSorted());
    expect(seen("sealed").toSorted()).toEqual(["r", ...before, ...names, "last"].toSorted());
  });

  it("after a connection that was cut before the first one came miss none", async () => {
    const { going, response } = ask(services[0], "/v1/events", key, undefined);
    const reader = (await response).body!.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    going.abort();
    expect(value).toMatch(/^id: \d+\n\n$/u);
    await services[1].call("POST", "/v1/runs", key, { run_id: "between" });
    const { told } = await visit(services[1], "/v1/events", 1, field(value, "id"));
    expect(told).toMatchObject([{ event: "opened", data: { run_id: "between" } }]);
  });
});
