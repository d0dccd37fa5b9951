/** Credentials that are known by how they begin. No stretch of text is run over more than a few times. */
import {
  isAlphanumeric,
  isBase64url,
  isDigit,
  isLetter,
  isTokenStart,
  isUpper,
  runEnd,
} from "./Characters.ts";
import type { RedactionRule, TokenCharacters } from "../../RedactionRules.ts";
import type { Emit } from "./Span.ts";

const CHARACTERS: Record<TokenCharacters, (unit: number) => boolean> = {
  upper: (unit) => isDigit(unit) || isUpper(unit),
  alphanumeric: isAlphanumeric,
  hyphen: (unit) => isAlphanumeric(unit) || unit === 45,
  base64url: isBase64url,
  dotted: (unit) => isBase64url(unit) || unit === 46 || unit === 47,
};

type PrefixRule = Extract<RedactionRule, { readonly kind: "prefix" }>;

/** Finds what begins with a prefix of the rules; null where they have none. */
export const tokenFinder = (rules: ReadonlyArray<PrefixRule>) => {
  const byPrefix = new Map(
    rules.flatMap((rule) => rule.prefixes.map((prefix) => [prefix, rule] as const)),
  );
  if (byPrefix.size === 0) return null;
  // The longest first: `sk-ant-` before `sk-`.
  const prefixes = [...byPrefix.keys()].toSorted((a, b) => b.length - a.length);
  const source = prefixes
    .map((each) =>
      each.replaceAll(/[^A-Za-z0-9_]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`),
    )
    .join("|");
  const find = (text: string, emit: (start: number, end: number, rule: string) => void): void => {
    const pattern = new RegExp(source, "gu");
    for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
      const rule = byPrefix.get(found[0])!;
      if (!isTokenStart(text, found.index)) continue;
      const from = pattern.lastIndex;
      const end = runEnd(text, from, CHARACTERS[rule.characters]);
      if (end - from < rule.length_min) continue;
      emit(found.index, end, rule.id);
      pattern.lastIndex = end;
    }
  };
  return { source, find };
};

/** A part of a JWT of fewer characters is no header and no payload. */
const JWT_PART_MIN = 10;

export const findJwts = (text: string, emit: Emit): void => {
  for (let at = text.indexOf("eyJ"); at !== -1; at = text.indexOf("eyJ", at)) {
    if (!isTokenStart(text, at) || text[at - 1] === "-") {
      at += 3;
      continue;
    }
    const header = runEnd(text, at, isBase64url);
    const payload = text[header] === "." ? runEnd(text, header + 1, isBase64url) : header;
    if (header - at < JWT_PART_MIN || payload - header <= JWT_PART_MIN || text[payload] !== ".") {
      at = header;
      continue;
    }
    const end = runEnd(text, payload + 1, (unit) => isBase64url(unit) || unit === 46);
    emit(at, end);
    at = end;
  }
};

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const LABEL_MAX = 64;

/** Private keys and encrypted messages. Certificates and public keys are for everyone. One with no end goes on to the text's. */
export const findPems = (text: string, emit: Emit): void => {
  for (let at = text.indexOf(BEGIN); at !== -1; at = text.indexOf(BEGIN, at)) {
    const from = at + BEGIN.length;
    const label = text.slice(from, from + LABEL_MAX).split("-----", 1)[0]!;
    if (!/PRIVATE|SECRET|MESSAGE|PARAMETERS/u.test(label)) {
      at = from;
      continue;
    }
    const closing = text.indexOf(END, from);
    const tail = closing === -1 ? -1 : text.indexOf("-----", closing + END.length);
    const end = tail === -1 ? text.length : tail + 5;
    emit(at, end);
    at = end;
  }
};

const SCHEME = /(?:bearer|basic)(?:[ \t]|%20|\+){1,4}/giu;
const isCredential = (unit: number): boolean =>
  isBase64url(unit) || unit === 46 || unit === 126 || unit === 43 || unit === 47 || unit === 61;

/** `Bearer …` and `Basic …` where a credential follows and not a word. */
export const findBearers = (text: string, emit: Emit): void => {
  const pattern = new RegExp(SCHEME);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const from = pattern.lastIndex;
    const end = runEnd(text, from, isCredential);
    if (!isTokenStart(text, found.index) || !isNoWord(text.slice(from, end))) continue;
    emit(from, end);
    pattern.lastIndex = end;
  }
};

const isNoWord = (text: string): boolean => {
  if (text.length < 8) return false;
  if (/\d/u.test(text)) return !/^v?\d[\d.]*$/iu.test(text);
  return (
    text.length >= 16 &&
    /[a-z]/u.test(text) &&
    /[A-Z]/u.test(text.slice(1)) &&
    isLetter(text.charCodeAt(0))
  );
};
