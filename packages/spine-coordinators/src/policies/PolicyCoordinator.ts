/** Sets, lists and tries out policies and limits. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import type { Policy } from "@runproof/schemas/Policy";
import {
  type ControlsError,
  type DatabaseError,
  InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Order } from "../controls/ControlsBridge.ts";
import { type Call, decide, type Ruling, targetOf } from "./decide.ts";
import { readPolicy } from "./Guard.ts";
import {
  type Limit,
  type LimitInForce,
  PoliciesBridge,
  type StoredPolicy,
} from "./PoliciesBridge.ts";

/** Policies and limits of tenants. Setting one needs a database that was opened to operate on it. */
export class PolicyCoordinator extends Context.Service<
  PolicyCoordinator,
  {
    /** Puts a policy in force for the runs that begin from now on; answers its version. */
    readonly set: (
      policy: { readonly tenant_id: string; readonly text: string; readonly where: string } & Order,
    ) => Effect.Effect<number, ControlsError>;
    /** All versions, the newest first. */
    readonly list: (tenant_id: string) => Effect.Effect<ReadonlyArray<StoredPolicy>, DatabaseError>;
    /** One version, or the one in force. */
    readonly show: (
      tenant_id: string,
      version?: number,
    ) => Effect.Effect<StoredPolicy, DatabaseError | InvalidInput>;
    readonly setLimit: (
      limit: Limit & Order & { readonly tenant_id: string },
    ) => Effect.Effect<void, ControlsError>;
    readonly limits: (
      tenant_id: string,
    ) => Effect.Effect<ReadonlyArray<LimitInForce>, DatabaseError>;
  }
>()("@runproof/spine-coordinators/policies/PolicyCoordinator") {
  static readonly layer: Layer.Layer<PolicyCoordinator, never, PoliciesBridge> = Layer.effect(
    PolicyCoordinator,
    Effect.map(PoliciesBridge, ({ policies, limits }) =>
      PolicyCoordinator.of({
        set: Effect.fnUntraced(function* ({ tenant_id, text, where, ...order }) {
          const policy = yield* readPolicy(text, where);
          return yield* policies.set({ tenant_id, document: canonicalize(policy) }, order);
        }),
        list: policies.read,
        show: Effect.fnUntraced(function* (tenant_id, version) {
          const found = (yield* policies.read(tenant_id)).find(
            (each) => version === undefined || each.version === version,
          );
          if (found !== undefined) return found;
          return yield* new InvalidInput({
            what:
              version === undefined
                ? `tenant ${tenant_id} has no policy: everything is allowed`
                : `tenant ${tenant_id} has no version ${version} of a policy`,
            where: "policy",
            remedy: "List what there is, or set one.",
          });
        }),
        setLimit: ({ tenant_id, kind, value, ...order }) =>
          limits.set({ tenant_id, kind, value }, order),
        limits: limits.read,
      }),
    ),
  );
}

/** What a policy would say of a call, with nobody asked where a host lies. */
export const tryOut = (policy: Policy, call: Call): Ruling => {
  const target = targetOf(call.params);
  return decide(policy, call, target === null ? null : { ...target, is_private: null });
};

export { readPolicy };
