/** Takes what coding agents' hooks tell. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import { recordInvalidFrom } from "@runproof/proof/RecordInvalid";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import {
  HookCoordinator,
  type HookedCall,
  type HookedSession,
} from "@runproof/spine-coordinators/ingest/HookCoordinator";
import * as Effect from "effect/Effect";
import type * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { Api } from "./Api.ts";
import { Tenant } from "./Authorization.ts";
import { type HookAnswer, HookEvent } from "./Hooks.ts";
import { answered } from "./Problem.ts";

type Event = typeof HookEvent.Type;
type Answer = typeof HookAnswer.Type;

/** Which events end a session's run. Codex tells of no session's end, and of each turn's. */
const ENDS: Readonly<Record<string, string>> = { "claude-code": "SessionEnd", codex: "Stop" };

const decode = Schema.decodeUnknownResult(HookEvent);

/** A value whose texts are Unicode: half a character, as a tool's output may be cut to, is shown as what it is. */
const wellFormed = (value: JsonValue): JsonValue => {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]),
  );
};

/** The event of a body. What a tool answered is told as near as a record can: numbers that no double holds by their digits. */
const eventOf = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  // It was read strictly before it came here.
  const text = yield* Effect.orElseSucceed(request.text, () => "");
  const decoded = decode(text === "" ? null : wellFormed(parseJson(text, { keeps_inexact: true })));
  if (Result.isSuccess(decoded)) return decoded.success;
  const remedy = "Send the hook's event as the agent gives it.";
  const { what, path: where } = recordInvalidFrom(decoded.failure.issue, remedy);
  return yield* new InvalidInput({ what, where, remedy });
});

const callOf = Effect.fnUntraced(function* (event: Event) {
  const { tool_name, tool_use_id, tool_input, cwd, permission_mode, agent_id } = event;
  for (const [where, value] of Object.entries({ tool_name, tool_use_id })) {
    if (value !== undefined) continue;
    const what = `an event ${event.hook_event_name} names the tool and its call`;
    const remedy = "Send the hook's event as the agent gives it.";
    return yield* new InvalidInput({ what, where, remedy });
  }
  const said = { cwd, permission_mode, subagent: agent_id };
  return {
    call_id: tool_use_id!,
    tool: tool_name!,
    input: tool_input ?? null,
    attributes: Object.fromEntries(
      Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
  } satisfies HookedCall;
});

const NOTHING: Answer = {};

const denied = (reason: string): Answer => ({
  hookSpecificOutput: {
    hookEventName: "PreToolUse",
    permissionDecision: "deny",
    permissionDecisionReason: `runproof: ${reason}`,
  },
});

const receive = Effect.fnUntraced(function* (
  agent: "claude-code" | "codex",
  capture: HookedSession["capture"],
  event: Event,
) {
  const { tenant_id } = yield* Tenant;
  const hooks = yield* HookCoordinator;
  const { session_id, turn_id, tool_response, error, reason } = event;
  // A turn is a run where turns are all that ends.
  const named = turn_id === undefined ? session_id : `${session_id}/${turn_id}`;
  const session = { tenant_id, agent, capture, session_id: named };
  switch (event.hook_event_name) {
    case "PreToolUse": {
      const blocked = yield* hooks.before(session, yield* callOf(event));
      return blocked === null ? NOTHING : denied(blocked);
    }
    case "PostToolUse": {
      const output = tool_response;
      yield* hooks.after(session, yield* callOf(event), { status: "success", output });
      return NOTHING;
    }
    case "PostToolUseFailure": {
      const output = error ?? tool_response;
      yield* hooks.after(session, yield* callOf(event), { status: "failure", output });
      return NOTHING;
    }
    case ENDS[agent]:
      yield* hooks.end(session, reason ?? null);
      return NOTHING;
    default:
      yield* hooks.alive(session);
      return NOTHING;
  }
});

/** The handlers of the hooks group. */
export const HookHandlers = HttpApiBuilder.group(Api, "hooks", (handlers) =>
  handlers
    .handleRaw("claudeCode", ({ request, query: { on_failure } }) =>
      answered(
        Effect.flatMap(eventOf(request), (event) =>
          receive("claude-code", on_failure === "block" ? "gated" : "inline", event),
        ),
      ),
    )
    .handleRaw("codex", ({ request }) =>
      answered(Effect.flatMap(eventOf(request), (event) => receive("codex", "inline", event))),
    ),
);
