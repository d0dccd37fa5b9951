/**
 * Times as records hold them, and their whole microseconds since 1970. A Date keeps milliseconds only, so none is used
 * for anything below a second.
 */
import { isCalendarDate, isTimestamp } from "@runproof/schemas/Timestamp";
import { Refusal } from "./Refusal.ts";

const MICROS_PER_SECOND = 1_000_000n;
const MS_PER_SECOND = 1000;
const SECONDS_PER_MINUTE = 60;
const FRACTION_DIGITS = 6;

/** A time that can't be held exactly, or is none. */
export class TimestampInvalid extends Refusal {
  readonly _tag = "TimestampInvalid";
}

const refuse = (what: string, remedy: string): never => {
  throw new TimestampInvalid("time", what, remedy);
};

const EARLIEST_MICROS = BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1000n;
const LATEST_MICROS = BigInt(Date.parse("9999-12-31T23:59:59Z")) * 1000n + 999_999n;

/** The record's form of a time in microseconds since 1970. */
export const formatTimestamp = (epochMicros: bigint): string => {
  if (epochMicros < EARLIEST_MICROS || epochMicros > LATEST_MICROS) {
    refuse(
      `${epochMicros} µs since 1970 is outside the years 1 to 9999`,
      "Give a time within them.",
    );
  }
  // BigInt division rounds towards zero; a time before 1970 needs the second below.
  const fraction = ((epochMicros % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const seconds = Number((epochMicros - fraction) / MICROS_PER_SECOND);
  const toSecond = new Date(seconds * MS_PER_SECOND).toISOString().slice(0, 19);
  return `${toSecond}.${fraction.toString().padStart(FRACTION_DIGITS, "0")}Z`;
};

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/u;

const fractionMicros = (digits: string): bigint => {
  if (/[1-9]/u.test(digits.slice(FRACTION_DIGITS))) {
    refuse(
      `.${digits} is finer than a microsecond`,
      "Round it to six fraction digits yourself; nothing is rounded in silence here.",
    );
  }
  return BigInt(digits.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, "0"));
};

/**
 * The microseconds since 1970 of an RFC 3339 time with any offset and fraction. More than six fraction digits are taken
 * only where the excess ones are zeros. A leap second, a date that does not exist and a time without offset are refused.
 */
export const parseTimestamp = (text: string): bigint => {
  const parts = FORM.exec(text);
  if (parts === null) {
    return refuse(
      `${JSON.stringify(text)} is no RFC 3339 time`,
      "Write it as 2026-02-10T12:43:41.549430Z, with Z or an offset such as +02:00.",
    );
  }
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, , , , , , , fraction = "", sign, offsetHours = "00", offsetMinutes = "00"] = parts;
  if (!isCalendarDate(year, month, day))
    refuse(`${text.slice(0, 10)} is no date`, "Give a date that exists.");
  if (hour > 23 || minute > 59 || second > 59) {
    refuse(
      `${text.slice(11, 19)} is no time of day`,
      "Give 00:00:00 to 23:59:59; a leap second is not taken.",
    );
  }
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) {
    refuse(`${sign}${offsetHours}:${offsetMinutes} is no offset`, "Give at most 23:59.");
  }
  const offsetSeconds =
    (Number(offsetHours) * 60 + Number(offsetMinutes)) *
    SECONDS_PER_MINUTE *
    (sign === "-" ? -1 : 1);
  const localSeconds = Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`) / MS_PER_SECOND;
  const micros =
    BigInt(localSeconds - offsetSeconds) * MICROS_PER_SECOND + fractionMicros(fraction);
  if (micros < EARLIEST_MICROS || micros > LATEST_MICROS) {
    refuse(`${text} is outside the years 1 to 9999 in UTC`, "Give a time within them.");
  }
  return micros;
};

/** The record's form of an RFC 3339 time. Throws `TimestampInvalid` where that would lose or invent anything. */
export const normaliseTimestamp = (text: string): string =>
  isTimestamp(text) ? text : formatTimestamp(parseTimestamp(text));

/** The record's form of this moment, to the clock's millisecond. */
export const timestampNow = (): string => formatTimestamp(BigInt(Date.now()) * 1000n);
