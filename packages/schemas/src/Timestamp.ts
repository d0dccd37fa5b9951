/** Times as records hold them: RFC 3339 in UTC with exactly six fraction digits. */
import * as Schema from "effect/Schema";

/** The form, with a digit for each 0. */
const FORM = "0000-00-00T00:00:00.000000Z";
const ZERO = 0x30;

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

const numberAt = (text: string, start: number, end: number): number => {
  let number = 0;
  for (let at = start; at < end; at++) number = number * 10 + text.charCodeAt(at) - ZERO;
  return number;
};

// Every record holds some, so this is done by hand: a regular expression takes four times as long.
const hasForm = (text: string): boolean => {
  if (text.length !== FORM.length) return false;
  for (let at = 0; at < FORM.length; at++) {
    const unit = text.charCodeAt(at);
    const isRight =
      FORM.charCodeAt(at) === ZERO
        ? unit >= ZERO && unit <= ZERO + 9
        : unit === FORM.charCodeAt(at);
    if (!isRight) return false;
  }
  return true;
};

/** Whether a text is a time such as `2026-02-10T12:43:41.549430Z`, on a date that exists. A leap second is not taken. */
export const isTimestamp = (text: string): boolean =>
  hasForm(text) &&
  isCalendarDate(numberAt(text, 0, 4), numberAt(text, 5, 7), numberAt(text, 8, 10)) &&
  numberAt(text, 11, 13) <= 23 &&
  numberAt(text, 14, 16) <= 59 &&
  numberAt(text, 17, 19) <= 59;

/** A time of a record. */
export const Timestamp = Schema.String.check(
  Schema.makeFilter((text: string) => isTimestamp(text), {
    message:
      "must be a real RFC 3339 time in UTC with exactly six fraction digits, such as 2026-02-10T12:43:41.549430Z",
  }),
);
