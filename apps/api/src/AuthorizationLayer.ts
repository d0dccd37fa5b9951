/** Checks API keys; without any, the service is open to its own machine. */
import { IdentityCoordinator } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { Authorization, RequiredScope, Tenant } from "./Authorization.ts";
import { isLoopback } from "./Loopback.ts";
import * as Problem from "./Problem.ts";

/** The tenant of a service that has no keys. */
export const OPEN_TENANT = "local";

/** Who acts there, as the audit ledger names them. */
const OPEN_ACTOR = "a program of this machine";

/** Whether there are keys is asked again after this time, so that the first one closes an open service. */
const OPEN_HOLDS = Duration.seconds(1);

/** Why a request to an open service is not one of this machine's own programs; null where it is. */
const strangeness = ({ headers }: HttpServerRequest.HttpServerRequest): string | null => {
  const { host = "", origin } = headers;
  if (!URL.canParse(`http://${host}`) || !isLoopback(new URL(`http://${host}`).hostname))
    return "the Host header names another machine";
  return origin === undefined || origin === `http://${host}`
    ? null
    : "a page of another origin asks";
};

export const layer: Layer.Layer<Authorization, never, IdentityCoordinator> = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const identities = yield* IdentityCoordinator;
    const hasKeys = yield* Effect.cachedWithTTL(identities.hasKeys, OPEN_HOLDS);
    const decide = Effect.fnUntraced(function* (key: string, scope: string) {
      if (key !== "") {
        const caller = yield* identities.authenticate(key);
        if (caller === null)
          return Problem.own("unauthenticated", "The key is unknown, revoked or expired.");
        return caller.scopes.includes(scope)
          ? Tenant.of({ tenant_id: caller.tenant_id, actor: `api key ${caller.key_id}` })
          : Problem.own("forbidden", `The key has no scope ${scope}.`);
      }
      if (yield* hasKeys)
        return Problem.own("unauthenticated", "Send a key: Authorization: Bearer rp_live_…");
      const strange = strangeness(yield* HttpServerRequest.HttpServerRequest);
      return strange === null
        ? Tenant.of({ tenant_id: OPEN_TENANT, actor: OPEN_ACTOR })
        : Problem.own("forbidden", `No API key is set up, and ${strange}.`);
    });
    return Authorization.of({
      key: Effect.fnUntraced(function* (httpEffect, { credential, endpoint }) {
        const scope =
          Context.get(endpoint.annotations, RequiredScope) ??
          (endpoint.method === "GET" ? "read" : "write");
        const decided: Tenant["Service"] | HttpServerResponse.HttpServerResponse = yield* decide(
          Redacted.value(credential),
          scope,
        ).pipe(Problem.answered);
        return HttpServerResponse.isHttpServerResponse(decided)
          ? decided
          : yield* Effect.provideService(httpEffect, Tenant, decided);
      }),
    });
  }),
);
