/** What the health routes answer. */
import * as SchemaCoordinator from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import { Api } from "./Api.ts";
import { NotReady } from "./Health.ts";

/** Whoever asks within this time after another is answered as that one was: a probe must not load the database. */
const ANSWER_HOLDS = Duration.seconds(1);

/** Looks at what the service needs, and tells its operator of what fails. */
const examine = Effect.gen(function* () {
  const coordinator = yield* SchemaCoordinator.SchemaCoordinator;
  const found = yield* coordinator.doctor();
  for (const { name, status, detail, remedy } of found) {
    if (status === "fail") yield* Effect.logError(`not ready: ${name}: ${detail}; ${remedy}`);
  }
  return found.map(({ name, status }) => ({ name, status }));
});

/** The handlers of the health group. */
export const HealthHandlers = HttpApiBuilder.group(
  Api,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context<SchemaCoordinator.SchemaCoordinator>();
    const examined = yield* Effect.cachedWithTTL(
      Effect.provideContext(examine, context),
      ANSWER_HOLDS,
    );
    return handlers.handleAll({
      live: () => Effect.succeed({ status: "live" as const }),
      ready: Effect.fnUntraced(function* () {
        const checks = yield* examined;
        const failed = checks.filter((check) => check.status === "fail");
        if (failed.length === 0) return { status: "ready" as const, checks };
        const names = failed.map(({ name }) => name).join(", ");
        const detail = `not as it must be: ${names}; the service's log says why`;
        return yield* new NotReady({ detail, checks });
      }),
    });
  }),
);
