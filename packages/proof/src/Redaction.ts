/**
 * Takes secrets out of what is recorded, before it is hashed. Pure, and linear in the length of its input: what looks back or
 * ahead does so over a bounded stretch, or over one that no other place looks at.
 */
import { parseJson } from "./JsonText.ts";
import type { RedactionRules, TextForm } from "./RedactionRules.ts";
import { findEmails, findUrlPasswords } from "./internal/redaction/addresses.ts";
import { findAssignments } from "./internal/redaction/assignments.ts";
import { nameReader } from "./internal/redaction/FieldNames.ts";
import { findCards, findSsns, isCard } from "./internal/redaction/numbers.ts";
import type { Emit, Span } from "./internal/redaction/Span.ts";
import { findBearers, findJwts, findPems, tokenFinder } from "./internal/redaction/tokens.ts";

/** What stands where a secret was. */
export const REDACTED = "[redacted]";

/** JSON in strings in JSON is looked into so deep; deeper text is still searched as text. */
const NESTING_MAX = 8;

/** How often each rule matched, by its id. */
export type RuleCounts = Map<string, number>;

/** Redacts by one set of rules. */
export interface Redactor {
  /** The id of the rules, for the trace record. */
  readonly id: string;
  /** The text with what the rules know masked; the text itself where that is nothing. */
  readonly text: (text: string, counts?: RuleCounts) => string;
  /** The same for valid JSON text, fields by their names too. Keys that are masked may leave the order of canonical text. */
  readonly json: (text: string, counts?: RuleCounts) => string;
}

const FINDERS: Partial<Record<TextForm, (text: string, emit: Emit) => void>> = {
  email: findEmails,
  card: findCards,
  ssn: findSsns,
  jwt: findJwts,
  pem: findPems,
  bearer: findBearers,
  "url-password": findUrlPasswords,
};

/** What every form but names begins with; numbers as they stand in cards and social security numbers. */
const FORMS = String.raw`@|%40|eyJ|-----BEGIN|[Bb][Ee][Aa][Rr][Ee][Rr]|[Bb][Aa][Ss][Ii][Cc]|\d{3}-\d{2}-\d{4}|\d{13}|\d{4}[ \-]\d{4,6}[ \-]\d|\\u00|:\\`;

/** A name before a sign, in other text than JSON; the colon of a web address is none. */
const ASSIGNMENT = /[\w\]'\\ ](?:=|:(?!\/\/))|(?<!http|https):\/\//u;

interface Frame {
  readonly isArray: boolean;
  readonly isHeaders: boolean;
  key: string | null;
  expectsKey: boolean;
  /** The rule of the name that a `{"name": …, "value": …}` gives. */
  named: string | null;
}

/** Makes a redactor of rules. */
export const makeRedactor = ({ id, rules }: RedactionRules): Redactor => {
  const senseOf = nameReader(rules);
  const tokens = tokenFinder(rules.filter((rule) => rule.kind === "prefix"));
  const forms = rules.filter((rule) => rule.kind === "form");
  const ofForm = (form: TextForm) => forms.find((rule) => rule.form === form)?.id ?? null;
  const [card, parameter, assignment] = [ofForm("card"), ofForm("parameter"), ofForm("assignment")];
  const beginnings = new RegExp(tokens === null ? FORMS : `${tokens.source}|${FORMS}`, "u");

  /** Whether a rule matches, may match, or can't: one pass that most texts end with. */
  const suspicionOf = (text: string): "some" | "perhaps" | "none" => {
    if (beginnings.test(text)) return "some";
    // A list of names and values: what it says of a value is a value itself.
    if (text.includes('"value":') && /"(?:key|name)":/u.test(text)) return "some";
    const hasHeaders = text.includes("eaders");
    for (let at = text.indexOf('":'); at !== -1; at = text.indexOf('":', at + 2)) {
      const start = text.lastIndexOf('"', at - 1);
      const name = text.slice(start + 1, at);
      const sense = senseOf(name.endsWith("\\") ? name.slice(0, -1) : name);
      if (sense.rule !== null || (hasHeaders && sense.isParameter)) return "some";
    }
    return ASSIGNMENT.test(text) ? "perhaps" : "none";
  };

  const isSuspect = (text: string): boolean => {
    const suspicion = suspicionOf(text);
    return suspicion === "some" || (suspicion === "perhaps" && spansOf(text).length > 0);
  };

  const spansOf = (text: string, nesting = 0): ReadonlyArray<Span> => {
    const spans: Array<Span> = [];
    const add = (start: number, end: number, rule: string) => void spans.push({ start, end, rule });
    tokens?.find(text, add);
    for (const { id: rule, form } of forms)
      FINDERS[form]?.(text, (start, end) => add(start, end, rule));
    const changes = (value: string): boolean =>
      nesting >= 3 || spansOf(value, nesting + 1).length > 0;
    findAssignments(text, senseOf, changes, (start, end, rule) => {
      const by = rule === null ? parameter : assignment;
      if (by !== null && text.slice(start, end) !== REDACTED) add(start, end, by);
    });
    spans.sort((a, b) => a.start - b.start || b.end - a.end);
    return spans;
  };

  const masked = (text: string, counts: RuleCounts | undefined): string => {
    let made = "";
    let at = 0;
    for (const { start, end, rule } of spansOf(text)) {
      if (end <= at) continue;
      count(counts, rule);
      made += start >= at ? text.slice(at, start) + REDACTED : "";
      at = end;
    }
    return at === 0 ? text : made + text.slice(at);
  };

  const redactText = (text: string, counts: RuleCounts | undefined, nesting: number): string => {
    if (text.length < 4) return text;
    if (nesting < NESTING_MAX && looksLikeJson(text) && isJson(text)) {
      return isSuspect(text) || text.includes("\\") ? walk(text, counts, nesting + 1) : text;
    }
    return suspicionOf(text) === "none" ? text : masked(text, counts);
  };

  const walk = (text: string, counts: RuleCounts | undefined, nesting: number): string => {
    const frames: Array<Frame> = [];
    let made = "";
    let kept = 0;
    let at = 0;
    const replace = (start: number, end: number, by: string) => {
      made += text.slice(kept, start) + by;
      kept = end;
    };
    const hide = (from: number, rule: string): number => {
      const start = afterSpace(text, from);
      const end = valueEnd(text, start);
      const value = text.slice(start, end);
      if (!/^(?:true|false|null|""|"\[redacted\]"|\[\]|\{\})$/u.test(value)) {
        count(counts, rule);
        replace(start, end, `"${REDACTED}"`);
      }
      return end;
    };
    while (at < text.length) {
      const frame = frames.at(-1);
      const sign = text[at]!;
      if (sign === '"') {
        const end = stringEnd(text, at);
        const said = stringOf(text.slice(at, end));
        const told = redactText(said, counts, nesting);
        if (told !== said) replace(at, end, JSON.stringify(told));
        at = end;
        if (frame?.expectsKey === true) {
          frame.expectsKey = false;
          frame.key = said;
          at = text.indexOf(":", end) + 1;
          const sense = senseOf(said);
          const isSchema =
            frames.at(-2)?.key === "properties" && text[afterSpace(text, at)] === "{";
          const rule =
            sense.rule ??
            (frame.isHeaders && sense.isParameter ? "field-header" : null) ??
            (said === "value" ? frame.named : null);
          if (rule !== null && !isSchema) at = hide(at, rule);
        } else if (frame !== undefined && (frame.key === "name" || frame.key === "key")) {
          frame.named = senseOf(said).rule;
        }
        continue;
      }
      if (sign === "{" || sign === "[") {
        const isHeaders = frame?.key?.toLowerCase().endsWith("headers") ?? false;
        frames.push({
          isArray: sign === "[",
          isHeaders: isHeaders || (sign === "[" && (frame?.isHeaders ?? false)),
          key: null,
          expectsKey: sign === "{",
          named: null,
        });
      } else if (sign === "}" || sign === "]") frames.pop();
      else if (sign === "," && frame !== undefined && !frame.isArray) frame.expectsKey = true;
      else if (sign >= "0" && sign <= "9") {
        const end = numberEnd(text, at);
        if (card !== null && isCard(text.slice(at, end))) {
          count(counts, card);
          replace(at, end, `"${REDACTED}"`);
        }
        at = end;
        continue;
      }
      at += 1;
    }
    return kept === 0 ? text : made + text.slice(kept);
  };

  return {
    id,
    text: (text, counts) => redactText(text, counts, 0),
    json: (text, counts) => (isSuspect(text) ? walk(text, counts, 0) : text),
  };
};

const count = (counts: RuleCounts | undefined, rule: string): void => {
  counts?.set(rule, (counts.get(rule) ?? 0) + 1);
};

const looksLikeJson = (text: string): boolean =>
  /^\s{0,64}[[{"]/u.test(text) && /[\]}"]\s{0,64}$/u.test(text.slice(-65));

const isJson = (text: string): boolean => {
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
};

const stringOf = (literal: string): string =>
  literal.includes("\\") ? (parseJson(literal) as string) : literal.slice(1, -1);

const afterSpace = (text: string, from: number): number => {
  let at = from;
  while (" \t\r\n".includes(text[at] ?? ".")) at += 1;
  return at;
};

/** Where a string literal that begins at `start` ends: after its closing quote. */
const stringEnd = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 92) at += 1;
    else if (unit === 34) return at + 1;
  }
  return text.length;
};

const numberEnd = (text: string, start: number): number => {
  let at = start;
  while ("0123456789+-.eE".includes(text[at] ?? ",")) at += 1;
  return at;
};

const valueEnd = (text: string, start: number): number => {
  let depth = 0;
  for (let at = start; at < text.length;) {
    const sign = text[at]!;
    if (sign === '"') {
      at = stringEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (sign === "{" || sign === "[") depth += 1;
    else if (sign === "}" || sign === "]") {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (sign === "," || " \t\r\n".includes(sign))) return at;
    at += 1;
  }
  return text.length;
};
