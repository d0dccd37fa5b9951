/** What the routes of policies, limits, holds and erasure answer. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { ErasureCoordinator } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import { OperatorBridge } from "@runproof/spine-coordinators/controls/OperatorBridge";
import { RetentionCoordinator } from "@runproof/spine-coordinators/controls/RetentionCoordinator";
import { PolicyCoordinator } from "@runproof/spine-coordinators/policies/PolicyCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import { freshJson } from "./Answer.ts";
import { Api } from "./Api.ts";
import { Tenant } from "./Authorization.ts";
import { answered } from "./Problem.ts";

const fresh = (value: unknown) => freshJson(JSON.stringify(value));

/** The handlers of the controls group. What changes something is one transaction of the operator's role. */
export const ControlsHandlers = HttpApiBuilder.group(Api, "controls", (handlers) =>
  handlers.handleAll({
    policies: Effect.fnUntraced(function* () {
      const { tenant_id } = yield* Tenant;
      return fresh({ policies: yield* (yield* PolicyCoordinator).list(tenant_id) });
    }, answered),
    setPolicy: Effect.fnUntraced(function* ({ payload: { policy, reason } }) {
      const { tenant_id, actor } = yield* Tenant;
      const { operate } = yield* OperatorBridge;
      const policies = yield* PolicyCoordinator;
      const text = canonicalize(policy);
      const order = { tenant_id, text, where: "policy", actor, reason };
      return { version: yield* operate(policies.set(order)) };
    }, answered),
    limits: Effect.fnUntraced(function* () {
      const { tenant_id } = yield* Tenant;
      return fresh({ limits: yield* (yield* PolicyCoordinator).limits(tenant_id) });
    }, answered),
    setLimit: Effect.fnUntraced(function* ({ payload }) {
      const { tenant_id, actor } = yield* Tenant;
      const { operate } = yield* OperatorBridge;
      const policies = yield* PolicyCoordinator;
      yield* operate(policies.setLimit({ ...payload, tenant_id, actor }));
      return fresh({ limits: yield* policies.limits(tenant_id) });
    }, answered),
    holds: Effect.fnUntraced(function* () {
      const { tenant_id } = yield* Tenant;
      return fresh({ holds: yield* (yield* RetentionCoordinator).listHolds(tenant_id) });
    }, answered),
    setHold: Effect.fnUntraced(function* ({ payload }) {
      const { tenant_id, actor } = yield* Tenant;
      const { operate } = yield* OperatorBridge;
      const { setHold } = yield* RetentionCoordinator;
      return { hold_id: yield* operate(setHold({ ...payload, tenant_id, actor })) };
    }, answered),
    liftHold: Effect.fnUntraced(function* ({ params: { hold_id }, payload: { reason } }) {
      const { tenant_id, actor } = yield* Tenant;
      const { operate } = yield* OperatorBridge;
      const retention = yield* RetentionCoordinator;
      yield* operate(retention.liftHold({ tenant_id, hold_id, actor, reason }));
      return fresh({ holds: yield* retention.listHolds(tenant_id) });
    }, answered),
    erase: Effect.fnUntraced(function* ({ payload: { reason, dry_run = false, ...scope } }) {
      const { tenant_id, actor } = yield* Tenant;
      const { operate } = yield* OperatorBridge;
      const { find, erase } = yield* ErasureCoordinator;
      const found = yield* find({ ...scope, tenant_id });
      if (!dry_run) yield* operate(erase(tenant_id, found, { actor, reason }));
      const payloads = found.map(({ run_id, payload }) => ({ run_id, payload }));
      return { erased: !dry_run, payloads };
    }, answered),
  }),
);
