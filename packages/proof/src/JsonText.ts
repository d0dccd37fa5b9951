/**
 * Reads JSON text without losing anything, in one pass. JSON.parse rounds numbers, drops all but the last of duplicate
 * keys in silence, and in Node 24 gives wrong keys where one holds a backslash (nodejs/node#63785), so no evidence and
 * nothing that a person or a wire gave is read by it.
 */
import {
  canonicalize,
  type CanonicalLimits,
  DEPTH_MAX,
  type JsonValue,
  PARSED_LIMITS,
  TEXT_BYTES_MAX,
} from "./CanonicalJson.ts";
import { jsonPath, type JsonPathPart } from "./internal/JsonPath.ts";
import { plainText } from "./internal/plainText.ts";
import { Refusal } from "./Refusal.ts";

/** Largest text, in UTF-16 units: 256 Mi, half of what a JavaScript string can hold. */
export const TEXT_UNITS_MAX = 256 * 1024 * 1024;
/** A bundle nests payloads four levels down, so a text may be deeper than a payload. */
export const TEXT_DEPTH_MAX: number = DEPTH_MAX + 8;

/**
 * Most objects and arrays of a text: twice what the largest payload can hold, and about a gigabyte of memory. A text of
 * nothing but empty ones would take many times its own length.
 */
export const TEXT_CONTAINERS_MAX = 16 * 1024 * 1024;

/** What a text may be at most. What is left out has its default. */
export interface TextLimits {
  readonly depth_max?: number;
  readonly units_max?: number;
  readonly containers_max?: number;
  /**
   * For text of others, which is told and not committed to as it is: an integer beyond ±(2^53-1) is its digits, as a string; any
   * other number the double next to it; a lone surrogate stays.
   */
  readonly keeps_inexact?: boolean;
}

/** A text that is not JSON, or says something that would be lost. */
export class JsonTextError extends Refusal {
  readonly _tag = "JsonTextError";
  /** Where in the text, in UTF-16 units from its start. */
  readonly offset: number;
  /** The line, from 1, and the column in it, in UTF-16 units from 1. */
  readonly line: number;
  readonly column: number;
  /** `what` without the place. */
  readonly reason: string;

  constructor(path: string, what: string, remedy: string, text: string, offset: number) {
    const before = text.slice(0, offset);
    const line = before.split("\n").length;
    const column = offset - before.lastIndexOf("\n");
    super(path, `${what} (line ${line}, column ${column})`, remedy);
    this.reason = what;
    this.offset = offset;
    this.line = line;
    this.column = column;
  }
}

const VALID = "Give valid JSON (RFC 8259).";
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /^-?[0-9]+$/u;
/** More digits than this can't be needed to write a double: 767 significant ones are the most that one has. */
const NUMBER_UNITS_MAX = 1100;
/** So many digits of an integer are always exact, and need no second look. */
const EXACT_DIGITS = 15;

/** The digits and the power of ten that a decimal literal denotes, without sign and with no zero at either end. */
const decimalOf = (literal: string): { readonly digits: string; readonly exponent: number } => {
  const [, whole = "", fraction = "", power = "0"] =
    /^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/u.exec(literal)!;
  const digits = (whole + fraction).replace(/^0+/u, "");
  const trimmed = digits.replace(/0+$/u, "");
  if (trimmed === "") return { digits: "", exponent: 0 };
  return {
    digits: trimmed,
    exponent: Number(power) - fraction.length + (digits.length - trimmed.length),
  };
};

/** Whether a double, printed the shortest way, denotes the same decimal value as the literal it was read from. */
const isExact = (literal: string, value: number): boolean => {
  const printed = String(value);
  if (printed === literal) return true;
  if (!Number.isFinite(value)) return false;
  const [read, meant] = [decimalOf(printed), decimalOf(literal)];
  return read.digits === meant.digits && read.exponent === meant.exponent;
};

/** What an escape of one letter stands for, by the letter's code. */
const ESCAPES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    '"': '"',
    "\\": "\\",
    "/": "/",
    b: "\b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
  }).map(([letter, meaning]) => [letter.charCodeAt(0), meaning]),
);
const HEX = /^[0-9a-fA-F]{4}$/u;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;
const ZERO = 0x30;
const NINE = 0x39;

class Reader {
  readonly #text: string;
  readonly #depthMax: number;
  readonly #keepsInexact: boolean;
  /** How many more objects and arrays it may have. */
  #containersLeft: number;
  /** Where in the value the reader is, for a refusal to say. */
  readonly #path: Array<JsonPathPart> = [];
  #at = 0;

  constructor(text: string, limits: TextLimits) {
    this.#text = text;
    this.#depthMax = limits.depth_max ?? TEXT_DEPTH_MAX;
    this.#keepsInexact = limits.keeps_inexact ?? false;
    this.#containersLeft = limits.containers_max ?? TEXT_CONTAINERS_MAX;
  }

  read(): JsonValue {
    this.#skipSpace();
    const value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length)
      this.#refuse("more text after the value", "Keep one JSON value.");
    return value;
  }

  #refuse(what: string, remedy: string, offset = this.#at): never {
    throw new JsonTextError(jsonPath(this.#path), what, remedy, this.#text, offset);
  }

  #refuseSyntax(expected: string): never {
    const found =
      this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : "the end of the text";
    return this.#refuse(`expected ${expected}, found ${found}`, VALID);
  }

  #skipSpace(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at += 1;
    }
  }

  #value(): JsonValue {
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #word<Value extends JsonValue>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) this.#refuseSyntax("a JSON value");
    this.#at += word.length;
    return value;
  }

  #number(): number | string {
    return this.#shortInteger() ?? this.#decimal();
  }

  /** An integer of a few digits; undefined, with nothing read, for any other number. */
  #shortInteger(): number | undefined {
    let number = 0;
    let at = this.#at;
    for (; at - this.#at <= EXACT_DIGITS; at++) {
      const unit = this.#text.charCodeAt(at);
      if (unit < ZERO || unit > NINE) {
        const length = at - this.#at;
        const goesOn = unit === 0x2e || unit === 0x65 || unit === 0x45;
        const isLedByZero = length > 1 && this.#text.charCodeAt(this.#at) === ZERO;
        if (length === 0 || goesOn || isLedByZero) return undefined;
        this.#at = at;
        return number;
      }
      // The end of the text is NaN, and ends the loop above as well.
      if (Number.isNaN(unit)) break;
      number = number * 10 + (unit - ZERO);
    }
    return undefined;
  }

  #decimal(): number | string {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (literal === undefined) return this.#refuseSyntax("a JSON value");
    const value = Number(literal);
    if (this.#keepsInexact) {
      this.#at += literal.length;
      return INTEGER.test(literal) && !Number.isSafeInteger(value) ? literal : value;
    }
    if (literal.length > NUMBER_UNITS_MAX || !isExact(literal, value)) {
      const shown = literal.length > 40 ? `${literal.slice(0, 40)}…` : literal;
      this.#refuse(
        `the number ${shown} can't be held exactly by a double`,
        "Write it as a string.",
      );
    }
    this.#at += literal.length;
    return value;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    let isPlain = true;
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) break;
      if (unit === BACKSLASH) return this.#escapedString(start, at);
      if (unit >= FIRST_SURROGATE && unit <= LAST_SURROGATE) isPlain = false;
      // NaN, at the end of the text, is not >= either.
      else if (!(unit >= 0x20)) this.#refuseUnit(at);
      at += 1;
    }
    const value = text.slice(start, at);
    if (!isPlain) this.#demandWellFormed(value);
    this.#at = at + 1;
    return value;
  }

  #refuseUnit(at: number): never {
    return at < this.#text.length
      ? this.#refuse("a control character that is not escaped in a string", VALID, at)
      : this.#refuse("a string that is not closed", VALID);
  }

  #demandWellFormed(value: string): void {
    if (!this.#keepsInexact && !value.isWellFormed())
      this.#refuse("a string with a lone surrogate is not valid Unicode", "Use U+FFFD.");
  }

  /** A string that begins at `start` and has its first backslash at `backslash`. */
  #escapedString(start: number, backslash: number): string {
    const text = this.#text;
    let value = text.slice(start, backslash);
    let at = backslash;
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) break;
      if (unit === BACKSLASH) {
        const letter = text.charCodeAt(at + 1);
        const meaning = ESCAPES.get(letter);
        const digits = letter === LETTER_U ? text.slice(at + 2, at + 6) : "";
        if (meaning !== undefined) value += meaning;
        else if (HEX.test(digits)) value += String.fromCharCode(Number.parseInt(digits, 16));
        else this.#refuse("a string that is not escaped as JSON asks", VALID, at);
        at += meaning === undefined ? 6 : 2;
      } else {
        const from = at;
        while (text.charCodeAt(at) >= 0x20 && !isMark(text.charCodeAt(at))) at += 1;
        if (at === from) this.#refuseUnit(at);
        value += text.slice(from, at);
      }
    }
    this.#demandWellFormed(value);
    this.#at = at + 1;
    return value;
  }

  #enter(): void {
    if (this.#containersLeft === 0)
      this.#refuse("more objects and arrays than are read", "Split it.");
    this.#containersLeft -= 1;
    if (this.#path.length >= this.#depthMax) {
      this.#refuse(`nested deeper than ${this.#depthMax} levels`, "Flatten the value.");
    }
    this.#at += 1;
    this.#skipSpace();
  }

  /** Passes a comma and answers true, or passes the closing mark and answers false. */
  #hasMore(closing: "]" | "}"): boolean {
    this.#skipSpace();
    const mark = this.#text[this.#at];
    if (mark !== "," && mark !== closing) this.#refuseSyntax(`',' or '${closing}'`);
    this.#at += 1;
    if (mark === closing) return false;
    this.#skipSpace();
    return true;
  }

  #array(): ReadonlyArray<JsonValue> {
    this.#enter();
    const items: Array<JsonValue> = [];
    if (this.#text[this.#at] === "]") {
      this.#at += 1;
      return items;
    }
    do {
      this.#path.push(items.length);
      items.push(this.#value());
      this.#path.pop();
    } while (this.#hasMore("]"));
    return items;
  }

  #object(): JsonValue {
    this.#enter();
    const object: Record<string, JsonValue> = {};
    if (this.#text[this.#at] === "}") {
      this.#at += 1;
      return object;
    }
    do {
      const start = this.#at;
      if (this.#text[start] !== '"') this.#refuseSyntax("a key in double quotes");
      const key = this.#string();
      this.#path.push(key);
      if (Object.hasOwn(object, key)) {
        this.#refuse(
          "the key is there twice",
          "Keep one of them: readers disagree on which counts.",
          start,
        );
      }
      this.#skipSpace();
      if (this.#text[this.#at] !== ":") this.#refuseSyntax("':'");
      this.#at += 1;
      this.#skipSpace();
      setKey(object, key, this.#value());
      this.#path.pop();
    } while (this.#hasMore("}"));
    return object;
  }
}

/** Whether a unit ends a run of plain text in a string. */
const isMark = (unit: number): boolean => unit === QUOTE || unit === BACKSLASH;

/** Sets any key as an own one; assigning to `__proto__` would set the prototype instead. */
const setKey = (object: Record<string, JsonValue>, key: string, value: JsonValue): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    object[key] = value;
  }
};

/**
 * The value that a JSON text says, with nothing lost on the way. Throws `JsonTextError` for a number whose decimal value
 * a double does not give back, a duplicate key, a lone surrogate, or more depth or length than the limits. 1.10 and 1e2
 * are fine: the double, printed the shortest way, denotes the same value; 0.10000000000000001 and 9007199254740993 are not.
 */
export const parseJson = (text: string, limits: TextLimits = {}): JsonValue => {
  const unitsMax = limits.units_max ?? TEXT_UNITS_MAX;
  if (text.length > unitsMax) {
    const what = `the text is longer than ${unitsMax} UTF-16 units`;
    throw new JsonTextError("$", what, "Split it.", "", 0);
  }
  return new Reader(text, limits).read();
};

/** The value of a text that is the canonical form of itself, or undefined where it is not. */
export const parseCanonical = (
  text: string,
  limits: CanonicalLimits = {},
): JsonValue | undefined => {
  try {
    const value = parseJson(text);
    const { depth_max = DEPTH_MAX, bytes_max = TEXT_BYTES_MAX } = limits;
    // No text of fewer units than a third of the bytes can be over the limit.
    const quick = text.length * 3 <= bytes_max ? plainText(value, depth_max, "keep") : undefined;
    const written = quick ?? canonicalize(value, { ...limits, ...PARSED_LIMITS });
    return written === text ? value : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
};

/**
 * Whether a text that JSON.parse reads is what canonical writing makes of what it read. Then it is the canonical form of
 * that value, however wrong the reading; where it is not, nothing is said.
 */
const isQuicklyCanonical = (
  text: string,
  { depth_max = DEPTH_MAX, bytes_max = TEXT_BYTES_MAX }: CanonicalLimits,
): boolean => {
  if (text.length * 3 > bytes_max || text.length > TEXT_UNITS_MAX) return false;
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- what it misreads is written as another text
    return plainText(JSON.parse(text), depth_max, "keep") === text;
  } catch {
    return false;
  }
};

/** Whether a text is the canonical form of itself: reading and writing it again gives the same text. */
export const isCanonical = (text: string, limits: CanonicalLimits = {}): boolean =>
  isQuicklyCanonical(text, limits) || parseCanonical(text, limits) !== undefined;
