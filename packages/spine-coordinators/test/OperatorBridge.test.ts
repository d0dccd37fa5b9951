/** Goal: who acts as the application acts as an operator for one call, all of it or nothing, and not beyond. */
import { assert, layer } from "@effect/vitest";
import { OperatorBridge } from "@runproof/spine-coordinators/controls/OperatorBridge";
import { PolicyCoordinator } from "@runproof/spine-coordinators/policies/PolicyCoordinator";
import * as Effect from "effect/Effect";
import { databases, runproof } from "./TestDatabase.ts";

const order = {
  text: '{"rules":[{"effect":"allow","reason":"all"}]}',
  where: "policy",
  actor: "test",
  reason: "asked for",
};
const set = (tenant_id: string) =>
  PolicyCoordinator.use((policies) => policies.set({ ...order, tenant_id }));
const versions = (tenant_id: string) =>
  Effect.map(
    PolicyCoordinator.use((policies) => policies.list(tenant_id)),
    (all) => all.map(({ version }) => version),
  );
const operate = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  OperatorBridge.use((bridge) => bridge.operate(effect));

for (const [name, config] of databases) {
  layer(runproof(config), { excludeTestServices: true, timeout: 60_000 })(
    `an operator's call on ${name}`,
    (it) => {
      it.effect("is made as the operator, and what comes after it as the application", () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* Effect.flip(set("before")))._tag, "NotAuthorised");
          assert.strictEqual(yield* operate(set("before")), 1);
          assert.strictEqual((yield* Effect.flip(set("before")))._tag, "NotAuthorised");
          assert.deepStrictEqual(yield* versions("before"), [1]);
        }),
      );

      it.effect("that fails on its way leaves nothing, nor the role", () =>
        Effect.gen(function* () {
          const failing = Effect.andThen(set("half"), Effect.fail("no more"));
          assert.strictEqual(yield* Effect.flip(operate(failing)), "no more");
          assert.deepStrictEqual(yield* versions("half"), []);
          assert.strictEqual((yield* Effect.flip(set("half")))._tag, "NotAuthorised");
        }),
      );
    },
  );
}
