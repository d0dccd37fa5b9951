/** The one door from the coordinators to tenants and their keys, put together from the drivers' functions. */
import { Database } from "@runproof/drivers/Database";
import { createApiKey } from "@runproof/drivers/identities/createApiKey";
import { createTenant } from "@runproof/drivers/identities/createTenant";
import { findApiKey } from "@runproof/drivers/identities/findApiKey";
import { type ApiKey, listApiKeys } from "@runproof/drivers/identities/listApiKeys";
import { listTenants, type Tenant } from "@runproof/drivers/identities/listTenants";
import { revokeApiKey } from "@runproof/drivers/identities/revokeApiKey";
import { touchApiKey } from "@runproof/drivers/identities/touchApiKey";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { ApiKey, Tenant };

const doorsOf = (database: Database["Service"]) => ({
  tenants: { create: createTenant(database), list: listTenants(database) },
  keys: {
    create: createApiKey(database),
    list: listApiKeys(database),
    revoke: revokeApiKey(database),
    find: findApiKey(database),
    touch: touchApiKey(database),
  },
});

/** Tenants and API keys. Changes need a database that was opened to operate on it. */
export class IdentitiesBridge extends Context.Service<
  IdentitiesBridge,
  ReturnType<typeof doorsOf>
>()("@runproof/spine-coordinators/identities/IdentitiesBridge") {
  static readonly layer: Layer.Layer<IdentitiesBridge, never, Database> = Layer.effect(
    IdentitiesBridge,
    Effect.map(Database, (database) => IdentitiesBridge.of(doorsOf(database))),
  );
}
