/** Reads the product's own format: one JSON object a line, of type `run`, `step` or `end`. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { type SourceEvent, SourceInvalid } from "./SourceEvent.ts";

/** Keys of a `run` line that go into the trace record as they are. */
const RUN_FIELDS = [
  "agent_id",
  "origin_system_id",
  "correlation_id",
  "incident_id",
  "replay_of",
  "seed",
  "frozen_timestamp",
  "is_synthetic",
  "synthetic_scenario_id",
  "redaction",
];

/** Keys of a `step` line that go into the step record as they are. */
const STEP_FIELDS = [
  "skill_id",
  "skill_name",
  "status",
  "outcome_category",
  "outcome_code",
  "cost_cents",
  "duration_ms",
  "started_at",
  "retry_count",
  "replay_behavior",
  "idempotency_key",
  "parent_step_index",
];

const KEYS: Readonly<Record<string, ReadonlyArray<string>>> = {
  run: ["run_id", "started_at", "goal", "plan", "attributes", ...RUN_FIELDS],
  step: ["step_index", "params", "outcome_data", "attributes", ...STEP_FIELDS],
  end: ["status", "reason", "completed_at", "metadata"],
};

/** The event that a line says. Throws `SourceInvalid` for a key or a type that the format does not have. */
export const ndjsonEvent = (line: JsonValue): SourceEvent => {
  if (typeof line !== "object" || line === null || Array.isArray(line)) {
    throw new SourceInvalid("$", "must be a JSON object", "Write one object a line.");
  }
  const object = line as JsonObject;
  const { type } = object;
  const keys = typeof type === "string" && Object.hasOwn(KEYS, type) ? KEYS[type] : undefined;
  if (keys === undefined || typeof type !== "string") {
    throw new SourceInvalid("$.type", 'must be "run", "step" or "end"', "Say what the line is.");
  }
  const stranger = Object.keys(object).find((key) => key !== "type" && !keys.includes(key));
  if (stranger !== undefined) {
    throw new SourceInvalid(
      `$[${JSON.stringify(stranger)}]`,
      `a ${type} line has no such key`,
      "Put what the format has no key for into attributes.",
    );
  }
  return eventOf(type, object);
};

const eventOf = (type: string, line: JsonObject): SourceEvent => {
  if (type === "run") {
    const { run_id, started_at, goal, plan, attributes } = line;
    if (started_at === undefined) {
      throw new SourceInvalid("$.started_at", "is missing", "Say when the run began.");
    }
    const fields = pick(line, RUN_FIELDS);
    return { event: "run", run_id, content: undefined, started_at, goal, plan, attributes, fields };
  }
  if (type === "step") {
    const { step_index, params, outcome_data, attributes } = line;
    const fields = pick(line, STEP_FIELDS);
    return { event: "step", step_index, params, outcome_data, attributes, fields };
  }
  const { status = null, reason = null, completed_at = null, metadata } = line;
  const ended = { event: "end" as const, status, completed_at, metadata, import_notes: {} };
  // What is no text at all is for the record's schema to refuse.
  return typeof reason !== "string" || reason === ""
    ? { ...ended, reason }
    : { ...ended, reason: "the source says why", detail: reason };
};

const pick = (line: JsonObject, keys: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(line).filter(([key]) => keys.includes(key)));
