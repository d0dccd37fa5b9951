/**
 * The predecessor's root, `aos-v0`, kept so that its published values can be checked. It covers neither parameters nor
 * outcomes and is compared with nothing, so it never makes a verdict.
 */
import { createHash } from "node:crypto";

/** What the legacy root covers of a step, beside its place among those that are no intents. */
export interface LegacyStep {
  readonly skill_name: string;
  readonly status: string;
}

/** The legacy root over steps that come one by one. */
export class LegacyRootHasher {
  readonly #hash = createHash("sha256");
  #count = 0;

  constructor(runId: string) {
    this.#hash.update(runId, "utf8");
  }

  /** Adds a step. An intent is left out: the predecessor had none. */
  append(step: LegacyStep): void {
    if (step.status === "intended") return;
    this.#hash.update(`${this.#count}:${step.skill_name}:${step.status}`, "utf8");
    this.#count += 1;
  }

  /** The root of the steps so far, in hex. */
  root(): string {
    return this.#hash.copy().digest("hex");
  }
}

/** H( run_id || "0:skill_name:status" || "1:skill_name:status" || … ), intents left out. */
export const legacyRoot = (runId: string, steps: Iterable<LegacyStep>): string => {
  const hasher = new LegacyRootHasher(runId);
  for (const step of steps) hasher.append(step);
  return hasher.root();
};
