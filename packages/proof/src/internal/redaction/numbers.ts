/** Payment cards and social security numbers. Each place is looked at a bounded number of times. */
import { isAlphanumeric, isDigit, runEnd } from "./Characters.ts";
import type { Emit } from "./Span.ts";

const DIGITS_MIN = 13;
const DIGITS_MAX = 19;

/** Whether digits are a payment card's: of an issuer's range, of its length, and right by Luhn's check. */
export const isCard = (digits: string): boolean => {
  if (digits.length < DIGITS_MIN || digits.length > DIGITS_MAX) return false;
  if (!isIssued(digits)) return false;
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48;
    sum += at % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
};

const isIssued = (digits: string): boolean => {
  const two = Number(digits.slice(0, 2));
  const three = Number(digits.slice(0, 3));
  const four = Number(digits.slice(0, 4));
  const { length } = digits;
  if (digits[0] === "4") return length === 13 || length === 16 || length === 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return length === 16;
  if (two === 34 || two === 37) return length === 15;
  if (two === 36 || two === 38 || (three >= 300 && three <= 305)) return length === 14;
  if (four >= 3528 && four <= 3589) return length >= 16;
  return (
    (four === 6011 || two === 65 || two === 62 || (three >= 644 && three <= 649)) && length >= 16
  );
};

/** The groups in which cards are printed. */
const GROUPINGS = [
  [4, 4, 4, 4, 3],
  [4, 4, 4, 4],
  [4, 6, 5],
  [4, 6, 4],
] as const;

/** Whether a number stands by itself: not in a word, a decimal, an id with hyphens. */
const standsAlone = (text: string, start: number, end: number): boolean => {
  const before = text.charCodeAt(start - 1);
  const after = text.charCodeAt(end);
  if (isAlphanumeric(before) || isAlphanumeric(after) || before === 95 || after === 95)
    return false;
  if ((before === 46 || before === 45) && isAlphanumeric(text.charCodeAt(start - 2))) return false;
  return !((after === 46 || after === 45) && isAlphanumeric(text.charCodeAt(end + 1)));
};

export const findCards = (text: string, emit: Emit): void => {
  for (let at = 0; at < text.length; at++) {
    if (!isDigit(text.charCodeAt(at))) continue;
    const end = runEnd(text, at, isDigit);
    const card = end - at >= DIGITS_MIN ? end : groupedEnd(text, at, end);
    const isFound =
      card !== 0 &&
      standsAlone(text, at, card) &&
      isCard(text.slice(at, Math.min(card, at + 2 * DIGITS_MAX)).replaceAll(/[ -]/gu, "")) &&
      card - at <= 2 * DIGITS_MAX;
    if (isFound) emit(at, card);
    at = isFound ? card : end;
  }
};

/** Where a card in groups would end, that begins with the digits up to `first_end`; 0 where there is none. */
const groupedEnd = (text: string, start: number, first_end: number): number => {
  const separator = text[first_end];
  if (first_end - start !== 4 || (separator !== " " && separator !== "-")) return 0;
  for (const grouping of GROUPINGS) {
    let at = start;
    const fits = grouping.every((length, index) => {
      if (index > 0 && text[at++] !== separator) return false;
      for (const end = at + length; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false;
      return !isDigit(text.charCodeAt(at));
    });
    if (fits && isCard(text.slice(start, at).replaceAll(separator, ""))) return at;
  }
  return 0;
};

const SSN = /\d{3}-\d{2}-\d{4}/gu;

export const findSsns = (text: string, emit: Emit): void => {
  for (const { 0: found, index } of text.matchAll(SSN)) {
    const [area, group, serial] = found.split("-").map(Number) as [number, number, number];
    const isIssuable = area > 0 && area !== 666 && area < 900 && group > 0 && serial > 0;
    if (isIssuable && standsAlone(text, index, index + found.length))
      emit(index, index + found.length);
  }
};
