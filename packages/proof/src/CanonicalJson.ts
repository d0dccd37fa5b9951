/**
 * Canonical bytes (RFC 8785, JCS) behind a guard that refuses whatever JSON would drop, round or rewrite in silence.
 */
import { types } from "node:util";
import { jsonPath, type JsonPathPart } from "./internal/JsonPath.ts";
import { Refusal } from "./Refusal.ts";

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | ReadonlyArray<JsonValue> | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Deepest nesting of one payload or record: a scalar has depth 0, `[]` depth 1. */
export const DEPTH_MAX = 128;
/** Largest canonical text of one payload or record, in UTF-8 bytes: 16 MiB. */
export const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** What a value may be at most. What is left out has its default. */
export interface CanonicalLimits {
  readonly depth_max?: number;
  readonly bytes_max?: number;
  /**
   * What to do with an integer beyond ±(2^53-1). `refuse`, the default, is for values made by a program: the double may
   * already be a rounded one. `keep` is for values that a strict reading of JSON text made, which showed that the double
   * holds exactly what the text says, such as 1e20.
   */
  readonly large_integers?: "refuse" | "keep";
}

/** The limits for a value that `parseJson` read, or that is read again from canonical text. */
export const PARSED_LIMITS: CanonicalLimits = { large_integers: "keep" };

/** A value that has no canonical form that says the same. */
export class CanonicalJsonError extends Refusal {
  readonly _tag = "CanonicalJsonError";
}

class Writer {
  readonly #depthMax: number;
  readonly #bytesMax: number;
  readonly #keepsLargeIntegers: boolean;
  /** The containers around the value in hand, and the keys that lead to it. */
  readonly #ancestors: Array<object> = [];
  readonly #path: Array<JsonPathPart> = [];
  /** Where in the text the value of each part of the path begins. */
  readonly #starts: Array<number> = [];
  #text = "";

  constructor(limits: CanonicalLimits) {
    this.#depthMax = limits.depth_max ?? DEPTH_MAX;
    this.#bytesMax = limits.bytes_max ?? TEXT_BYTES_MAX;
    this.#keepsLargeIntegers = limits.large_integers === "keep";
  }

  write(value: unknown): string {
    this.#value(value);
    if (this.#text.length * 3 > this.#bytesMax && Buffer.byteLength(this.#text) > this.#bytesMax)
      this.#refuseSize();
    return this.#text;
  }

  #refuse(what: string, remedy: string): never {
    throw new CanonicalJsonError(jsonPath(this.#path), what, remedy);
  }

  /** Names the innermost part that is too large by itself, or the whole: not the part at which it was seen. */
  #refuseSize(): never {
    const end = this.#text.length;
    this.#path.length = 1 + this.#starts.findLastIndex((start) => end - start > this.#bytesMax);
    return this.#refuse(
      `the canonical text is over ${this.#bytesMax} bytes`,
      "Store a large value elsewhere and record its hash.",
    );
  }

  #value(value: unknown): void {
    if (this.#text.length > this.#bytesMax) this.#refuseSize();
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return this.#number(value);
      case "boolean":
        this.#text += value ? "true" : "false";
        return;
      case "undefined":
        return this.#refuse("undefined would be dropped", "Use null, or leave the key out.");
      case "bigint":
        return this.#refuse("a BigInt is no JSON number", "Use a string.");
      case "function":
      case "symbol":
        return this.#refuse(`a ${typeof value} is no JSON value`, "Leave it out.");
      case "object":
        if (value === null) this.#text += "null";
        else this.#container(value);
    }
  }

  #string(text: string): void {
    if (!text.isWellFormed()) {
      this.#refuse(
        "a string with a lone surrogate is not valid Unicode",
        "Replace it, for instance with toWellFormed().",
      );
    }
    // JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 asks for, in the same spelling.
    this.#text += JSON.stringify(text);
    // UTF-8 takes at least as many bytes as UTF-16 takes units, so this is never too early.
    if (this.#text.length > this.#bytesMax) this.#refuseSize();
  }

  #number(number: number): void {
    if (!Number.isFinite(number))
      this.#refuse(`${String(number)} is no JSON number`, "Use null or a string.");
    if (!this.#keepsLargeIntegers && Number.isInteger(number) && !Number.isSafeInteger(number)) {
      this.#refuse(
        `the integer ${number} is beyond ±(2^53-1) and may have been rounded`,
        "Use a string.",
      );
    }
    // The ES shortest form is RFC 8785's number form; String(-0) is "0", as it asks.
    this.#text += String(number);
  }

  #container(container: object): void {
    if (types.isProxy(container))
      this.#refuse("a proxy may answer differently each time", "Copy it into a plain value.");
    if (this.#ancestors.includes(container))
      this.#refuse("the value contains itself", "Break the cycle.");
    if (this.#ancestors.length >= this.#depthMax) {
      this.#refuse(`nested deeper than ${this.#depthMax} levels`, "Flatten the value.");
    }
    this.#ancestors.push(container);
    if (Array.isArray(container)) this.#array(container);
    else this.#object(container);
    this.#ancestors.pop();
  }

  #member(holder: object, key: JsonPathPart): void {
    this.#path.push(key);
    const property = Object.getOwnPropertyDescriptor(holder, key);
    if (property === undefined)
      return this.#refuse("an array with holes", "Put null where nothing is.");
    if (property.get !== undefined || property.set !== undefined) {
      this.#refuse("a getter may answer differently each time", "Put the value in its place.");
    }
    if (property.enumerable !== true) {
      this.#refuse("a property that is not enumerable would be dropped", "Make it enumerable.");
    }
    this.#starts.push(this.#text.length);
    this.#value(property.value);
    this.#starts.pop();
    this.#path.pop();
  }

  #array(array: ReadonlyArray<unknown>): void {
    if (Object.getPrototypeOf(array) !== Array.prototype)
      this.#refuse("not a plain array", "Copy it into one.");
    this.#text += "[";
    for (let index = 0; index < array.length; index++) {
      if (index > 0) this.#text += ",";
      this.#member(array, index);
    }
    this.#text += "]";
    // Every index was there, so what is left beside them is `length` and whatever was put on the array.
    if (Reflect.ownKeys(array).length !== array.length + 1) {
      this.#refuse(
        "an array with a property beside its items, which would be dropped",
        "Use an object.",
      );
    }
  }

  #object(object: object): void {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) {
      const what = object instanceof Date ? "a Date" : "not a plain object";
      this.#refuse(
        `${what}, so parts of it would be lost`,
        "Turn it into plain JSON first; a time into a string.",
      );
    }
    const keys = Reflect.ownKeys(object);
    if (keys.some((key) => typeof key === "symbol")) {
      this.#refuse("a key that is a symbol would be dropped", "Use a string as key.");
    }
    // The default sort compares UTF-16 code units, which is RFC 8785's order.
    const sorted = (keys as Array<string>).sort();
    this.#text += "{";
    for (let at = 0; at < sorted.length; at++) {
      if (at > 0) this.#text += ",";
      this.#string(sorted[at]!);
      this.#text += ":";
      this.#member(object, sorted[at]!);
    }
    this.#text += "}";
  }
}

/**
 * The canonical text of a value, RFC 8785. Throws `CanonicalJsonError` for a value that JSON can't say exactly:
 * undefined, NaN, an infinity, a BigInt, an integer beyond ±(2^53-1), a lone surrogate, a Date or another class instance,
 * a function, a symbol, a getter, a proxy, an array with holes, a cycle, or more depth or bytes than the limits.
 */
export const canonicalize = (value: unknown, limits: CanonicalLimits = {}): string =>
  new Writer(limits).write(value);
