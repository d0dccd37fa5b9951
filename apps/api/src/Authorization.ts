/** Who asks: an API key says which tenant, and what may be done. */
import type { Scope } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as Context from "effect/Context";
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware";
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity";
import * as OpenApi from "effect/http-api/OpenApi";

/** The tenant that a request speaks for. */
export class Tenant extends Context.Service<
  Tenant,
  {
    readonly tenant_id: string;
    /** Who asks, as the audit ledger names them. */
    readonly actor: string;
  }
>()("@runproof/api/Tenant") {}

/** The scope that a route needs, as an annotation of its endpoint; null, where its method says it. */
export const RequiredScope = Context.Reference<Scope | null>("@runproof/api/RequiredScope", {
  defaultValue: () => null,
});

/** Lets a request through that has a key with the scope its route needs: `read` for GET, `write` for the others, where it is not annotated with another. */
export class Authorization extends HttpApiMiddleware.Service<
  Authorization,
  { provides: Tenant; requires: never }
>()("@runproof/api/Authorization", {
  security: {
    key: HttpApiSecurity.bearer.pipe(
      HttpApiSecurity.annotate(
        OpenApi.Description,
        "An API key of `runproof keys api create`. Where none was ever made, the service serves its own machine without one.",
      ),
    ),
  },
}) {}
