/** The one door from the coordinators to policies and limits, put together from the drivers' functions. */
import { type LimitInForce, readLimits } from "@runproof/drivers/controls/readLimits";
import {
  type Limit,
  LIMIT_KINDS,
  type LimitKind,
  setLimit,
} from "@runproof/drivers/controls/setLimit";
import { Database } from "@runproof/drivers/Database";
import { addressesOf, isPrivateAddress } from "@runproof/drivers/NetworkAddress";
import { readPolicies, type StoredPolicy } from "@runproof/drivers/policies/readPolicies";
import { setPolicy } from "@runproof/drivers/policies/setPolicy";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { LIMIT_KINDS };
export type { Limit, LimitInForce, LimitKind, StoredPolicy };

const doorsOf = (database: Database["Service"]) => ({
  policies: { set: setPolicy(database), read: readPolicies(database) },
  limits: { set: setLimit(database), read: readLimits(database) },
  /** What a host name resolves to now, and which addresses are not public. */
  network: { addressesOf, isPrivateAddress },
});

/** Policies and limits of tenants. */
export class PoliciesBridge extends Context.Service<PoliciesBridge, ReturnType<typeof doorsOf>>()(
  "@runproof/spine-coordinators/policies/PoliciesBridge",
) {
  static readonly layer: Layer.Layer<PoliciesBridge, never, Database> = Layer.effect(
    PoliciesBridge,
    Effect.map(Database, (database) => PoliciesBridge.of(doorsOf(database))),
  );
}
