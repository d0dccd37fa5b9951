/** Step records told quickly: the usual way of what is written and read by the million. Where it says no, others say why. */
import {
  levelOf,
  ReplayBehavior,
  type StepRecord,
  STEP_RECORD_TYPE,
  StepSource,
  StepStatus,
} from "@runproof/schemas/StepRecord";
import { isRecordText } from "@runproof/schemas/Text";
import { isTimestamp } from "@runproof/schemas/Timestamp";
import { plainText } from "./plainText.ts";

const COMMITMENT_FORM = /^sha256:[0-9a-f]{64}$/u;

const isText = (value: unknown): boolean => typeof value === "string" && isRecordText(value);
const isTextOrNull = (value: unknown): boolean => value === null || isText(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isCountOrNull = (value: unknown): boolean => value === null || isCount(value);
const isAmountOrNull = (value: unknown): boolean =>
  value === null || (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER);
const isCommitmentOrNull = (value: unknown): boolean =>
  value === null || (typeof value === "string" && COMMITMENT_FORM.test(value));
const isTime = (value: unknown): boolean => typeof value === "string" && isTimestamp(value);

const STATUSES: ReadonlyArray<string> = StepStatus.literals;
const SOURCES: ReadonlyArray<string> = StepSource.literals;
const BEHAVIORS: ReadonlyArray<string> = ReplayBehavior.literals;

/**
 * Whether the schema takes a record, told quickly: the schema itself takes a hundred times as long, and is asked for its
 * reasons where this says no.
 */
export const isQuicklyValid = (record: StepRecord): boolean =>
  isText(record.trace_id) &&
  record.trace_id.length > 0 &&
  record.trace_id.length <= 255 &&
  isCount(record.step_index) &&
  isCountOrNull(record.parent_step_index) &&
  (record.parent_step_index === null || record.parent_step_index < record.step_index) &&
  isCountOrNull(record.intent_index) &&
  isText(record.skill_id) &&
  isText(record.skill_name) &&
  SOURCES.includes(record.source) &&
  STATUSES.includes(record.status) &&
  record.level === levelOf(record.status) &&
  isText(record.outcome_category) &&
  isTextOrNull(record.outcome_code) &&
  isCommitmentOrNull(record.params) &&
  isCommitmentOrNull(record.outcome_data) &&
  isCommitmentOrNull(record.attributes) &&
  isAmountOrNull(record.cost_cents) &&
  isAmountOrNull(record.duration_ms) &&
  (record.started_at === null || isTime(record.started_at)) &&
  isCount(record.retry_count) &&
  BEHAVIORS.includes(record.replay_behavior) &&
  isTextOrNull(record.idempotency_key) &&
  isTime(record.timestamp) &&
  typeof record.is_synthetic === "boolean" &&
  isTextOrNull(record.synthetic_scenario_id);

/**
 * The record that a row's columns say, where the row's text is that record's canonical text to the letter: then there is
 * nothing to parse, and no column that differs. Undefined says nothing of either.
 */
export const recordInColumns = (
  text: string,
  columns: Readonly<Record<string, unknown>>,
): StepRecord | undefined => {
  const said = columns as unknown as StepRecord;
  // In the order of canonical text.
  const record: StepRecord = {
    attributes: said.attributes,
    cost_cents: said.cost_cents,
    duration_ms: said.duration_ms,
    idempotency_key: said.idempotency_key,
    intent_index: said.intent_index,
    is_synthetic: said.is_synthetic,
    level: said.level,
    outcome_category: said.outcome_category,
    outcome_code: said.outcome_code,
    outcome_data: said.outcome_data,
    params: said.params,
    parent_step_index: said.parent_step_index,
    replay_behavior: said.replay_behavior,
    retry_count: said.retry_count,
    skill_id: said.skill_id,
    skill_name: said.skill_name,
    source: said.source,
    started_at: said.started_at,
    status: said.status,
    step_index: said.step_index,
    synthetic_scenario_id: said.synthetic_scenario_id,
    timestamp: said.timestamp,
    trace_id: said.trace_id,
    type: STEP_RECORD_TYPE,
  };
  return isQuicklyValid(record) && plainText(record, 1, "refuse") === text ? record : undefined;
};
