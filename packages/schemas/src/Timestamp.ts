/** Times as records hold them: RFC 3339 in UTC with exactly six fraction digits. */
import * as Schema from "effect/Schema";

const FORM = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\.\d{6}Z$/u;

/** Whether a year, month and day are on the Gregorian calendar. There is no year 0: PostgreSQL can't hold one. */
export const isCalendarDate = (year: number, month: number, day: number): boolean => {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const daysMax =
    month === 2
      ? isLeap
        ? 29
        : 28
      : month === 4 || month === 6 || month === 9 || month === 11
        ? 30
        : 31;
  return day <= daysMax;
};

/** Whether a text is a time such as `2026-02-10T12:43:41.549430Z`, on a date that exists. A leap second is not taken. */
export const isTimestamp = (text: string): boolean => {
  const parts = FORM.exec(text);
  if (parts === null) return false;
  const [, year, month, day, hour, minute, second] = parts.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return isCalendarDate(year, month, day) && hour <= 23 && minute <= 59 && second <= 59;
};

/** A time of a record. */
export const Timestamp = Schema.String.check(
  Schema.makeFilter((text: string) => isTimestamp(text), {
    message:
      "must be a real RFC 3339 time in UTC with exactly six fraction digits, such as 2026-02-10T12:43:41.549430Z",
  }),
);
