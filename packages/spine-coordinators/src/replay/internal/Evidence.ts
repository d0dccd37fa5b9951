/** A run's evidence as it was verified, in memory: its steps put together as acts, with their payloads. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { canonicalize, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { type Act, type ComparedPayload, PAYLOAD_GONE } from "@runproof/proof/Parity";
import { InvalidInput, RunNotFound } from "@runproof/schemas/RunProofError";
import { REASON_NO_TRACE } from "@runproof/schemas/RunProofResult";
import * as Effect from "effect/Effect";
import type {
  RunProofCoordinator,
  RunReference,
  RunVerdict,
} from "../../proof/RunProofCoordinator.ts";

/** Most steps of a run that is held in memory: ten times those of the longest plan. */
export const EVIDENCE_STEPS_MAX = 100_000;

/** Most characters of payloads of a run that is held in memory: two such runs fit a small machine. */
export const EVIDENCE_CHARACTERS_MAX = 64 * 1024 * 1024;

/** An act with what its records say beside what is compared. */
export interface RecordedAct extends Act {
  readonly skill_name: string;
  readonly replay_behavior: string;
  readonly attributes: JsonValue | typeof PAYLOAD_GONE | undefined;
}

/** A run that was verified from the very rows that it gives. */
export interface Evidence {
  readonly verdict: RunVerdict;
  /** The trace's columns; null where nothing of them is stored. */
  readonly trace: JsonObject | null;
  readonly plan: JsonValue | undefined;
  readonly acts: ReadonlyArray<RecordedAct>;
  readonly step_count: number;
}

/** Reads a run while it is verified, so that nothing comes between. What the rows say counts only as far as the verdict goes. */
export const readEvidence = Effect.fnUntraced(function* (
  proofs: RunProofCoordinator["Service"],
  run: RunReference,
) {
  const steps: Array<JsonObject> = [];
  const payloads = new Map<string, string>();
  const found: { trace: JsonObject | null } = { trace: null };
  let step_count = 0;
  let characters = 0;
  const verdict = yield* proofs.judge({ ...run, include_payloads: true }, (part, rows) =>
    Effect.sync(() => {
      if (part === "aos_traces") found.trace = rows[0] ?? null;
      if (part === "aos_trace_steps") {
        step_count += rows.length;
        if (step_count <= EVIDENCE_STEPS_MAX) steps.push(...rows);
      }
      if (part !== "raw_logs") return;
      for (const { of, name, value, text } of rows) {
        const written = value === undefined ? wordOf(text) : canonicalize(value, PARSED_LIMITS);
        characters += written.length;
        if (characters <= EVIDENCE_CHARACTERS_MAX)
          payloads.set(`${wordOf(of)}:${wordOf(name)}`, written);
      }
    }),
  );
  const { is_stored, integrity } = verdict;
  if (!is_stored && integrity.failure_reason === REASON_NO_TRACE)
    return yield* new RunNotFound(run);
  if (step_count > EVIDENCE_STEPS_MAX || characters > EVIDENCE_CHARACTERS_MAX) {
    return yield* new InvalidInput({
      where: `run ${run.run_id}`,
      what: `it has ${step_count} steps and ${characters} characters of payloads, more than the ${EVIDENCE_STEPS_MAX} and ${EVIDENCE_CHARACTERS_MAX} that are compared`,
      remedy: "Compare or replay a shorter run.",
    });
  }
  const { trace } = found;
  const plan = payloads.get("trace:plan");
  return {
    verdict,
    trace,
    plan: plan === undefined ? undefined : parseCanonical(plan),
    acts: actsOf(steps, payloads),
    step_count,
  } satisfies Evidence;
});

/** Steps as acts: an intent with the outcome that answers it is one, at the intent's place. */
export const actsOf = (
  rows: ReadonlyArray<JsonObject>,
  payloads: ReadonlyMap<string, string>,
): ReadonlyArray<RecordedAct> => {
  const steps = rows.map((row): JsonObject => {
    const record = parseCanonical(wordOf(row["record"]));
    const isRecord = typeof record === "object" && record !== null && !Array.isArray(record);
    return isRecord ? (record as JsonObject) : row;
  });
  const intents = new Set(
    steps.flatMap((step) => (step["status"] === "intended" ? [step["step_index"]] : [])),
  );
  const answers = new Map(steps.map((step) => [step["intent_index"] ?? null, step] as const));
  return steps.flatMap((step): ReadonlyArray<RecordedAct> => {
    const answered = step["intent_index"] ?? null;
    // An answer is told with its intent, if that is there.
    if (answered !== null && intents.has(answered) && answers.get(answered) === step) return [];
    const isIntent = step["status"] === "intended";
    const last = (isIntent ? answers.get(step["step_index"] ?? null) : undefined) ?? step;
    return [actOf(step, last, payloads)];
  });
};

const actOf = (
  first: JsonObject,
  last: JsonObject,
  payloads: ReadonlyMap<string, string>,
): RecordedAct => {
  const payload = (step: JsonObject, name: string): ComparedPayload =>
    (step[name] ?? null) === null
      ? null
      : (payloads.get(`step ${wordOf(step["step_index"])}:${name}`) ?? PAYLOAD_GONE);
  const attributes = payload(first, "attributes");
  return {
    step_index: Number(first["step_index"]),
    skill_id: wordOf(first["skill_id"]),
    skill_name: wordOf(first["skill_name"]),
    status: wordOf(last["status"]),
    retry_count: Number(last["retry_count"]),
    replay_behavior: wordOf(first["replay_behavior"]),
    params: payload(first, "params"),
    outcome_category: wordOf(last["outcome_category"]),
    outcome_code: textOf(last["outcome_code"]),
    outcome_data: payload(last, "outcome_data"),
    cost_cents: numberOf(last["cost_cents"]),
    duration_ms: numberOf(last["duration_ms"]),
    attributes:
      typeof attributes === "string" ? parseCanonical(attributes) : (attributes ?? undefined),
  };
};

/** A text as it is, and anything else as its JSON. */
export const wordOf = (value: JsonValue | undefined): string =>
  typeof value === "string" ? value : JSON.stringify(value ?? null);

const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === "string" ? value : null;

const numberOf = (value: JsonValue | undefined): number | null =>
  typeof value === "number" ? value : null;
