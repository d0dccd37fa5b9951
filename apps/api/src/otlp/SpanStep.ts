/** What of a span is a step's: of each field the first that is there, current conventions before older ones. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { formatTimestamp } from "@runproof/proof/Timestamp";
import type { ReceivedSpan } from "@runproof/spine-coordinators/ingest/IngestCoordinator";
import type { Attributes, Span } from "./Span.ts";

const NAMES = {
  operation: [
    "gen_ai.operation.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "ai.operationId",
    "mastra.span.type",
  ],
  agent: [
    "gen_ai.agent.name",
    "gen_ai.agent.id",
    "ai.telemetry.functionId",
    "traceloop.entity.name",
  ],
  conversation: ["gen_ai.conversation.id", "session.id", "langfuse.session.id"],
  tool: ["gen_ai.tool.name", "ai.toolCall.name", "tool.name"],
  params: [
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "gen_ai.input.messages",
    "ai.prompt.messages",
    "ai.prompt",
    "traceloop.entity.input",
    "input.value",
  ],
  outcome: [
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "gen_ai.output.messages",
    "ai.response.text",
    "traceloop.entity.output",
    "output.value",
  ],
  cost: ["gen_ai.usage.cost", "llm.cost.total"],
} as const;

const first = (attributes: Attributes, names: ReadonlyArray<string>): JsonValue | undefined =>
  names.map((name) => attributes[name]).find((value) => value !== undefined);

const textAt = (attributes: Attributes, names: ReadonlyArray<string>): string | null => {
  const value = first(attributes, names);
  return typeof value === "string" && value !== ""
    ? value.toWellFormed().replaceAll("\u0000", "\ufffd")
    : null;
};

/** The resource's attribute that marks its runs as synthetic, and names their scenario. */
const SCENARIO = "runproof.synthetic_scenario_id";

/** Characters of an id of a record. */
const ID_CHARACTERS_MAX = 255;

const STATUS_ERROR = 2;
const CENTS = 100;

const timeOf = (nanos: bigint): string | null =>
  nanos === 0n ? null : formatTimestamp(nanos / 1000n);

/** The step that a span is. */
export const receivedSpan = (span: Span): ReceivedSpan => {
  const { attributes, resource, scope, events, links, name, start, end, ...rest } = span;
  const operation = textAt(attributes, NAMES.operation) ?? "span";
  const isError = span.status_code === STATUS_ERROR || attributes["gen_ai.tool.success"] === false;
  const cost = first(attributes, NAMES.cost);
  const params = first(attributes, NAMES.params);
  const outcome_data = first(attributes, NAMES.outcome);
  const {
    trace_id,
    span_id,
    parent_span_id,
    trace_state,
    kind,
    status_code,
    status_message,
    ...dropped
  } = rest;
  return {
    trace_id,
    span_id,
    parent_span_id,
    agent: textAt(attributes, NAMES.agent),
    service: textAt(resource, ["service.name"]),
    scenario: textAt(resource, [SCENARIO]),
    conversation_id:
      textAt(attributes, NAMES.conversation)?.slice(0, ID_CHARACTERS_MAX).toWellFormed() ?? null,
    draft: {
      intent_index: null,
      skill_id: textAt(attributes, NAMES.tool) ?? operation,
      skill_name: name === "" ? operation : name.toWellFormed().replaceAll("\u0000", "\ufffd"),
      source: "external",
      status: isError ? "failure" : "success",
      outcome_category: isError ? "PERMANENT" : "SUCCESS",
      outcome_code: isError ? textAt(attributes, ["error.type"]) : null,
      ...(params === undefined ? {} : { params }),
      ...(outcome_data === undefined ? {} : { outcome_data }),
      attributes: {
        span: {
          trace_id,
          span_id,
          parent_span_id,
          trace_state,
          kind,
          status: { code: status_code, message: status_message },
          start_time_unix_nano: String(start),
          end_time_unix_nano: String(end),
          ...dropped,
        },
        attributes,
        events,
        links,
        resource,
        scope,
      },
      cost_cents: typeof cost === "number" && cost >= 0 ? cost * CENTS : null,
      duration_ms: end > start && start > 0n ? Number(end - start) / 1e6 : null,
      started_at: timeOf(start),
      retry_count: 0,
      replay_behavior: "execute",
    },
  };
};
