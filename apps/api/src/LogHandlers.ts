/** What the routes of the log answer. */
import { LogEntryNotFound } from "@runproof/schemas/RunProofError";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import { Api } from "./Api.ts";
import { freshJson } from "./Answer.ts";
import { Tenant } from "./Authorization.ts";
import { answered } from "./Problem.ts";

const checkpoint = Effect.gen(function* () {
  const note = yield* (yield* LogCoordinator).latest;
  if (note !== null) return note;
  return yield* new LogEntryNotFound({
    what: "the log has no checkpoint yet",
    remedy: "Whoever holds the log's key signs one with `runproof checkpoint`.",
  });
});

/** The handlers of the publishedLog group. */
export const PublishedLogHandlers = HttpApiBuilder.group(Api, "publishedLog", (handlers) =>
  handlers.handleAll({
    publishedCheckpoint: () =>
      answered(
        Effect.map(checkpoint, (note) =>
          HttpServerResponse.text(note, { headers: { "cache-control": "no-cache" } }),
        ),
      ),
  }),
);

/** The handlers of the log group. */
export const LogHandlers = HttpApiBuilder.group(Api, "log", (handlers) =>
  handlers.handleAll({
    checkpoint: () => answered(checkpoint),
    inclusion: Effect.fnUntraced(function* ({ query: { run_id, entry = "sealed" } }) {
      const { tenant_id } = yield* Tenant;
      const { proveInclusion } = yield* LogCoordinator;
      return freshJson(JSON.stringify(yield* proveInclusion({ tenant_id, run_id, entry })));
    }, answered),
    consistency: Effect.fnUntraced(function* ({ query: { from, to } }) {
      const { proveConsistency } = yield* LogCoordinator;
      const trees = { from: { size: from }, ...(to === undefined ? {} : { to: { size: to } }) };
      return freshJson(JSON.stringify(yield* proveConsistency(trees)));
    }, answered),
  }),
);
