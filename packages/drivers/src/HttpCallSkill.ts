/** The skill `http_call`: one HTTP request, its response recorded. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { isIP } from "node:net";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Headers from "effect/http/Headers";
import * as HttpBody from "effect/http/HttpBody";
import * as HttpClient from "effect/http/HttpClient";
import type { HttpClientError } from "effect/http/HttpClientError";
import * as HttpClientRequest from "effect/http/HttpClientRequest";
import type { HttpClientResponse } from "effect/http/HttpClientResponse";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import { HTTP_REDACTION, redactHeaders, redactUrl } from "./internal/http/Redaction.ts";
import { readBody, recordedBody } from "./internal/http/ResponseBody.ts";
import {
  isIdempotent,
  isSafe,
  isRetryableStatus,
  networkFailure,
  retryAfter_ms,
} from "./internal/http/Retryable.ts";
import { paramsDecoder, type Skill, type SkillCall, type SkillOutcome } from "./Skill.ts";

/** The id that a plan names. */
export const HTTP_CALL = "http_call";

/** Bytes of a response's body that are read where the params name no limit: 1 MiB, far more than an API's answer. */
export const DEFAULT_RESPONSE_BYTES_MAX = 1024 * 1024;

/** The highest limit that params may name: 8 MiB, which still fits a payload's 16 MiB when it is recorded as base64. */
export const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;

const HeaderName = Schema.String.check(
  Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u, {
    message: "must be the name of an HTTP header",
  }),
);

const HeaderValue = Schema.String.check(
  Schema.isPattern(/^[\t\x20-\x7e\x80-\xff]*$/u, {
    message: "must be an HTTP header's value: no line break or other control character",
  }),
);

const isHttpUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/u.test(url.protocol) && isDecodable(url.username + url.password);
};

const isDecodable = (text: string): boolean => {
  try {
    return typeof decodeURIComponent(text) === "string";
  } catch {
    return false;
  }
};

const HeaderFields = Schema.Record(HeaderName, HeaderValue).check(
  Schema.makeFilter(
    (headers: Readonly<Record<string, string>>) => {
      const names = Object.keys(headers).map((name) => name.toLowerCase());
      return new Set(names).size === names.length;
    },
    { message: "must name each header once, whatever the case of its letters" },
  ),
);

/** The params of `http_call`. */
export const HttpCallParams = Schema.Struct({
  method: Schema.Literals(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
  /** Absolute, `http` or `https`. A user and password in it become a Basic authorization header. */
  url: Schema.String.check(
    Schema.makeFilter((url: string) => isHttpUrl(url), {
      message: "must be an absolute http or https URL",
    }),
  ),
  headers: Schema.optionalKey(HeaderFields),
  /** A string is sent as it is; any other value as JSON, with its content type unless the headers name one. */
  body: Schema.optionalKey(Schema.Json),
  max_response_bytes: Schema.optionalKey(
    Schema.Int.check(
      Schema.isBetween(
        { minimum: 0, maximum: RESPONSE_BYTES_MAX },
        { message: `must be an integer from 0 to ${RESPONSE_BYTES_MAX}` },
      ),
    ),
  ),
});

/** The params of `http_call`. */
export type HttpCallParams = typeof HttpCallParams.Type;

const decodeParams = paramsDecoder(
  HttpCallParams,
  "http_call takes method, url and, where wanted, headers, body and max_response_bytes.",
);

/** The client that `http_call` is made for: no redirect followed, no retry of its own, no time limit but the step's. */
export const clientLayer: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndici;

/**
 * The skill over a client.
 *
 * A status of 2xx or 3xx is a success (a redirect is not followed: it is the outcome, with its `location`), any other a
 * failure `HTTP_<status>`. The outcome holds `status`, `headers` with lower-case names, `body` and `body_format`.
 * The URL is recorded as it is sent. Credentials in headers, URLs and their parameters are recorded as `[redacted]`, by the
 * rules `http-secrets@v2`; those in a body, and in a URL's path where no name says so, are not.
 */
export const make: Effect.Effect<Skill, never, HttpClient.HttpClient> = Effect.map(
  HttpClient.HttpClient,
  (client): Skill => ({
    id: HTTP_CALL,
    name: HTTP_CALL,
    redaction: HTTP_REDACTION,
    comparable: withoutPassingHeaders,
    prepare: Effect.fnUntraced(function* (input, where) {
      const params = yield* decodeParams(input, where);
      if (params.body !== undefined && (params.method === "GET" || params.method === "HEAD")) {
        return yield* new InvalidInput({
          what: `a ${params.method} request takes no body`,
          where: `${where}.body`,
          remedy: "Leave the body out, or use POST, PUT or PATCH.",
        });
      }
      return callOf(client, params);
    }),
  }),
);

/** Headers that say what was answered. The others say when, by whom and to whom: they differ from call to call. */
const LASTING_HEADERS: ReadonlyArray<string> = ["content-type", "location"];

const withoutPassingHeaders = (outcome_data: Schema.Json): Schema.Json => {
  if (typeof outcome_data !== "object" || outcome_data === null || !("headers" in outcome_data))
    return outcome_data;
  const headers = Object.entries(Object(outcome_data.headers) as Readonly<Record<string, string>>);
  const lasting = headers.filter(([name]) => LASTING_HEADERS.includes(name));
  return { ...outcome_data, headers: Object.fromEntries(lasting) };
};

/** Addresses that a host was found to stand for when its call was decided on: it is called there, whatever it stands for by then. */
export interface ResolvedHost {
  readonly host: string;
  readonly addresses: ReadonlyArray<string>;
}

/** The host that attempts are bound to; null where nobody has looked. */
export const BoundHost = Context.Reference<ResolvedHost | null>(
  "@runproof/drivers/HttpCallSkill/BoundHost",
  { defaultValue: () => null },
);

/** A client that finds just these addresses, with connections of its own. */
const boundClient = ({ addresses }: ResolvedHost) =>
  Effect.map(
    Layer.build(
      // Not the client that is there already: it would look for itself.
      Layer.fresh(
        NodeHttpClient.layerUndiciOptions({
          connect: {
            lookup: (_host, options, done) => {
              const found = addresses.map((address) => ({ address, family: isIP(address) }));
              const [first] = found;
              if (first === undefined) done(new Error("the host stands for no address"), "", 4);
              else if (options.all === true) done(null, found);
              else done(null, first.address, first.family);
            },
          },
        }),
      ),
    ),
    Context.get(HttpClient.HttpClient),
  );

const callOf = (client: HttpClient.HttpClient, params: HttpCallParams): SkillCall => ({
  recorded_params: {
    ...params,
    url: redactUrl(params.url),
    ...(params.headers === undefined ? {} : { headers: redactHeaders(params.headers) }),
  },
  safe_to_repeat: isIdempotent(params.method),
  only_reads: isSafe(params.method),
  attempt: Effect.gen(function* () {
    const bound = yield* BoundHost;
    const used = bound === null ? client : yield* boundClient(bound);
    return yield* outcomeOf(params, yield* used.execute(requestOf(params)));
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed(failureOf(params, error))),
    // The request goes out exactly as it is recorded: no tracing headers are added.
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
  ),
});

const requestOf = (params: HttpCallParams): HttpClientRequest.HttpClientRequest => {
  const url = new URL(params.url);
  const headers = Headers.fromInput(params.headers);
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  const request = HttpClientRequest.make(params.method)(
    url,
    params.body === undefined ? {} : { body: bodyOf(params.body, headers["content-type"]) },
  );
  return HttpClientRequest.setHeaders(request, {
    ...(user === ":" ? {} : { authorization: `Basic ${Buffer.from(user).toString("base64")}` }),
    ...headers,
  });
};

const bodyOf = (body: Schema.Json, contentType: string | undefined): HttpBody.HttpBody => {
  const isText = typeof body === "string";
  const bytes = new TextEncoder().encode(isText ? body : JSON.stringify(body));
  return HttpBody.raw(bytes, {
    contentType: contentType ?? (isText ? undefined : "application/json"),
  });
};

const outcomeOf = (
  params: HttpCallParams,
  response: HttpClientResponse,
): Effect.Effect<SkillOutcome, HttpClientError> =>
  Effect.gen(function* () {
    const bytes = yield* readBody(
      response.stream,
      params.max_response_bytes ?? DEFAULT_RESPONSE_BYTES_MAX,
    );
    const { status } = response;
    const headers = redactHeaders(response.headers);
    if (!(bytes instanceof Uint8Array)) {
      return {
        status: "failure",
        outcome_category: "PERMANENT",
        outcome_code: "RESPONSE_TOO_LARGE",
        outcome_data: { status, headers, bytes_read: bytes.bytes_read },
        safe_to_repeat: false,
        retry_after_ms: null,
      };
    }
    const isSuccess = status >= 200 && status <= 399;
    const isTransient = isRetryableStatus(status);
    const now_ms = yield* Clock.currentTimeMillis;
    return {
      status: isSuccess ? "success" : "failure",
      outcome_category: isSuccess ? "SUCCESS" : isTransient ? "TRANSIENT" : "PERMANENT",
      outcome_code: `HTTP_${status}`,
      outcome_data: { status, headers, ...recordedBody(bytes, response.headers) },
      safe_to_repeat: isIdempotent(params.method),
      retry_after_ms: retryAfter_ms(response.headers["retry-after"], now_ms),
    };
  });

const failureOf = (params: HttpCallParams, error: HttpClientError): SkillOutcome => {
  const failure = networkFailure(error);
  return {
    status: "failure",
    outcome_category: failure.isTransient ? "TRANSIENT" : "PERMANENT",
    outcome_code: failure.outcome_code,
    outcome_data: { error: failure.message },
    safe_to_repeat: isIdempotent(params.method) || !failure.wasSent,
    retry_after_ms: null,
  };
};
