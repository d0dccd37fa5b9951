/** What a run did, act by act: a step, or an intent with the outcome that answers it. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import type {
  ShownPayload,
  ShownStep,
  ShownTrace,
} from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as Call from "./Call.ts";
import { printable, type Screen, tone } from "./Screen.ts";
import type * as Timeline from "./Timeline.ts";

/** A stored record, by its keys. */
export type StoredRecord = ShownTrace["trace"];

/** A field of a stored record as text. One that is not the text it should be is shown as it is stored. */
export const textOf = (record: StoredRecord, key: string): string | null => {
  const value = record[key] ?? null;
  return value === null || typeof value === "string" ? value : JSON.stringify(value);
};

const numberOf = (record: StoredRecord, key: string): number | null => {
  const value = record[key];
  return typeof value === "number" ? value : null;
};

/** What is drawn of a step: its payloads may be large, and are not kept. */
export interface DrawnStep extends Omit<Timeline.TimelineStep, "step_index" | "label"> {
  readonly step_index: number | null;
  readonly intent_index: number | null;
}

/** Takes of a stored step what is drawn of it. */
export const drawnStep = ({ record, payloads: { params } }: ShownStep): DrawnStep => ({
  step_index: numberOf(record, "step_index"),
  intent_index: numberOf(record, "intent_index"),
  parent_step_index: numberOf(record, "parent_step_index"),
  skill_name: textOf(record, "skill_name") ?? "?",
  call:
    params.state === "present"
      ? Call.describeRecorded(
          textOf(record, "skill_id") ?? "",
          textOf(record, "skill_name") ?? "?",
          params.value,
        )
      : null,
  status: textOf(record, "status") ?? "?",
  outcome_code: textOf(record, "outcome_code"),
  started_at: textOf(record, "started_at"),
  duration_ms: numberOf(record, "duration_ms"),
  cost_cents: numberOf(record, "cost_cents"),
});

/** What is drawn in one line: a step, an intent with the outcome that answers it, or an intent that nothing answers. */
export interface Act<Step extends DrawnStep = DrawnStep> {
  /** What was to be done. */
  readonly first: Step;
  /** What came of it; the same step where there is no intent, null where nothing is recorded. */
  readonly last: Step | null;
}

/** The acts that steps come to, in their order. */
export const actsOf = <Step extends DrawnStep>(
  steps: ReadonlyArray<Step>,
): ReadonlyArray<Act<Step>> => {
  const intents = new Set(
    steps.flatMap(({ status, step_index }) => (status === "intended" ? [step_index] : [])),
  );
  const answers = new Map(steps.map((step) => [step.intent_index, step] as const));
  return steps.flatMap((step): ReadonlyArray<Act<Step>> => {
    if (step.status === "intended") {
      return [{ first: step, last: answers.get(step.step_index) ?? null }];
    }
    const intent = step.intent_index;
    // An answer is drawn with its intent, if that is there.
    return intent !== null && intents.has(intent) && answers.get(intent) === step
      ? []
      : [{ first: step, last: step }];
  });
};

/** What the timeline draws of an act. An intent without an outcome says what is not known of it. */
export const timelineStep = (
  { first, last }: Act,
  position: number,
  isOpen: boolean,
): Timeline.TimelineStep => {
  const step_index = first.step_index ?? position;
  const answered = last?.step_index ?? null;
  const { outcome_code, started_at, duration_ms, cost_cents } = last ?? first;
  return {
    step_index,
    label:
      answered === null || answered === step_index ? `${step_index}` : `${step_index}-${answered}`,
    parent_step_index: first.parent_step_index,
    skill_name: first.skill_name,
    call: first.call,
    status: last?.status ?? (isOpen ? "under way" : "outcome unknown"),
    outcome_code,
    started_at,
    duration_ms,
    cost_cents,
  };
};

/** Whether an act failed, or nothing says that it did not. */
export const isFailed = ({ last }: Act): boolean =>
  last === null || last.status === "failure" || last.status === "retry";

/** Whether a step is part of an act, as its intent or as its outcome. */
export const holds = ({ first, last }: Act, step_index: number): boolean =>
  first.step_index === step_index || last?.step_index === step_index;

/** A step with all that is stored of it. */
export interface WholeStep extends DrawnStep {
  readonly stored: ShownStep;
}

const payloadLines = (payload: ShownPayload): ReadonlyArray<string> =>
  payload.state === "present"
    ? JSON.stringify(payload.value satisfies JsonValue, null, 2)
        .split("\n")
        .map(printable)
    : [`(${payload.state})`];

const LABEL_CELLS = 9;

const labelled = (label: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line, at) => `   ${(at === 0 ? label : "").padEnd(LABEL_CELLS)}${line}`);

/** An act's payloads, whole: what was asked for, what was answered, and what is noted beside them. */
export const renderPayloads = (screen: Screen, { first, last }: Act<WholeStep>): string => {
  const { params, attributes } = first.stored.payloads;
  const title = `#${first.step_index ?? "?"} ${printable(first.call ?? first.skill_name)}`;
  const noted = [
    attributes,
    ...(last === null || last === first ? [] : [last.stored.payloads.attributes]),
  ];
  return [
    tone(screen, "strong", title),
    ...labelled("params", payloadLines(params)),
    ...labelled(
      "answer",
      last === null ? ["(nothing is recorded)"] : payloadLines(last.stored.payloads.outcome_data),
    ),
    ...noted.flatMap((payload) =>
      payload.state === "absent" ? [] : labelled("notes", payloadLines(payload)),
    ),
  ].join("\n");
};

/** An act's records, field by field, for who asks for one step. */
export const renderRecords = (screen: Screen, { first, last }: Act<WholeStep>): string =>
  (last === null || last === first ? [first] : [first, last])
    .map(({ stored: { record } }) => {
      const fields = Object.entries(record).filter(([, value]) => value !== null);
      const widest = Math.max(...fields.map(([name]) => name.length));
      return fields
        .map(
          ([name, value]) =>
            `${tone(screen, "quiet", name.padEnd(widest))}  ${printable(typeof value === "string" ? value : JSON.stringify(value))}`,
        )
        .join("\n");
    })
    .join("\n\n");
