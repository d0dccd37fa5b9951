/**
 * Reads JSON text without losing anything: JSON.parse rounds numbers and drops all but the last of duplicate keys in
 * silence, so evidence that comes as text is read by this.
 */
import { DEPTH_MAX, type JsonValue } from "./CanonicalJson.ts";
import { jsonPath, type JsonPathPart } from "./internal/JsonPath.ts";
import { Refusal } from "./Refusal.ts";

/** Largest text, in UTF-16 units: 256 Mi, half of what a JavaScript string can hold. */
export const TEXT_UNITS_MAX = 256 * 1024 * 1024;
/** A bundle nests payloads four levels down, so a text may be deeper than a payload. */
export const TEXT_DEPTH_MAX: number = DEPTH_MAX + 8;

/** What a text may be at most. What is left out has its default. */
export interface TextLimits {
  readonly depth_max?: number;
  readonly units_max?: number;
  /** `canonical` refuses a number or string that RFC 8785 spells in another way; `any` is the default. */
  readonly spelling?: "any" | "canonical";
}

/** A text that is not JSON, or says something that would be lost. */
export class JsonTextError extends Refusal {
  readonly _tag = "JsonTextError";
  /** Where in the text, in UTF-16 units from its start. */
  readonly offset: number;

  constructor(path: string, what: string, remedy: string, offset: number) {
    super(path, `${what} (at offset ${offset})`, remedy);
    this.offset = offset;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** More digits than this can't be needed to write a double: 767 significant ones are the most that one has. */
const NUMBER_UNITS_MAX = 1100;

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

class Reader {
  readonly #text: string;
  readonly #depthMax: number;
  readonly #isSpellingFree: boolean;
  /** Where in the value the reader is, for a refusal to say. */
  readonly #path: Array<JsonPathPart> = [];
  #at = 0;

  constructor(text: string, limits: TextLimits) {
    this.#text = text;
    this.#depthMax = limits.depth_max ?? TEXT_DEPTH_MAX;
    this.#isSpellingFree = limits.spelling !== "canonical";
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
    throw new JsonTextError(jsonPath(this.#path), what, remedy, offset);
  }

  #refuseSyntax(expected: string): never {
    const found =
      this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : "the end of the text";
    return this.#refuse(`expected ${expected}, found ${found}`, "Give valid JSON (RFC 8259).");
  }

  #demandSpelling(token: string, canonical: string): void {
    if (this.#isSpellingFree || token === canonical) return;
    const shown = token.length > 40 ? `${token.slice(0, 40)}…` : token;
    this.#refuse(
      `${shown} is not spelled as it was written`,
      "Use the text as it was written: only white space may differ.",
    );
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

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (literal === undefined) return this.#refuseSyntax("a JSON value");
    const value = Number(literal);
    if (literal.length > NUMBER_UNITS_MAX || !isExact(literal, value)) {
      const shown = literal.length > 40 ? `${literal.slice(0, 40)}…` : literal;
      this.#refuse(
        `the number ${shown} can't be held exactly by a double`,
        "Write it as a string.",
      );
    }
    this.#demandSpelling(literal, String(value));
    this.#at += literal.length;
    return value;
  }

  /** Where the string that starts here ends: past the first quote that an even number of backslashes precedes. */
  #stringEnd(): number {
    for (let quote = this.#at; ;) {
      const from = quote + 1;
      quote = this.#text.indexOf('"', from);
      if (quote === -1)
        return this.#refuse("a string that is not closed", "Give valid JSON (RFC 8259).");
      let backslashes = 0;
      while (quote - backslashes > from && this.#text[quote - 1 - backslashes] === "\\")
        backslashes += 1;
      if (backslashes % 2 === 0) return quote + 1;
    }
  }

  #string(): string {
    const end = this.#stringEnd();
    const token = this.#text.slice(this.#at, end);
    let text: string;
    try {
      text = JSON.parse(token) as string;
    } catch {
      return this.#refuse(
        "a string that is not escaped as JSON asks",
        "Give valid JSON (RFC 8259).",
      );
    }
    if (!text.isWellFormed())
      this.#refuse("a string with a lone surrogate is not valid Unicode", "Use U+FFFD.");
    this.#demandSpelling(token, JSON.stringify(text));
    this.#at = end;
    return text;
  }

  #enter(): void {
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
    throw new JsonTextError(
      "$",
      `the text is longer than ${unitsMax} UTF-16 units`,
      "Split it.",
      unitsMax,
    );
  }
  return new Reader(text, limits).read();
};
