/**
 * The predecessor's root, `aos-v0`, kept so that its published values can be checked. It covers neither parameters nor
 * outcomes and is compared with nothing, so it never makes a verdict.
 */
import { createHash } from "node:crypto";

/** What the legacy root covers of a step. */
export interface LegacyStep {
  readonly step_index: number;
  readonly skill_name: string;
  readonly status: string;
}

/** The legacy root over steps that come one by one. */
export class LegacyRootHasher {
  readonly #hash = createHash("sha256");

  constructor(runId: string) {
    this.#hash.update(runId, "utf8");
  }

  append(step: LegacyStep): void {
    this.#hash.update(`${step.step_index}:${step.skill_name}:${step.status}`, "utf8");
  }

  /** The root of the steps so far, in hex. */
  root(): string {
    return this.#hash.copy().digest("hex");
  }
}

/** H( run_id || "0:skill_name:status" || "1:skill_name:status" || … ). */
export const legacyRoot = (runId: string, steps: Iterable<LegacyStep>): string => {
  const hasher = new LegacyRootHasher(runId);
  for (const step of steps) hasher.append(step);
  return hasher.root();
};
