/** What the routes of events tell. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { EventCoordinator } from "@runproof/spine-coordinators/events/EventCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import { Api } from "./Api.ts";
import { Tenant } from "./Authorization.ts";
import { eventStream, noMoreEvents } from "./EventStream.ts";
import { answered } from "./Problem.ts";

/** The id of the event that a run's stream ends with. */
const SEALED = "sealed";

interface Asked {
  readonly headers: { readonly "last-event-id"?: string };
  readonly query: { readonly last_event_id?: string };
}

/** The header wins: a browser that reconnects asks for the same URL, and says there what came since. */
const lastOf = ({ headers, query }: Asked): string | undefined =>
  headers["last-event-id"] ?? query.last_event_id;

/** An id as the streams give them. */
const indexOf = (text: string): Effect.Effect<number, InvalidInput> => {
  const index = /^(?:-1|0|[1-9]\d{0,15})$/u.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(index)
    ? Effect.succeed(index)
    : Effect.fail(
        new InvalidInput({
          where: "Last-Event-ID",
          what: "it is no id of an event",
          remedy: "Give the id of the last event as it came, or leave it out.",
        }),
      );
};

/** The handlers of the events group. */
export const EventHandlers = HttpApiBuilder.group(Api, "events", (handlers) =>
  handlers.handleAll({
    runEvents: Effect.fnUntraced(function* ({ params: { run_id }, ...asked }) {
      const { tenant_id } = yield* Tenant;
      const { ofRun } = yield* EventCoordinator;
      const last = lastOf(asked);
      // Looked at before the stream begins, so that a run that is not there is no empty stream.
      const isOver = last === SEALED;
      const from = last === undefined || isOver ? 0 : (yield* indexOf(last)) + 1;
      yield* ofRun({ tenant_id, run_id, from });
      if (isOver) return noMoreEvents;
      return yield* eventStream(
        from,
        Effect.fnUntraced(function* (at) {
          const { steps, sealed } = yield* ofRun({ tenant_id, run_id, from: at });
          const told = steps.map(({ step_index, record }) => ({
            id: String(step_index),
            event: "step",
            data: record,
          }));
          const index = steps.at(-1)?.step_index ?? at - 1;
          return sealed === null
            ? { events: told, next: index + 1 }
            : { events: [...told, { id: SEALED, event: "sealed", data: sealed }], next: null };
        }),
        () => null,
      );
    }, answered),
    events: Effect.fnUntraced(function* (asked) {
      const { tenant_id } = yield* Tenant;
      const { end, ofTenant } = yield* EventCoordinator;
      const last = lastOf(asked);
      const from = last === undefined ? yield* end : yield* indexOf(last);
      return yield* eventStream(
        from,
        (after) =>
          Effect.map(ofTenant({ tenant_id, after }), ({ events, read_to }) => ({
            events: events.map(({ log_index, ...event }) => ({
              id: String(log_index),
              event: event.event,
              data: { log_index, ...event },
            })),
            next: read_to,
          })),
        (after) => ({ id: String(after) }),
      );
    }, answered),
  }),
);
