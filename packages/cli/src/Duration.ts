/** Times and durations as people read them. */

/** A duration in three significant figures: `0.4 ms`, `120 ms`, `1.24 s`, `2 m 05 s`. */
export const format = (duration_ms: number): string => {
  if (duration_ms < 10 && !Number.isInteger(duration_ms)) return `${duration_ms.toFixed(1)} ms`;
  if (duration_ms < 1000) return `${Math.round(duration_ms)} ms`;
  if (duration_ms < 60_000)
    return `${(duration_ms / 1000).toFixed(duration_ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(duration_ms / 1000);
  if (seconds < 3600)
    return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
};

/** Milliseconds since the epoch of an RFC 3339 time, its microseconds kept as a fraction; null where it is none. */
export const epochMs = (time: string): number | null => {
  const parts = /^(?<seconds>.+:\d\d)(?:\.(?<fraction>\d+))?(?<zone>Z|[+-]\d\d:\d\d)$/u.exec(
    time,
  )?.groups;
  const whole = Date.parse(`${parts?.["seconds"]}${parts?.["zone"]}`);
  if (parts === undefined || Number.isNaN(whole)) return null;
  return whole + Number(`0.${parts["fraction"] ?? "0"}`) * 1000;
};

/** An RFC 3339 time in UTC to the millisecond: `2026-02-10 12:43:41.549`. A text that is no time comes back as it is. */
export const clock = (time: string): string => {
  const at = epochMs(time);
  return at === null ? time : new Date(at).toISOString().replace("T", " ").replace("Z", "");
};
