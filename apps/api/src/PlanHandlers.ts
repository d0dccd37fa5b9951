/** Executes plans where the service's operator lets it. */
import { ReplayCoordinator } from "@runproof/spine-coordinators/replay/ReplayCoordinator";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import { freshJson } from "./Answer.ts";
import { Api } from "./Api.ts";
import { Tenant } from "./Authorization.ts";
import { ExecutesPlans } from "./Plans.ts";
import * as Problem from "./Problem.ts";

const NOT_HERE =
  "This service executes no plans: their calls would go out from its own network. Its operator may let it, with RUNPROOF_API_EXECUTES_PLANS=true.";

/** The handlers of the plans group. */
export const PlanHandlers = HttpApiBuilder.group(
  Api,
  "plans",
  Effect.fnUntraced(function* (handlers) {
    const executes = yield* ExecutesPlans;
    return handlers.handleAll({
      execute: Effect.fnUntraced(function* ({ payload, headers }) {
        if (!executes) return Problem.own("forbidden", NOT_HERE);
        const { tenant_id } = yield* Tenant;
        const { execute } = yield* RunCoordinator;
        const idempotency_key = headers["idempotency-key"];
        return yield* execute({ ...payload, tenant_id, idempotency_key });
      }, Problem.answered),
      replay: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
        if (!executes) return Problem.own("forbidden", NOT_HERE);
        const { tenant_id } = yield* Tenant;
        const report = yield* (yield* ReplayCoordinator).replay({ tenant_id, run_id, ...payload });
        return freshJson(JSON.stringify(report));
      }, Problem.answered),
    });
  }),
);
