/** Checks API keys; without any, the service is open to its own machine. */
import { IdentityCoordinator } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import type * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { Authorization, Tenant } from "./Authorization.ts";
import { isLoopback } from "./Loopback.ts";
import * as Problem from "./Problem.ts";

/** The tenant of a service that has no keys. */
export const OPEN_TENANT = "local";

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
          ? caller.tenant_id
          : Problem.own("forbidden", `The key has no scope ${scope}.`);
      }
      if (yield* hasKeys)
        return Problem.own("unauthenticated", "Send a key: Authorization: Bearer rp_live_…");
      const strange = strangeness(yield* HttpServerRequest.HttpServerRequest);
      return strange === null
        ? OPEN_TENANT
        : Problem.own("forbidden", `No API key is set up, and ${strange}.`);
    });
    return Authorization.of({
      key: Effect.fnUntraced(function* (httpEffect, { credential, endpoint }) {
        const scope = endpoint.method === "GET" ? "read" : "write";
        const decided: string | HttpServerResponse.HttpServerResponse = yield* decide(
          Redacted.value(credential),
          scope,
        ).pipe(Problem.answered);
        return typeof decided === "string"
          ? yield* Effect.provideService(httpEffect, Tenant, { tenant_id: decided })
          : decided;
      }),
    });
  }),
);
