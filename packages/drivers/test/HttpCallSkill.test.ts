/** Goal: what `http_call` sends, records and refuses, against a real HTTP server on loopback. */
import * as Http from "node:http";
import type { AddressInfo } from "node:net";
import { assert, layer } from "@effect/vitest";
import * as HttpCallSkill from "@runproof/drivers/HttpCallSkill";
import { attemptWithin, type SkillOutcome } from "@runproof/drivers/Skill";
import type { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import * as TestClock from "effect/testing/TestClock";

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Http.IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (request: Received, response: Http.ServerResponse) => void;

/** A server on loopback that answers as each test says and keeps what it received. */
class Loopback extends Context.Service<
  Loopback,
  {
    readonly origin: string;
    readonly received: Array<Received>;
    answer: Answer;
  }
>()("test/Loopback") {
  static readonly layer = Layer.effect(
    Loopback,
    Effect.acquireRelease(
      Effect.callback<{ readonly loopback: Loopback["Service"]; readonly server: Http.Server }>(
        (resume) => {
          const received: Array<Received> = [];
          const server = Http.createServer((request, response) => {
            let body = "";
            request.setEncoding("utf8");
            request.on("data", (chunk: string) => (body += chunk));
            request.on("end", () => {
              const { method = "", url = "", headers } = request;
              received.push({ method, url, headers, body });
              loopback.answer({ method, url, headers, body }, response);
            });
          });
          const loopback: Loopback["Service"] = {
            origin: "",
            received,
            answer: (_, response) => response.end(),
          };
          server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as AddressInfo;
            resume(
              Effect.succeed({
                loopback: Object.assign(loopback, { origin: `http://127.0.0.1:${port}` }),
                server,
              }),
            );
          });
        },
      ),
      ({ server }) =>
        Effect.callback<void>((resume) => {
          server.closeAllConnections();
          server.close(() => resume(Effect.void));
        }),
    ).pipe(Effect.map(({ loopback }) => loopback)),
  );
}

const prepare = Effect.fnUntraced(function* (params: Schema.Json) {
  const skill = yield* HttpCallSkill.make;
  return yield* skill.prepare(params, "$.steps[0].params");
});

const attempt = Effect.fnUntraced(function* (params: Schema.Json, timeout_ms = 5_000) {
  return yield* attemptWithin(yield* prepare(params), timeout_ms);
});

const Recorded = Schema.Struct({
  status: Schema.Int,
  headers: Schema.Record(Schema.String, Schema.String),
  body: Schema.Json,
  body_format: Schema.String,
});
const recorded = (outcome: SkillOutcome) =>
  Schema.decodeUnknownSync(Recorded)(outcome.outcome_data);

const refusal = (params: Schema.Json) => Effect.flip(prepare(params));

const Live = Layer.mergeAll(Loopback.layer, HttpCallSkill.clientLayer);

layer(Live, { excludeTestServices: true })("http_call", (it) => {
  it.effect("sends method, headers and body as the params say, and nothing else of its own", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => response.end("ok");
      yield* attempt({
        method: "POST",
        url: `${loopback.origin}/a%20b/?q=1&q=2&empty=`,
        headers: { "X-Trace": "7" },
        body: { b: 1, a: ["é"] },
      });
      const last = loopback.received.at(-1);
      assert.strictEqual(last?.method, "POST");
      assert.strictEqual(last?.url, "/a%20b/?q=1&q=2&empty=");
      assert.strictEqual(last?.body, `{"b":1,"a":["é"]}`);
      assert.deepStrictEqual(Object.keys(last?.headers ?? {}).toSorted(), [
        "connection",
        "content-length",
        "content-type",
        "host",
        "x-trace",
      ]);
      assert.strictEqual(last?.headers["content-type"], "application/json");
    }),
  );

  it.effect("calls the addresses that its host was found to stand for, and no others", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => response.end("ok");
      const { port } = new URL(loopback.origin);
      const bound = (addresses: ReadonlyArray<string>) =>
        attempt({ method: "GET", url: `http://nowhere.invalid:${port}/bound` }).pipe(
          Effect.provideService(HttpCallSkill.BoundHost, { host: "nowhere.invalid", addresses }),
        );
      assert.strictEqual((yield* bound(["127.0.0.1"])).status, "success");
      assert.strictEqual(loopback.received.at(-1)?.headers.host, `nowhere.invalid:${port}`);
      const before = loopback.received.length;
      assert.strictEqual((yield* bound([])).status, "failure");
      assert.strictEqual((yield* bound(["127.0.0.9"])).status, "failure");
      assert.strictEqual(loopback.received.length, before);
    }),
  );

  it.effect("sends a string body as it is, with the content type that the headers name", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => response.end();
      const headers = { "Content-Type": "text/csv" };
      yield* attempt({ method: "PUT", url: loopback.origin, headers, body: "a,b\n1,2" });
      assert.strictEqual(loopback.received.at(-1)?.body, "a,b\n1,2");
      assert.strictEqual(loopback.received.at(-1)?.headers["content-type"], "text/csv");
      yield* attempt({ method: "PUT", url: loopback.origin, body: "plain" });
      assert.strictEqual(loopback.received.at(-1)?.headers["content-type"], undefined);
    }),
  );

  it.effect("records a JSON body as its value", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => {
        response.setHeader("Content-Type", "application/problem+json; charset=utf-8");
        response.end(`{"a": [1.50, "x"]}`);
      };
      const outcome = yield* attempt({ method: "GET", url: loopback.origin });
      assert.strictEqual(outcome.status, "success");
      assert.strictEqual(outcome.outcome_category, "SUCCESS");
      assert.strictEqual(outcome.outcome_code, "HTTP_200");
      assert.deepStrictEqual(recorded(outcome).body, { a: [1.5, "x"] });
      assert.strictEqual(recorded(outcome).body_format, "json");
    }),
  );

  for (const [what, text] of [
    ["a duplicate key", `{"a":1,"a":2}`],
    ["a number that a double can't hold", `{"id":9007199254740993}`],
    ["an integer that may have been rounded", `{"id":100000000000000000000}`],
    ["what is not JSON", `{"a":`],
    ["nothing", ""],
  ] as const) {
    it.effect(`keeps the text of JSON with ${what}, so that nothing of it is lost`, () =>
      Effect.gen(function* () {
        const loopback = yield* Loopback;
        loopback.answer = (_, response) => {
          response.setHeader("content-type", "application/json");
          response.end(text);
        };
        const outcome = recorded(yield* attempt({ method: "GET", url: loopback.origin }));
        assert.strictEqual(outcome.body, text);
        assert.strictEqual(outcome.body_format, "text");
      }),
    );
  }

  it.effect("records a body that is not UTF-8 as base64 and says so", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
      loopback.answer = (_, response) => {
        response.setHeader("content-type", "application/json");
        response.end(bytes);
      };
      const outcome = recorded(yield* attempt({ method: "GET", url: loopback.origin }));
      assert.strictEqual(outcome.body, bytes.toString("base64"));
      assert.strictEqual(outcome.body_format, "base64");
    }),
  );

  for (const [status, category] of [
    [400, "PERMANENT"],
    [404, "PERMANENT"],
    [501, "TRANSIENT"],
    [408, "TRANSIENT"],
    [425, "TRANSIENT"],
    [429, "TRANSIENT"],
    [503, "TRANSIENT"],
  ] as const) {
    it.effect(`calls status ${status} a failure that is ${category}`, () =>
      Effect.gen(function* () {
        const loopback = yield* Loopback;
        loopback.answer = (_, response) => {
          response.statusCode = status;
          response.end("why");
        };
        const outcome = yield* attempt({ method: "GET", url: loopback.origin });
        assert.strictEqual(outcome.status, "failure");
        assert.strictEqual(outcome.outcome_code, `HTTP_${status}`);
        assert.strictEqual(outcome.outcome_category, category);
        assert.strictEqual(recorded(outcome).status, status);
        assert.strictEqual(recorded(outcome).body, "why");
      }),
    );
  }

  it.effect("does not follow a redirect: it is the outcome, with its location", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => {
        response.statusCode = 302;
        response.setHeader("location", "http://user:secret@example.invalid/next?token=abc&page=2");
        response.end();
      };
      const before = loopback.received.length;
      const outcome = yield* attempt({ method: "GET", url: loopback.origin });
      assert.strictEqual(outcome.status, "success");
      assert.strictEqual(outcome.outcome_code, "HTTP_302");
      assert.strictEqual(loopback.received.length, before + 1);
      assert.strictEqual(
        recorded(outcome).headers["location"],
        "http://[redacted]@example.invalid/next?token=[redacted]&page=2",
      );
    }),
  );

  it.effect("keeps what Retry-After asks for, in seconds or as a date", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      const waitOf = (value: string) => {
        loopback.answer = (_, response) => {
          response.statusCode = 429;
          response.setHeader("retry-after", value);
          response.end();
        };
        return Effect.map(
          attempt({ method: "GET", url: loopback.origin }),
          (o) => o.retry_after_ms,
        );
      };
      assert.strictEqual(yield* waitOf("7"), 7_000);
      // The clock of the test stands at 1970-01-01T00:00:00Z.
      assert.strictEqual(yield* waitOf("Thu, 01 Jan 1970 00:01:30 GMT"), 90_000);
      assert.strictEqual(yield* waitOf("soon"), null);
      assert.strictEqual(yield* waitOf("-5"), null);
    }).pipe(Effect.provide(TestClock.layer())),
  );

  it.effect(
    "fails a response over the size limit, with how much was read and no part of its body",
    () =>
      Effect.gen(function* () {
        const loopback = yield* Loopback;
        loopback.answer = (_, response) => response.end("x".repeat(101));
        const params = { method: "GET", url: loopback.origin, max_response_bytes: 100 };
        const outcome = yield* attempt(params);
        assert.strictEqual(outcome.status, "failure");
        assert.strictEqual(outcome.outcome_code, "RESPONSE_TOO_LARGE");
        assert.strictEqual(outcome.outcome_category, "PERMANENT");
        assert.deepInclude(outcome.outcome_data as object, { status: 200, bytes_read: 101 });
        assert.notProperty(outcome.outcome_data, "body");
        loopback.answer = (_, response) => response.end("x".repeat(100));
        const whole = yield* attempt(params);
        assert.strictEqual(whole.status, "success");
        assert.strictEqual(recorded(whole).body, "x".repeat(100));
      }),
  );

  it.effect("stops reading a response that never ends once it is over the limit", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      const closed = Promise.withResolvers<void>();
      loopback.answer = (_, response) => {
        const write = () => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", write);
        response.on("close", () => closed.resolve());
        write();
      };
      const outcome = yield* attempt({ method: "GET", url: loopback.origin });
      assert.strictEqual(outcome.outcome_code, "RESPONSE_TOO_LARGE");
      yield* Effect.promise(() => closed.promise);
    }),
  );

  it.effect(
    "ends a request at its time limit, and a read may then be repeated while a POST may not",
    () =>
      Effect.gen(function* () {
        const loopback = yield* Loopback;
        const cutOff = Effect.fnUntraced(function* (method: string) {
          const closed = Promise.withResolvers<void>();
          loopback.answer = (_, response) => void response.on("close", () => closed.resolve());
          const outcome = yield* attempt({ method, url: loopback.origin }, 50);
          yield* Effect.promise(() => closed.promise);
          return outcome;
        });
        const read = yield* cutOff("GET");
        assert.strictEqual(read.outcome_code, "TIMEOUT");
        assert.strictEqual(read.outcome_category, "TRANSIENT");
        assert.isTrue(read.safe_to_repeat);
        assert.isFalse((yield* cutOff("POST")).safe_to_repeat);
      }),
  );

  it.effect("ends a body that stops in the middle as a failure", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => {
        response.setHeader("content-length", "10");
        response.write("half", () => response.destroy());
      };
      const outcome = yield* attempt({ method: "GET", url: loopback.origin });
      assert.strictEqual(outcome.status, "failure");
      assert.strictEqual(outcome.outcome_category, "TRANSIENT");
      assert.isTrue(outcome.safe_to_repeat);
    }),
  );

  it.effect(
    "calls a refused connection transient, and repeatable for a POST too: nothing was sent",
    () =>
      Effect.gen(function* () {
        const { promise, resolve } = Promise.withResolvers<number>();
        const closing = Http.createServer().listen(0, "127.0.0.1", () => {
          const { port } = closing.address() as AddressInfo;
          closing.close(() => resolve(port));
        });
        const port = yield* Effect.promise(() => promise);
        const outcome = yield* attempt({
          method: "POST",
          url: `http://127.0.0.1:${port}/`,
          body: 1,
        });
        assert.strictEqual(outcome.outcome_code, "ECONNREFUSED");
        assert.strictEqual(outcome.outcome_category, "TRANSIENT");
        assert.isTrue(outcome.safe_to_repeat);
      }),
  );

  it.effect(
    "calls a connection that was cut after a POST was sent transient and not repeatable",
    () =>
      Effect.gen(function* () {
        const loopback = yield* Loopback;
        loopback.answer = (_, response) => response.destroy();
        const outcome = yield* attempt({ method: "POST", url: loopback.origin, body: 1 });
        assert.strictEqual(outcome.status, "failure");
        assert.strictEqual(outcome.outcome_category, "TRANSIENT");
        assert.isFalse(outcome.safe_to_repeat);
      }),
  );

  it.effect("sends secrets and records none of them", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      loopback.answer = (_, response) => {
        response.setHeader("Set-Cookie", ["session=hush1", "other=hush2"]);
        response.end();
      };
      const { host } = new URL(loopback.origin);
      const params = {
        method: "GET",
        url: `http://us%65r:hush3@${host}/p?api_key=hush4&page=2&TOKEN=hush5#f`,
        headers: {
          "Proxy-Authorization": "hush6",
          Cookie: "hush7",
          "X-API-Key": "hush8",
          Referer: "http://u:hush9@h/?sig=hush10",
          Accept: "text/plain",
        },
      };
      const call = yield* prepare(params);
      const outcome = yield* attemptWithin(call, 5_000);
      const sent = loopback.received.at(-1);
      assert.strictEqual(sent?.url, "/p?api_key=hush4&page=2&TOKEN=hush5");
      assert.strictEqual(sent?.headers.authorization, `Basic ${btoa("user:hush3")}`);
      assert.strictEqual(sent?.headers["x-api-key"], "hush8");
      assert.strictEqual(sent?.headers.cookie, "hush7");
      assert.notInclude(JSON.stringify(call.recorded_params), "hush");
      assert.notInclude(JSON.stringify(outcome), "hush");
      assert.deepInclude(call.recorded_params as object, {
        url: `http://[redacted]@${host}/p?api_key=[redacted]&page=2&TOKEN=[redacted]#f`,
      });
      assert.strictEqual(recorded(outcome).headers["set-cookie"], "[redacted]");
      assert.include(JSON.stringify(call.recorded_params), `"Accept":"text/plain"`);
    }),
  );

  it.effect("records the URL that it sends, whatever way its user is written", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      const { host } = new URL(loopback.origin);
      for (const form of [
        "http://",
        " http://",
        "http:\\\\",
        "http:/",
        "http:",
        "http:///",
        "HT\tTP://",
      ]) {
        const call = yield* prepare({ method: "GET", url: `${form}ann:hush@${host}/p` });
        yield* attemptWithin(call, 5_000);
        assert.strictEqual(
          loopback.received.at(-1)?.headers.authorization,
          `Basic ${btoa("ann:hush")}`,
          form,
        );
        assert.deepStrictEqual(call.recorded_params, {
          method: "GET",
          url: `http://[redacted]@${host}/p`,
        });
      }
    }),
  );

  for (const text of [
    "access_token=hush",
    "refresh_token=hush",
    "id_token=hush",
    "code=hush",
    "pwd=hush",
    "session=hush",
    "subscription-key=hush",
    "X-Amz-Credential=hush",
    "%74oken=hush",
    "page=1;token=hush",
    "page=1&page=2&sig=hush=",
    "next=https%3A%2F%2Fh%2F%3Fcode%3Dhush",
    "next=https://ann:hush@h/",
    `next=${"a%3D".repeat(9)}hush`,
  ]) {
    it.effect(`records no secret of the parameter ${text}, in a query, fragment or path`, () =>
      Effect.gen(function* () {
        for (const place of ["?", "#", "#/page?", ";", "?q=1&"]) {
          const url = `http://127.0.0.1/x${place}${text}`;
          const call = yield* prepare({ method: "GET", url });
          assert.notInclude(JSON.stringify(call.recorded_params), "hush", url);
          assert.include(JSON.stringify(call.recorded_params), "http://127.0.0.1/x", url);
        }
      }),
    );
  }

  it.effect("records parameters and headers that are no secrets as they are", () =>
    Effect.gen(function* () {
      const params = {
        method: "GET",
        url: "http://127.0.0.1/a;v=1?author=ann&keyword=tea&page=2&next=/b%3Fpage%3D3#part=4",
        headers: { Accept: "text/html", "Keep-Alive": "timeout=5", Link: "</b?page=2>; rel=next" },
      };
      assert.deepStrictEqual((yield* prepare(params)).recorded_params, params);
    }),
  );

  it.effect("records no secret of headers that carry one by their name or in a URL", () =>
    Effect.gen(function* () {
      const loopback = yield* Loopback;
      const secret = {
        "private-token": "hush",
        "x-vault-token": "hush",
        "x-access-token": "hush",
        "dd-api-key": "hush",
        "ocp-apim-subscription-key": "hush",
        "x-shopify-access-token": "hush",
        location: "https://h/cb#access_token=hush&state=1",
        "content-location": "//ann:hush@h/x",
        referer: "next?code=hush",
        link: "<https://h/?access_token=hush&page=2>; rel=next, </p?token=hush>; rel=prev",
        refresh: "0;url=/x?token=hush",
        "x-origin": "see https://ann:hush@h/x and more",
      };
      loopback.answer = (_, response) => {
        for (const [name, value] of Object.entries(secret)) response.setHeader(name, value);
        response.end();
      };
      const call = yield* prepare({ method: "GET", url: loopback.origin, headers: secret });
      const outcome = yield* attemptWithin(call, 5_000);
      assert.include(JSON.stringify(loopback.received.at(-1)?.headers), "hush");
      assert.notInclude(JSON.stringify(call.recorded_params), "hush");
      assert.notInclude(JSON.stringify(outcome), "hush");
      assert.deepInclude(recorded(outcome).headers, {
        "private-token": "[redacted]",
        location: "https://h/cb#access_token=[redacted]&state=1",
        "content-location": "//[redacted]@h/x",
        referer: "next?code=[redacted]",
        link: "<https://h/?access_token=[redacted]&page=2>; rel=next, </p?token=[redacted]>; rel=prev",
        refresh: "0;url=/x?token=[redacted]",
        "x-origin": "see https://[redacted]@h/x and more",
      });
    }),
  );

  const url = "http://127.0.0.1/";
  for (const [what, params, where] of [
    ["no url", { method: "GET" }, ".url"],
    ["another scheme", { method: "GET", url: "file:///etc/passwd" }, ".url"],
    ["a relative url", { method: "GET", url: "/x" }, ".url"],
    ["an unknown method", { method: "FETCH", url }, ".method"],
    [
      "a header with a line break",
      { method: "GET", url, headers: { a: "1\r\nb: 2" } },
      ".headers.a",
    ],
    ["a header that is no string", { method: "GET", url, headers: { a: 1 } }, ".headers.a"],
    [
      "a header name with a space",
      { method: "GET", url, headers: { "a b": "1" } },
      `.headers["a b"]`,
    ],
    ["a header named twice", { method: "GET", url, headers: { a: "1", A: "2" } }, ".headers"],
    ["a user that can't be decoded", { method: "GET", url: "http://%zz@127.0.0.1/" }, ".url"],
    ["a body on GET", { method: "GET", url, body: "x" }, ".body"],
    ["an unknown key", { method: "GET", url, verb: "x" }, ".verb"],
    [
      "a limit over the highest",
      { method: "GET", url, max_response_bytes: 1e9 },
      ".max_response_bytes",
    ],
    ["params that are no object", "GET", ""],
  ] as ReadonlyArray<readonly [string, Schema.Json, string]>) {
    it.effect(`refuses ${what}, naming where`, () =>
      Effect.gen(function* () {
        const error: InvalidInput = yield* refusal(params);
        assert.strictEqual(error._tag, "InvalidInput");
        assert.strictEqual(error.where, `$.steps[0].params${where}`);
        assert.notInclude(error.message, "passwd");
      }),
    );
  }
});
