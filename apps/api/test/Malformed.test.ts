/**
 * Goal: no request that is malformed is an error of the service's, and none leaves anything behind. Method: bodies, paths and
 * queries that are broken in known ways, made from a seed, against the whole service over a real server; some hundreds of them,
 * more than ten thousand with RUNPROOF_LONG=1.
 */
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

const IS_LONG = process.env["RUNPROOF_LONG"] === "1";
const REQUESTS = IS_LONG ? 12_000 : 400;
const AT_ONCE = 8;
const SEED = 20_261_127;

let database: TestDatabase;
let service: Service;
let key: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme", ["write", "read", "admin"]);
  service = await serve(database.url, undefined, {}, { executes_plans: true });
  await service.call("POST", "/v1/runs", key, { run_id: "target", capture: "inline" });
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** Numbers from a seed (mulberry32). */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(limit: number): number {
    this.#state = (this.#state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }
  one<A>(of: ReadonlyArray<A>): A {
    return of[this.below(of.length)]!;
  }
}

interface Malformed {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Routes that take JSON, each with a body that it would take, and which of its fields have a type. */
const ROUTES: ReadonlyArray<{
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly typed: ReadonlyArray<string>;
}> = [
  {
    path: "/v1/runs",
    body: { run_id: "new", capture: "inline", is_synthetic: false, lease_ms: 600_000, seed: 1 },
    typed: ["run_id", "capture", "is_synthetic", "lease_ms", "seed"],
  },
  {
    path: "/v1/runs/target/steps",
    body: { steps: [{ skill_id: "a", status: "success" }], first_index: 0 },
    typed: ["steps", "first_index"],
  },
  { path: "/v1/runs/target/intents", body: { intent: { skill_id: "a" } }, typed: ["intent"] },
  { path: "/v1/runs/target/renew", body: { lease_ms: 600_000 }, typed: ["lease_ms"] },
  {
    path: "/v1/runs/target/complete",
    body: { status: "completed", reason: "done" },
    typed: ["status", "reason"],
  },
  { path: "/v1/runs/target/abort", body: { reason: "stopped" }, typed: ["reason"] },
  {
    path: "/v1/runs/target/signals",
    body: { signal: "acknowledge", reason: "seen" },
    typed: ["signal", "reason"],
  },
  {
    path: "/v1/runs/execute",
    body: {
      run_id: "planned",
      plan: {
        steps: [{ skill: "http_call", params: { method: "GET", url: "http://127.0.0.1:1/" } }],
      },
    },
    typed: ["run_id", "plan"],
  },
  { path: "/v1/runs/target/replay", body: { record: { run_id: "again" } }, typed: ["record"] },
  {
    path: "/v1/policies",
    body: { policy: { rules: [{ effect: "allow", reason: "a" }] }, reason: "r" },
    typed: ["policy", "reason"],
  },
  {
    path: "/v1/limits",
    body: { kind: "steps_per_run", value: 1, reason: "r" },
    typed: ["kind", "value", "reason"],
  },
  { path: "/v1/holds", body: { run_id: null, reason: "r" }, typed: ["run_id", "reason"] },
  { path: "/v1/holds/1/lift", body: { reason: "r" }, typed: ["reason"] },
  { path: "/v1/erasures", body: { run_id: "target", reason: "r" }, typed: ["run_id", "reason"] },
];

const JSON_TYPE = { "content-type": "application/json" };
const WRONG = [
  "[]",
  "{}",
  "[[]]",
  '{"a":1}',
  "1.5",
  "-1",
  "9007199254740993",
  "1e999",
  '"\\u0000"',
];
const BAD_TEXTS = [
  '""',
  '"\\u0000"',
  '"\\ud800"',
  `"${"x".repeat(256)}"`,
  '"\u0001"',
  "null1",
  "NaN",
];
const BAD_NUMBERS = [
  "01",
  "+1",
  "0x1",
  "1e999",
  "-",
  "1.",
  "12345678901234567890",
  ".5",
  "Infinity",
];

/** A body with one field's value replaced by a text of JSON, or of none. */
const withField = (body: Readonly<Record<string, unknown>>, name: string, text: string): string =>
  `{${Object.entries({ ...body, [name]: null })
    .map(([each, value]) => `"${each}":${each === name ? text : JSON.stringify(value)}`)
    .join(",")}}`;

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

type Make = (dice: Dice) => Malformed;

const ofRoute =
  (
    what: string,
    make: (dice: Dice, body: string, route: (typeof ROUTES)[number]) => Malformed["body"],
  ): Make =>
  (dice) => {
    const route = dice.one(ROUTES);
    const body = make(dice, JSON.stringify(route.body), route) ?? "";
    return { what, path: route.path, body, headers: JSON_TYPE };
  };

const delimited = (number: number, ...bytes: ReadonlyArray<Buffer>): Buffer => {
  const content = Buffer.concat(bytes);
  return Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);
};

/** One span as `ExportTraceServiceRequest`: all of it in one field, so that whatever is cut off is missed. */
const PROTOBUF = delimited(
  1,
  delimited(
    2,
    delimited(
      2,
      delimited(1, Buffer.alloc(16, 0x5b)),
      delimited(2, Buffer.alloc(8, 0xee)),
      delimited(5, Buffer.from("span")),
    ),
  ),
);
const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024));

const otlp = (what: string, type: string, body: Buffer, encoding?: string): Malformed => ({
  what,
  path: "/v1/traces",
  body: new Uint8Array(body),
  headers: {
    "content-type": type,
    ...(encoding === undefined ? {} : { "content-encoding": encoding }),
  },
});

const PROTOBUF_TYPE = "application/x-protobuf";

const MAKES: ReadonlyArray<Make> = [
  ofRoute("cut off", (dice, body) => body.slice(0, 1 + dice.below(body.length - 1))),
  ofRoute("more than one value", (dice, body) => body + dice.one([body, "1", "]", "}", ","])),
  ofRoute("a key twice", (dice, body) => {
    const name = dice.one(Object.keys(JSON.parse(body) as object));
    return `${body.slice(0, -1)},"${name}":${dice.one(["1", '"other"', "null", "[]"])}}`;
  }),
  ofRoute("a key twice, once escaped", (dice, body) => {
    const name = dice.one(Object.keys(JSON.parse(body) as object));
    const escaped = `\\u${name.codePointAt(0)!.toString(16).padStart(4, "0")}${name.slice(1)}`;
    return `{"${escaped}":${dice.one(["1", '"other"'])},${body.slice(1)}`;
  }),
  ofRoute(
    "a key twice, deep inside",
    (dice, body) =>
      `${body.slice(0, -1)},"metadata":{"a":[{"b":1,${dice.one(['"b"', '"\\u0062"'])}:2}]}}`,
  ),
  ofRoute(
    "deep",
    (dice, body) => `${body.slice(0, -1)},"attributes":${nested(600 + dice.below(90_000))}}`,
  ),
  ofRoute("of another shape", (dice) => dice.one(["[]", "1", '"{}"', "null", "true", " ", "[{}]"])),
  ofRoute("a field of another type", (dice, _, { body, typed }) =>
    withField(body, dice.one(typed), dice.one(WRONG.slice(0, 4))),
  ),
  ofRoute("a text that no record holds", (dice, _, { body, typed }) => {
    const texts = typed.filter((name) => /run_id|reason/u.test(name));
    return texts.length === 0
      ? "{"
      : withField(
          body,
          dice.one(texts),
          dice.one(BAD_TEXTS.filter((text) => !/x{9}|""/u.test(text))),
        );
  }),
  ofRoute("no number", (dice, body) => `${body.slice(0, -1)},"more":${dice.one(BAD_NUMBERS)}}`),
  ofRoute("no UTF-8", (dice, body) => {
    const bytes = Buffer.from(body);
    const at = 1 + body.indexOf('"');
    const wrong = Buffer.from(dice.one([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80]]));
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), wrong, bytes.subarray(at)]));
  }),
  ofRoute(
    "another encoding",
    (dice, body) =>
      new Uint8Array(
        dice.one([
          Buffer.from(body, "utf16le"),
          Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(body)]),
          gzipSync(body),
        ]),
      ),
  ),
  (dice) => ({
    ...ofRoute("another type", (_, body) => body)(dice),
    headers: {
      "content-type": dice.one(["text/plain", "application/xml", "application/jsonx", "a"]),
    },
  }),
  (dice) => {
    const id = dice.one(["%00", "x".repeat(256), "%ff", "%", "%C0%80", "%ED%A0%80", "%E0%A4%A"]);
    const path = `/v1/runs/${id}${dice.one(["", "/steps", "/proof?model=x", "/bundle", "/evidence"])}`;
    return { what: "a bad id", method: "GET", path };
  },
  (dice) => ({
    what: "a bad id, written to",
    path: `/v1/runs/${dice.one(["%00", "x".repeat(256), "%ff", "%"])}/${dice.one(["steps", "complete", "signals"])}`,
    body: "{}",
    headers: JSON_TYPE,
  }),
  (dice) => {
    const index = dice.one(["-1", "1.5", "x", "1e400", "99999999999999999999", "%00", "NaN"]);
    const path = `/v1/runs/target/steps/${index}/${dice.one(["bundle", "payloads/params"])}`;
    return { what: "no index of a step", method: "GET", path };
  },
  (dice) => ({
    what: "a bad query",
    method: "GET",
    path: dice.one([
      "/v1/runs?limit=x",
      "/v1/runs?limit=0",
      "/v1/runs?limit=1e9",
      "/v1/runs?cursor=%00",
      "/v1/runs?cursor=W10",
      "/v1/runs?status=done",
      "/v1/runs?started_from=yesterday",
      "/v1/runs?started_before=9999999-01-01T00:00:00Z",
      "/v1/runs?text=%00",
      "/v1/runs?run_id=",
      "/v1/runs/target/steps?from=-1",
      "/v1/runs/target/steps?from=1e300",
      "/v1/runs/target/steps?limit=501",
      "/v1/runs/target/steps?limit=NaN",
      "/v1/runs/target/events?last_event_id=x",
      "/v1/events?last_event_id=1e9",
      "/v1/log/inclusion?run_id=target&entry=x",
      "/v1/log/consistency?from=-1",
      "/v1/log/consistency?from=1e30",
      "/v1/log/consistency",
      "/v1/evidence-export?started_from=x",
    ]),
  }),
  (dice) =>
    otlp(
      "a cut protobuf",
      PROTOBUF_TYPE,
      PROTOBUF.subarray(0, 1 + dice.below(PROTOBUF.length - 1)),
    ),
  (dice) =>
    otlp(
      "no protobuf",
      PROTOBUF_TYPE,
      dice.one([
        Buffer.from([0x0a, ...Array.from({ length: 12 }, () => 0xff)]),
        Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Buffer.concat([PROTOBUF, Buffer.from([0x0a, 0x05, 0x01])]),
        Buffer.from([0x0f]),
        Buffer.from([0x00]),
        Buffer.from("{}"),
      ]),
    ),
  (dice) => {
    const text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"s"}]}]}]}';
    const body = dice.one([
      text.slice(0, 1 + dice.below(text.length - 1)),
      `{"resourceSpans":${nested(100_000)}}`,
      '{"resourceSpans":{}}',
      '{"resourceSpans":[1]}',
      '{"resourceSpans":[],"resource\\u0053pans":[]}',
      "[]",
    ]);
    return otlp("JSON that is no spans", "application/json", Buffer.from(body));
  },
  (dice) => {
    const whole = gzipSync(PROTOBUF);
    const body = dice.one([
      whole.subarray(0, 1 + dice.below(whole.length - 9)),
      PROTOBUF,
      Buffer.concat([whole.subarray(0, 12), Buffer.from([1, 2, 3]), whole.subarray(15)]),
    ]);
    return otlp("no gzip", PROTOBUF_TYPE, body, "gzip");
  },
  (dice) =>
    // One in ten: each takes the time that 64 MiB take.
    dice.below(10) === 0
      ? otlp("a bomb", dice.one([PROTOBUF_TYPE, "application/json"]), bomb, "gzip")
      : otlp(
          "compressed otherwise",
          PROTOBUF_TYPE,
          PROTOBUF,
          dice.one(["br", "zstd", "deflate", "x"]),
        ),
  (dice) => otlp("another type of spans", dice.one(["text/plain", "application/grpc"]), PROTOBUF),
];

/** All that a request could leave. The log's entries pass from its queue. */
const left = async () => {
  const found: Record<string, unknown> = {};
  for (const table of [
    "aos_traces",
    "aos_trace_steps",
    "aos_trace_leases",
    "runs",
    "aos_idempotency_keys",
    "aos_audit_ledger",
    "aos_holds",
    "aos_policies",
    "aos_limits",
    "aos_incidents",
    "aos_prevention_records",
  ]) {
    found[table] = await queryDatabase(
      database.url,
      `select count(*)::int as n, md5(coalesce(string_agg(t::text, ' ' order by t::text), '')) from ${table} t`,
    );
  }
  const counts = "(select count(*) from aos_log_entries) + (select count(*) from aos_log_queue)";
  found["log"] = await queryDatabase(database.url, `select (${counts})::int as n`);
  return found;
};

const send = async ({ method = "POST", path, body, headers = {} }: Malformed) => {
  const response = await fetch(service.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return { status: response.status, text, type: response.headers.get("content-type") };
};

it(
  `are refused with 4xx, and leave nothing behind: ${REQUESTS} of them from seed ${SEED}`,
  async () => {
    const dice = new Dice(SEED);
    const all = Array.from({ length: REQUESTS }, (_, at) => MAKES[at % MAKES.length]!(dice));
    const before = await left();
    const wrong: Array<unknown> = [];
    const queue = all.entries();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const [at, request] of queue) {
          const { status, text, type } = await send(request);
          const isSaid = type !== null && /json|protobuf/u.test(type) && text !== "";
          if (status < 400 || status >= 500 || !isSaid)
            wrong.push({ at, ...request, body: String(request.body).slice(0, 200), status, text });
        }
      }),
    );
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(await left()).toEqual(before);
    // Each route would have taken what was broken.
    expect((await service.call("POST", "/v1/runs/target/renew", key, {})).status).toBe(200);
  },
  IS_LONG ? 600_000 : 60_000,
);

it("are what is sent to each route, which takes the same while it is whole", async () => {
  const protobuf = otlp("whole", PROTOBUF_TYPE, gzipSync(PROTOBUF), "gzip");
  expect((await send(protobuf)).status).toBe(200);
  const [row] = await queryDatabase(
    database.url,
    `select count(*)::int as n from aos_trace_steps where run_id = '${"5b".repeat(16)}'`,
  );
  expect(row).toEqual({ n: 1 });
  // These two need something that is not there.
  const needing = ["/v1/holds/1/lift", "/v1/erasures"];
  const ordered = ROUTES.toSorted(
    (a, b) => Number(/complete|abort/u.test(a.path)) - Number(/complete|abort/u.test(b.path)),
  );
  for (const { path, body } of ordered) {
    if (needing.includes(path) || /intents|abort|replay/u.test(path)) continue;
    const { status, text } = await service.call("POST", path, key, body);
    expect([path, status < 300, text]).toEqual([path, true, text]);
  }
});

it("do not set what a key of JavaScript's own would", async () => {
  const body = '{"__proto__":{"run_id":"poisoned","capture":"gated"},"constructor":{"run_id":"x"}}';
  const { body: started } = await service.call("POST", "/v1/runs", key, body);
  expect(started["run_id"]).not.toBe("poisoned");
  const shown = await service.call("GET", `/v1/runs/${String(started["run_id"])}`, key);
  expect(shown.body).toMatchObject({ trace: { capture: "inline" } });
});
