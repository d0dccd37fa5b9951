/** Secrets that text assigns to a name: a URL's parameters, `"password": "…"`, `API_KEY=…`, `Cookie: …`. */
import { isAlphanumeric, isBreak, runEnd } from "./Characters.ts";
import type { NameSense } from "./FieldNames.ts";

/** Names are looked back over for so many characters. */
const NAME_UNITS_MAX = 64;
/** Quotes and white space between a name and its value. */
const GAP_UNITS_MAX = 16;
const MARK = "[redacted]";

type EmitRule = (start: number, end: number, rule: string | null) => void;

/** Whether a character is one of some ASCII ones. */
const oneOf = (characters: string): ((unit: number) => boolean) => {
  const table = new Uint8Array(128);
  for (const each of characters) table[each.charCodeAt(0)] = 1;
  return (unit) => unit < 128 && table[unit] === 1;
};

const isOther = oneOf("_-.%+[]");
const isName = (unit: number): boolean => isAlphanumeric(unit) || isOther(unit);
const isGap = oneOf(" \"'\\");
const isValueCharacter = oneOf(
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/=_~!@#$%^&*.-",
);

/** Percent escapes as the characters that they stand for; what is none stays. */
const decode = (text: string): string =>
  text.includes("%")
    ? text.replaceAll(/%([\dA-F]{2})/giu, (_, hex: string) =>
        String.fromCharCode(Number(`0x${hex}`)),
      )
    : text;

/** What a value must hold for a secret to be in it once it is decoded. */
const ESCAPED_SIGN = /%3D|%3A|%40|%20/iu;

/** `changes` says whether a value, decoded, holds a secret itself. */
export const findAssignments = (
  text: string,
  senseOf: (name: string) => NameSense,
  changes: (value: string) => boolean,
  emit: EmitRule,
): void => {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== 61 && unit !== 58) continue;
    const sign = text[at];
    let name_end = at;
    while (name_end > 0 && at - name_end < GAP_UNITS_MAX && isGap(text.charCodeAt(name_end - 1)))
      name_end -= 1;
    let start = name_end;
    while (start > 0 && name_end - start < NAME_UNITS_MAX && isName(text.charCodeAt(start - 1)))
      start -= 1;
    if (start === name_end) continue;
    const isQuoted = name_end < at && /["']/u.test(text.slice(name_end, at));
    const before = start === 0 ? "" : text[start - 1]!;
    const sense = senseOf(decode(text.slice(start, name_end)));
    if (sign === "=" && name_end === at && (before === "" || "?&#;".includes(before))) {
      const isSecret = before === ";" ? sense.rule !== null : sense.isParameter;
      if (isSecret) {
        const end = runEnd(
          text,
          at + 1,
          (unit) => !isBreak(unit) && !"&;#".includes(String.fromCharCode(unit)),
        );
        if (end > at + 1) emit(at + 1, end, null);
        at = Math.max(at, end - 1);
        continue;
      }
      const end = runEnd(
        text,
        at + 1,
        (unit) => !isBreak(unit) && !"&;#?".includes(String.fromCharCode(unit)),
      );
      const value = text.slice(at + 1, end);
      if (ESCAPED_SIGN.test(value) && changes(decode(value))) {
        emit(at + 1, end, null);
        at = end - 1;
      }
      continue;
    }
    if (sense.rule === null) continue;
    const end = assigned(text, at + 1, isQuoted, sense.rule, emit);
    at = Math.max(at, end - 1);
  }
};

const QUOTE = /^(?: |\\[nt]){0,8}(\\{0,15}["'])/u;

/** Masks the value that begins at `from`; answers where it ends. */
const assigned = (
  text: string,
  from: number,
  isQuoted: boolean,
  rule: string,
  emit: EmitRule,
): number => {
  if (rule === "field-cookie" || rule === "field-authorization") {
    const end = runEnd(
      text,
      from,
      (unit) => unit !== 10 && unit !== 13 && unit !== 34 && unit !== 39,
    );
    const start = runEnd(text, from, (unit) => unit === 32);
    if (!isQuoted) {
      // A header's line; a word or two of prose are none.
      if (/\d|=|[A-Z].*[A-Z]/u.test(text.slice(start, Math.min(end, start + 512))))
        emit(start, end, rule);
      return end;
    }
  }
  const quote = QUOTE.exec(text.slice(from, from + 2 * GAP_UNITS_MAX));
  if (quote !== null) {
    const start = from + quote[0].length;
    const closing = text.indexOf(quote[1]!, start);
    const end = closing === -1 ? text.length : closing;
    const value = text.slice(start, Math.min(end, start + 256));
    if (value !== "" && value !== MARK && (isQuoted || (value.length >= 6 && /\d/u.test(value))))
      emit(start, end, rule);
    return end;
  }
  const start = runEnd(text, from, (unit) => unit === 32);
  if (start - from > 2) return start;
  const end = runEnd(text, start, isValueCharacter);
  const value = text.slice(start, end);
  const isValue = isQuoted
    ? /^\d/u.test(value)
    : value.length >= 6 && /\d/u.test(value) && !"([".includes(text[end] ?? ".");
  if (isValue) emit(start, end, rule);
  return end;
};
