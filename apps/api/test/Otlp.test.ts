/**
 * Goal: spans that an exporter sends are the run that a verifier reads, each once, whichever encoding they came in.
 * Method: the whole service over a real server, with requests of a real collector.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { spansFromJson } from "../src/otlp/SpansFromJson.ts";
import { spansFromProtobuf } from "../src/otlp/SpansFromProtobuf.ts";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  service = await serve(database.url, 1);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const send = async (body: Uint8Array | string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${service.url}/v1/traces`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : new Uint8Array(body),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    bytes,
    text: bytes.toString(),
  };
};

const attribute = (name: string, value: string) => ({ key: name, value: { stringValue: value } });

const TRACE = "5B8EFFF798038103D269B633813FC60C";
const spanOf = (span_id: string, parent: string, more: object = {}) => ({
  traceId: TRACE,
  spanId: span_id,
  parentSpanId: parent,
  name: `span ${span_id}`,
  startTimeUnixNano: "1544712660000000000",
  endTimeUnixNano: 1_544_712_661_000_000_000,
  attributes: [],
  ...more,
});
const request = (...spans: ReadonlyArray<object>) =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [attribute("service.name", "shop")] },
        scopeSpans: [{ scope: { name: "t" }, spans }],
      },
    ],
  });

const tool = spanOf("EEE19B7EC3C1B174", "EEE19B7EC3C1B173", {
  attributes: [
    attribute("gen_ai.operation.name", "execute_tool"),
    attribute("gen_ai.tool.name", "refund"),
    attribute("gen_ai.tool.call.arguments", '{"order":7}'),
    { key: "big", value: { intValue: "9007199254740993" } },
  ],
});
const root = spanOf("eee19b7ec3c1b173", "", {
  attributes: [attribute("gen_ai.agent.name", "clerk")],
  droppedEventsCount: 2,
});
const run_id = TRACE.toLowerCase();

const stepsOf = (id: string) =>
  queryDatabase(
    database.url,
    `select step_index::int, skill_id, parent_step_index::int, idempotency_key from aos_trace_steps where run_id = '${id}' order by step_index`,
  );

describe("spans", () => {
  it("are a run's steps in the order in which they came, each once, and the run is sealed when its root has ended", async () => {
    expect(await send(request(tool))).toMatchObject({ status: 200, text: "{}" });
    const zipped = gzipSync(request(tool, root));
    expect(await send(zipped, { "content-encoding": "gzip" })).toMatchObject({
      status: 200,
      text: "{}",
    });
    expect(await stepsOf(run_id)).toEqual([
      {
        step_index: 0,
        skill_id: "refund",
        parent_step_index: null,
        idempotency_key: "otlp:eee19b7ec3c1b174",
      },
      {
        step_index: 1,
        skill_id: "span",
        parent_step_index: null,
        idempotency_key: "otlp-root:eee19b7ec3c1b173",
      },
    ]);
    const proof = async () => (await service.call("GET", `/v1/runs/${run_id}/proof`, key)).body;
    await expect.poll(proof, { timeout: 30_000 }).toMatchObject({
      lifecycle: "COMPLETE",
      capture: "observed",
      integrity: { verification_status: "VERIFIED", chain_length: 2 },
    });
    const run = await service.call("GET", `/v1/runs/${run_id}`, key);
    expect(run.body).toMatchObject({
      trace: { agent_id: "shop" },
      payloads: {
        metadata: {
          value: { otlp: { spans: 2, dropped: 2, conflicts: 0, parents_never_seen: [] } },
        },
      },
    });

    // Sent again they are there; another comes too late, and is told so.
    expect(await send(request(tool, root))).toMatchObject({ status: 200, text: "{}" });
    const late = await send(request(root, spanOf("eee19b7ec3c1b175", "eee19b7ec3c1b173")));
    expect(late.status).toBe(200);
    expect(JSON.parse(late.text)).toMatchObject({
      partialSuccess: {
        rejectedSpans: "1",
        errorMessage: expect.stringContaining("after the seal"),
      },
    });
  });

  it("that say something else under the same ids are both kept, the second once", async () => {
    const at = (name: string) => request({ ...tool, traceId: "a".repeat(32), name });
    for (const name of ["first", "second", "second", "first"])
      expect(await send(at(name))).toMatchObject({ status: 200, text: "{}" });
    const keys = (await stepsOf("a".repeat(32))).map((row) => String(row["idempotency_key"]));
    expect(keys).toHaveLength(2);
    expect(keys[1]).toMatch(/^otlp-conflict:eee19b7ec3c1b174:/u);
  });
});

/** A field of a protobuf message. */
const field = (number: number, bytes: Uint8Array | string): Buffer => {
  const body = Buffer.from(bytes as string);
  return Buffer.concat([Buffer.from([(number << 3) | 2, body.length]), body]);
};

describe("the encodings", () => {
  it("say the same span, whose answer is in its own encoding", async () => {
    const value = field(9, Buffer.concat([field(1, "k"), field(2, Buffer.from([0x18, 0x07]))]));
    const ids = [
      field(1, Buffer.from("b".repeat(32), "hex")),
      field(2, Buffer.from("c".repeat(16), "hex")),
    ];
    const span = Buffer.concat([...ids, field(5, "n"), value]);
    const message = field(1, field(2, Buffer.concat([field(1, field(1, "s")), field(2, span)])));
    const json = JSON.stringify({
      resourceSpans: [
        {
          scopeSpans: [
            {
              scope: { name: "s" },
              spans: [
                {
                  traceId: "B".repeat(32),
                  spanId: "C".repeat(16),
                  name: "n",
                  attributes: [{ key: "k", value: { intValue: 7 } }],
                },
              ],
            },
          ],
        },
      ],
    });
    expect(spansFromProtobuf(message)).toEqual(spansFromJson(json));
    const type = "application/x-protobuf";
    expect(await send(message, { "content-type": type })).toMatchObject({
      status: 200,
      type,
      text: "",
    });
    expect(await send(json)).toMatchObject({ status: 200, text: "{}" });
    expect(await stepsOf("b".repeat(32))).toHaveLength(1);
    const cut = await send(message.subarray(0, -1), { "content-type": type });
    expect(cut).toMatchObject({ status: 400, type });
    expect(cut.text).toContain("cut off");
  });

  it.each([
    ["no JSON", "{", 400],
    ["a bad id", request(spanOf("xyz", "")), 400],
    ["zeros for an id", request({ ...tool, traceId: "0".repeat(32) }), 400],
    ["a wrong type", request({ ...tool, name: 7 }), 400],
    ["spans that are no array", '{"resourceSpans":7}', 400],
    ["JSON nested too deep", "[".repeat(100_000), 400],
  ])("refuse %s with a status that says why", async (_, body, status) => {
    const answer = await send(body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({ code: 3, message: expect.any(String) });
  });

  it("refuse what decompresses to more than a request may have, and what is no gzip", async () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024, " "));
    expect((await send(bomb, { "content-encoding": "gzip" })).status).toBe(413);
    expect((await send("{}", { "content-encoding": "gzip" })).status).toBe(400);
  });

  it("take no byte of a truncated message for a fault of the service", async () => {
    const span = Buffer.concat([
      field(1, Buffer.alloc(16, 1)),
      field(2, Buffer.alloc(8, 1)),
      field(5, "n"),
    ]);
    const message = field(1, field(2, field(2, span)));
    for (let length = 1; length < message.length; length += 1) {
      expect(() => spansFromProtobuf(message.subarray(0, length))).toThrow(
        expect.objectContaining({ name: "SpansUnreadable" }) as Error,
      );
    }
  });
});
