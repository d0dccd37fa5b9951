/** What the health routes answer. */
import * as SchemaCoordinator from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import { Api } from "./Api.ts";
import { NotReady } from "./Health.ts";

/** The handlers of the health group. */
export const HealthHandlers = HttpApiBuilder.group(
  Api,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const coordinator = yield* SchemaCoordinator.SchemaCoordinator;
    return handlers.handleAll({
      live: () => Effect.succeed({ status: "live" as const }),
      ready: Effect.fnUntraced(function* () {
        const checks = yield* coordinator.doctor();
        const failed = checks.filter((check) => check.status === "fail");
        if (failed.length === 0) return { status: "ready" as const, checks };
        const detail = failed.map((check) => `${check.name}: ${check.detail}`).join("; ");
        return yield* new NotReady({ detail, checks });
      }),
    });
  }),
);
