/** Points in time as people name them at a terminal. */

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Days back from the day that it is, in UTC as every time that is shown. */
const DAYS: Readonly<Record<string, number>> = { today: 0, yesterday: 1 };

/** How many milliseconds a duration such as `90s`, `15m`, `1h`, `2d` or `1w` takes; null where it is none. */
export const durationMs = (text: string): number | null => {
  const parts = /^(?<count>\d{1,6})(?<unit>[smhdw])$/u.exec(text)?.groups;
  return parts === undefined
    ? null
    : Number(parts["count"]) * UNITS_MS[parts["unit"] as keyof typeof UNITS_MS];
};

/**
 * The RFC 3339 time that a text names: a duration is so long before `now_ms`; `today`, `yesterday` and a date are their first
 * moment in UTC. A text that begins like a time comes back as it is, for who checks it; null where it is none of these.
 */
export const parse = (text: string, now_ms: number): string | null => {
  const back_ms = durationMs(text);
  if (back_ms !== null) return new Date(now_ms - back_ms).toISOString();
  if (text === "now") return new Date(now_ms).toISOString();
  const days = DAYS[text];
  if (days !== undefined) {
    const day = new Date(now_ms - days * UNITS_MS.d).toISOString().slice(0, 10);
    return `${day}T00:00:00Z`;
  }
  if (/^\d{4}-\d{2}-\d{2}$/u.test(text)) return `${text}T00:00:00Z`;
  return /^\d{4}-\d{2}-\d{2}T/u.test(text) ? text : null;
};
