import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import * as Effect from "effect/Effect";

const findOrder = (complaint: string) =>
  TracedRun.step({ skill_id: "find_order", params: { complaint } }, Effect.succeed("order-1842"));

const refund = (order: string, amount_cents: number) =>
  TracedRun.step(
    { skill_id: "refund", params: { order, amount_cents }, idempotency_key: `refund-${order}` },
    Effect.succeed({ refunded: true }),
  );

const agent = Effect.gen(function* () {
  const order = yield* findOrder("the shoes are too small");
  return yield* refund(order, 4990);
});

const program = Effect.gen(function* () {
  const run = { tenant_id: "shop", run_id: crypto.randomUUID() };
  yield* TracedRun.run({ ...run, agent_id: "support-agent" }, agent);
  const proofs = yield* RunProofCoordinator;
  const { integrity, lifecycle } = yield* proofs.getRunProof(run);
  console.log(integrity.verification_status, lifecycle, `${integrity.chain_length} steps`);
});

await Effect.runPromise(Effect.provide(program, RunproofLayer.fromEnvironment()));
