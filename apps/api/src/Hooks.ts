/** The routes of coding agents' hooks: what an agent tells of its session, before and after each call of a tool. */
import { Identifier, RecordText } from "@runproof/schemas/Text";
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint";
import * as HttpApiGroup from "effect/http-api/HttpApiGroup";
import * as OpenApi from "effect/http-api/OpenApi";
import * as Schema from "effect/Schema";
import { Authorization } from "./Authorization.ts";
import { problems } from "./Problem.ts";

const { optionalKey } = Schema;

/**
 * A hook's event as Claude Code and Codex send it; what else it holds is not read. Source: the hooks reference of Claude Code
 * (code.claude.com/docs/en/hooks) and Codex's of the same form.
 */
export const HookEvent = Schema.Struct({
  hook_event_name: RecordText,
  session_id: Identifier,
  tool_name: optionalKey(Identifier),
  tool_use_id: optionalKey(Identifier),
  tool_input: optionalKey(Schema.Json),
  tool_response: optionalKey(Schema.Json),
  /** Why a tool failed. */
  error: optionalKey(Schema.Json),
  /** Why a session ended. */
  reason: optionalKey(RecordText),
  cwd: optionalKey(RecordText),
  permission_mode: optionalKey(RecordText),
  agent_id: optionalKey(RecordText),
  turn_id: optionalKey(Identifier),
}).annotate({ identifier: "HookEvent" });

/** `{}` lets the agent go on as it would without the hook; anything else keeps it from the call. */
export const HookAnswer = Schema.Struct({
  hookSpecificOutput: optionalKey(
    Schema.Struct({
      hookEventName: Schema.Literal("PreToolUse"),
      permissionDecision: Schema.Literal("deny"),
      permissionDecisionReason: Schema.String,
    }),
  ),
}).annotate({ identifier: "HookAnswer" });

/** `POST /v1/hooks/…`, one an agent. */
export const HooksGroup = HttpApiGroup.make("hooks")
  .add(
    HttpApiEndpoint.post("claudeCode", "/v1/hooks/claude-code", {
      query: { on_failure: optionalKey(Schema.Literals(["block", "allow"])) },
      payload: HookEvent,
      success: HookAnswer,
      error: problems,
    }).annotate(
      OpenApi.Summary,
      "Claude Code's hooks. With on_failure=block, as the hook's own setting says it, each call's intent is durable before it acts",
    ),
    HttpApiEndpoint.post("codex", "/v1/hooks/codex", {
      payload: HookEvent,
      success: HookAnswer,
      error: problems,
    }).annotate(OpenApi.Summary, "Codex's hooks, which let a call act where they fail"),
  )
  .middleware(Authorization);
