import * as Client from "@runproof/api/Client";
import * as Effect from "effect/Effect";
import * as FetchHttpClient from "effect/http/FetchHttpClient";

/** Records a run of one step, and answers its root. */
export const recordRefund = (service: Client.ClientSettings) =>
  Effect.gen(function* () {
    const { runs } = yield* Client.make(service);
    const { run_id } = yield* runs.start({ headers: {}, payload: { agent_id: "clerk" } });
    const steps = [{ skill_id: "refund", status: "success" as const, params: { order: 7 } }];
    yield* runs.append({ params: { run_id }, payload: { steps } });
    const { root_hash } = yield* runs.complete({ params: { run_id }, payload: {} });
    return root_hash;
  }).pipe(Effect.provide(FetchHttpClient.layer));
