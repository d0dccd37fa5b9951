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
import { type InForce, readInForce } from "@runproof/drivers/policies/readInForce";
import { readPolicies, type StoredPolicy } from "@runproof/drivers/policies/readPolicies";
import { setPolicy } from "@runproof/drivers/policies/setPolicy";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Result from "effect/Result";
import { makeBatchQueue } from "../internal/BatchQueue.ts";

export { LIMIT_KINDS };
export type { Limit, LimitInForce, LimitKind, StoredPolicy };

/** How long runs that begin wait for what is in force. */
const ANSWER_MS = 60_000;

const doorsOf = (
  database: Database["Service"],
  inForce: (tenant_id: string) => Effect.Effect<InForce, DatabaseError>,
) => ({
  /** What a run stands under that begins now. Runs that begin at the same time ask together. */
  inForce,
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
    Effect.gen(function* () {
      const database = yield* Database;
      const read = readInForce(database);
      const inForce = yield* makeBatchQueue<string, InForce, DatabaseError>({
        send: (tenant_ids) => Effect.map(read(tenant_ids), (all) => all.map(Result.succeed)),
        unitsOf: (tenant_id) => tenant_id.length,
        keyOf: (tenant_id) => tenant_id,
        patienceOf: () => ANSWER_MS,
        isRetried: false,
      });
      return PoliciesBridge.of(doorsOf(database, inForce));
    }),
  );
}
