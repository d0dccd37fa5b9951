/** Limits of what is written, each with its reason. The migrations hold the same where the database must refuse more. */

/** The longest lease: an hour after its process died, a run must no longer look alive. */
export const LEASE_MS_MAX = 3_600_000;

/**
 * An open trace puts its head in the log when this many steps came since the last, so that a cut tail shows:
 * few enough to lose little, many enough that the log stays small beside the steps.
 */
export const HEAD_EVERY_STEPS = 1000;

/** And when this long passed since the last, at its next step: a slow agent's run is covered within a minute. */
export const HEAD_EVERY_MS = 60_000;

/** Most log entries numbered in one transaction: some hundred milliseconds of holding the log's lock. */
export const SEQUENCE_BATCH = 5000;

/** Most steps of one call: an array parameter stays far below PostgreSQL's one gigabyte. */
export const STEPS_AT_ONCE_MAX = 10_000;

/** The longest note of a checkpoint: a few lines and the signatures of more witnesses than a log has. */
export const NOTE_BYTES_MAX = 65_536;
