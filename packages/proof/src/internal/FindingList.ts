import { type Finding, type FindingCode, isHarmless } from "@runproof/schemas/Finding";
import type { Lifecycle } from "@runproof/schemas/SealRecord";

/** Most findings that are kept one by one; the rest are only counted. */
export const FINDINGS_MAX = 1000;

/** Findings, bounded however much is wrong. */
export class FindingList {
  #kept: Array<Finding> = [];
  #omittedCount = 0;

  add(code: FindingCode, step_index: number | null, message: string): void {
    if (this.#kept.length < FINDINGS_MAX) this.#kept.push({ code, step_index, message });
    else this.#omittedCount += 1;
  }

  /** Takes back what was found of some steps, where one finding says it better. */
  drop(isDropped: (finding: Finding) => boolean): void {
    this.#kept = this.#kept.filter((finding) => !isDropped(finding));
  }

  get kept(): ReadonlyArray<Finding> {
    return this.#kept;
  }

  /** Whether anything of these codes was found. Of what was omitted, the worse is assumed. */
  has(codes: ReadonlyArray<FindingCode>): boolean {
    return this.#omittedCount > 0 || this.#kept.some((finding) => codes.includes(finding.code));
  }

  get omittedCount(): number {
    return this.#omittedCount;
  }

  /** Whether anything found speaks against the evidence. Of what was omitted, the worse is assumed. */
  isHarmful(lifecycle: Lifecycle | null): boolean {
    return this.#omittedCount > 0 || this.#kept.some((finding) => !isHarmless(finding, lifecycle));
  }
}

/** Why a run FAILED, in one sentence: the first finding that speaks against it, and how many more there are. */
export const failureReason = (
  findings: ReadonlyArray<Finding>,
  omittedCount: number,
  lifecycle: Lifecycle | null,
): string | null => {
  const harmful = findings.filter((finding) => !isHarmless(finding, lifecycle));
  const moreCount = harmful.length - 1 + omittedCount;
  if (moreCount < 0) return null;
  const first = harmful[0]?.message ?? "there are more findings than are listed";
  return moreCount > 0
    ? `${first} (and ${moreCount} more ${moreCount === 1 ? "finding" : "findings"})`
    : first;
};
