import type { StepRecord } from "@runproof/schemas/StepRecord";

/** Keeps account of which intents wait for an outcome, in memory that grows with those only. */
export class IntentBook {
  readonly #open = new Map<number, Pick<StepRecord, "skill_id" | "skill_name">>();

  /** Takes in the next step; gives what is wrong with the intent that it names, or null. */
  add(record: StepRecord): string | null {
    const { step_index, status, intent_index, skill_id, skill_name } = record;
    if (status === "intended") {
      this.#open.set(step_index, { skill_id, skill_name });
      return null;
    }
    if (intent_index === null) return null;
    const intent = this.#open.get(intent_index);
    if (intent === undefined) {
      return `it answers step ${intent_index}, which is no earlier intent without an answer`;
    }
    this.#open.delete(intent_index);
    return intent.skill_id === skill_id && intent.skill_name === skill_name
      ? null
      : `it answers step ${intent_index}, which is an intent of another skill`;
  }

  /** The intents that nothing answered, in order. */
  get open(): ReadonlyArray<{ readonly step_index: number; readonly skill_id: string }> {
    return [...this.#open].map(([step_index, { skill_id }]) => ({ step_index, skill_id }));
  }
}
