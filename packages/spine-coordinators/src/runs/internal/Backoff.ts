/** When a failed attempt is made again. */
import type { SkillOutcome } from "../../skills/SkillsBridge.ts";

/** Further attempts where the plan names no `retries`: made only where repeating does nothing twice. */
export const DEFAULT_RETRIES = 2;

/** The wait before the first further attempt, doubled for each one after. */
const BACKOFF_BASE_MS = 200;

/** No wait of our own choice is longer: doubling would soon take hours. */
const BACKOFF_MS_MAX = 30_000;

/** The longest Retry-After that is waited for. Where more is asked, no further attempt is made: an earlier one would be rude. */
export const RETRY_AFTER_MS_MAX = 60_000;

/**
 * Whether an outcome is to be tried again. `retries` in a plan is its author's word that repeating is fine; without it
 * only what is safe to repeat is.
 */
export const mayRepeat = (
  outcome: SkillOutcome,
  attempt: number,
  retries: number | undefined,
): boolean =>
  outcome.outcome_category === "TRANSIENT" &&
  attempt < (retries ?? DEFAULT_RETRIES) &&
  (retries !== undefined || outcome.safe_to_repeat) &&
  (outcome.retry_after_ms ?? 0) <= RETRY_AFTER_MS_MAX;

/**
 * The wait before the next attempt: exponential, from half of it to all of it by `random` in [0, 1), so that clients
 * that failed together don't come back together; never less than the callee asked for.
 */
export const backoff_ms = (outcome: SkillOutcome, attempt: number, random: number): number =>
  Math.max(
    outcome.retry_after_ms ?? 0,
    Math.min(BACKOFF_MS_MAX, BACKOFF_BASE_MS * 2 ** attempt) * (0.5 + random / 2),
  );
