/** Every error as RFC 9457 problem details, each with a `type` that stays. */
import type * as RunProofError from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as HttpApiSchema from "effect/http-api/HttpApiSchema";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Schema from "effect/Schema";

type Errors = typeof RunProofError;

/** Every typed error that can cross a layer. */
export type AnyRunProofError = {
  [Name in keyof Errors]: Errors[Name] extends abstract new (...args: never) => infer Instance
    ? Instance extends { readonly _tag: string; readonly message: string; readonly remedy: string }
      ? Instance
      : never
    : never;
}[keyof Errors];

/** Status and title of each: a tag that is added to `RunProofError.ts` does not compile until it stands here. */
const KINDS: Record<AnyRunProofError["_tag"], readonly [status: number, title: string]> = {
  InvalidInput: [400, "The request can't be taken"],
  NotReplayable: [422, "The run can't be replayed"],
  SkillUnknown: [400, "The skill is unknown"],
  NotAuthorised: [503, "The database refuses the service"],
  RunNotFound: [404, "There is no such run"],
  TraceNotFound: [404, "There is no such trace"],
  LogEntryNotFound: [404, "The log has no such entry"],
  IdempotencyConflict: [422, "The key was used for another request"],
  IdempotencyInProgress: [409, "The request is still under way"],
  RunRepeated: [409, "The request was sent before"],
  RunExists: [409, "The run is recorded already"],
  TraceSealed: [409, "The run is sealed"],
  ChainMoved: [409, "The run has moved on"],
  ImmutabilityViolation: [409, "Evidence is not changed"],
  LeaseLost: [409, "The run's lease is over"],
  RunHeld: [409, "The run is held"],
  StepBlocked: [403, "The step was blocked"],
  RunDeleted: [410, "The run was deleted"],
  RunRefused: [429, "The tenant's limit is reached"],
  LogShrunk: [409, "The log has shrunk"],
  LogForked: [409, "The log was rewritten"],
  ChainMismatch: [500, "The database answers another hash"],
  StoredDataUnreadable: [500, "What is stored can't be read"],
  ConfigurationInvalid: [503, "The service lacks a setting"],
  SchemaMismatch: [503, "The database is not at this version's schema"],
  SchemaDamaged: [500, "Parts of the schema are gone"],
  DatabaseMissing: [503, "There is no database"],
  DatabaseUnreachable: [503, "The database does not answer"],
  DatabaseUnfit: [503, "The database can't do this now"],
  DatabaseFailed: [500, "The database failed"],
  AuditUnfinished: [503, "The audit was cut off"],
  EmbeddedLocked: [503, "The embedded database is in use"],
  SignerStateInvalid: [503, "The log can't be signed"],
  LockHeld: [503, "A lock is held"],
  FileFailed: [500, "A file can't be read or written"],
};

/** A problem as it is sent. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly remedy?: string;
}

const CONTENT_TYPE = "application/problem+json";

/** How long a client should wait before it tries again, where that may help. */
const RETRY_AFTER_SECONDS = "1";

/** The `type` of a problem, by its name in kebab case. */
export const typeOf = (name: string): string =>
  `urn:runproof:problem:${name.replaceAll(/(?<=[a-z])(?=[A-Z])/gu, "-").toLowerCase()}`;

/** A problem as a response. */
export const respond = (
  body: ProblemBody,
  headers: Readonly<Record<string, string>> = {},
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(body, {
    status: body.status,
    contentType: CONTENT_TYPE,
    headers: {
      ...([429, 503].includes(body.status) ? { "retry-after": RETRY_AFTER_SECONDS } : {}),
      ...headers,
    },
  });

/** An error's response. What went wrong in the service names hosts and files, so that is for its log alone. */
export const ofError = (
  error: AnyRunProofError,
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  const [status, title] = KINDS[error._tag];
  const problem = { type: typeOf(error._tag), title, status };
  return status < 500
    ? Effect.succeed(respond({ ...problem, detail: error.message, remedy: error.remedy }))
    : Effect.as(
        Effect.logError(`${error._tag}: ${error.message}`),
        respond({ ...problem, detail: "The service's log says why." }),
      );
};

/** Answers errors as problems. */
export const answered = <A, R>(
  effect: Effect.Effect<A, AnyRunProofError, R>,
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  effect.pipe(Effect.catch(ofError));

/** Problems of the service itself, by what they are about. */
export const OWN = {
  unauthenticated: { status: 401, title: "A key is needed" },
  forbidden: { status: 403, title: "This may not be done" },
  "not-found": { status: 404, title: "There is no such route" },
  "too-large": { status: 413, title: "The request is too large" },
  "not-this-type": { status: 415, title: "The body's type is not taken" },
  "not-json": { status: 400, title: "The request is no exact JSON" },
} as const;

/** A problem of the service itself. */
export const own = (
  name: keyof typeof OWN,
  detail: string,
): HttpServerResponse.HttpServerResponse =>
  respond(
    { type: typeOf(name), ...OWN[name], detail },
    name === "unauthenticated" ? { "www-authenticate": "Bearer" } : {},
  );

const fields = {
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  remedy: Schema.optionalKey(Schema.String),
};

const problemOf = (status: number, identifier: string) =>
  Schema.Struct(fields).pipe(
    Schema.annotate({ identifier }),
    HttpApiSchema.asJson({ contentType: CONTENT_TYPE }),
    HttpApiSchema.status(status),
  );

/** The problems that any route under /v1 may answer, as the OpenAPI document says them. */
export const problems = [
  problemOf(400, "BadRequest"),
  problemOf(401, "Unauthenticated"),
  problemOf(403, "Forbidden"),
  problemOf(404, "NotFound"),
  problemOf(409, "Conflict"),
  problemOf(410, "Gone"),
  problemOf(413, "TooLarge"),
  problemOf(415, "OtherType"),
  problemOf(422, "OtherRequest"),
  problemOf(429, "TooMany"),
  problemOf(500, "Failed"),
  problemOf(503, "Unavailable"),
] as const;
