/**
 * Canonical bytes (RFC 8785, JCS) behind a guard that refuses whatever JSON would drop, round or rewrite in silence.
 */
import { types } from "node:util";
import { pathOf } from "./internal/JsonPath.ts";
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

interface Writer {
  readonly depthMax: number;
  readonly bytesMax: number;
  readonly keepsLargeIntegers: boolean;
  readonly ancestors: Set<object>;
  text: string;
}

const refuse = (path: string, what: string, remedy: string): never => {
  throw new CanonicalJsonError(path, what, remedy);
};

const writeString = (writer: Writer, text: string, path: string): void => {
  if (!text.isWellFormed()) {
    refuse(
      path,
      "a string with a lone surrogate is not valid Unicode",
      "Replace it, for instance with toWellFormed().",
    );
  }
  // JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 asks for, in the same spelling.
  writer.text += JSON.stringify(text);
};

const writeNumber = (writer: Writer, number: number, path: string): void => {
  if (!Number.isFinite(number)) {
    refuse(path, `${String(number)} is no JSON number`, "Use null or a string.");
  }
  if (!writer.keepsLargeIntegers && Number.isInteger(number) && !Number.isSafeInteger(number)) {
    refuse(path, `the integer ${number} is beyond ±(2^53-1) and may have been rounded`, "Use a string.");
  }
  // The ES shortest form is RFC 8785's number form; String(-0) is "0", as it asks.
  writer.text += String(number);
};

const ownValue = (holder: object, key: string, path: string): unknown => {
  const property = Object.getOwnPropertyDescriptor(holder, key)!;
  if (!("value" in property)) refuse(path, "a getter may answer differently each time", "Put the value in its place.");
  if (property.enumerable !== true) refuse(path, "a non-enumerable property would be dropped", "Make it enumerable.");
  return property.value;
};

const writeArray = (writer: Writer, array: ReadonlyArray<unknown>, path: string, depth: number): void => {
  if (Object.getPrototypeOf(array) !== Array.prototype) refuse(path, "not a plain array", "Copy it into one.");
  // The keys of an array are its indexes in order, then `length`, then whatever was put on it beside.
  const keys = Reflect.ownKeys(array);
  if (keys.length < array.length + 1) refuse(path, "an array with holes", "Put null where nothing is.");
  if (keys.length > array.length + 1) {
    refuse(path, `an array with the property ${String(keys.at(-1))} beside its items`, "Use an object.");
  }
  writer.text += "[";
  for (let index = 0; index < array.length; index++) {
    const itemPath = pathOf(path, index);
    if (keys[index] !== String(index)) refuse(itemPath, "an array with holes", "Put null where nothing is.");
    if (index > 0) writer.text += ",";
    writeValue(writer, ownValue(array, String(index), itemPath), itemPath, depth);
  }
  writer.text += "]";
};

const writeObject = (writer: Writer, object: object, path: string, depth: number): void => {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    const what = object instanceof Date ? "a Date" : "not a plain object";
    refuse(path, `${what}, so parts of it would be lost`, "Turn it into plain JSON first; a time into a string.");
  }
  const keys = Reflect.ownKeys(object);
  const symbol = keys.find((key) => typeof key === "symbol");
  if (symbol !== undefined) refuse(path, `the key ${String(symbol)} is a symbol`, "Use a string as key.");
  // The default sort compares UTF-16 code units, which is RFC 8785's order.
  const sorted = (keys as Array<string>).sort();
  writer.text += "{";
  let isFirst = true;
  for (const key of sorted) {
    const valuePath = pathOf(path, key);
    if (!isFirst) writer.text += ",";
    isFirst = false;
    writeString(writer, key, valuePath);
    writer.text += ":";
    writeValue(writer, ownValue(object, key, valuePath), valuePath, depth);
  }
  writer.text += "}";
};

const writeValue = (writer: Writer, value: unknown, path: string, depth: number): void => {
  // UTF-8 takes at least as many bytes as UTF-16 takes units, so this is never too early.
  if (writer.text.length > writer.bytesMax) refuseSize(path, writer.bytesMax);
  switch (typeof value) {
    case "string":
      return writeString(writer, value, path);
    case "number":
      return writeNumber(writer, value, path);
    case "boolean":
      writer.text += value ? "true" : "false";
      return;
    case "undefined":
      return refuse(path, "undefined would be dropped", "Use null, or leave the key out.");
    case "bigint":
      return refuse(path, "a BigInt is no JSON number", "Use a string.");
    case "function":
    case "symbol":
      return refuse(path, `a ${typeof value} is no JSON value`, "Leave it out.");
    case "object":
      break;
  }
  if (value === null) {
    writer.text += "null";
    return;
  }
  const container: object = value as object;
  if (types.isProxy(container)) refuse(path, "a proxy may answer differently each time", "Copy it into a plain value.");
  if (writer.ancestors.has(container)) refuse(path, "the value contains itself", "Break the cycle.");
  if (depth >= writer.depthMax) refuse(path, `nested deeper than ${writer.depthMax} levels`, "Flatten the value.");
  writer.ancestors.add(container);
  if (Array.isArray(container)) writeArray(writer, container, path, depth + 1);
  else writeObject(writer, container, path, depth + 1);
  writer.ancestors.delete(container);
};

const refuseSize = (path: string, bytesMax: number): never =>
  refuse(path, `the canonical text is over ${bytesMax} bytes`, "Store a large value elsewhere and record its hash.");

/**
 * The canonical text of a value, RFC 8785. Throws `CanonicalJsonError` for a value that JSON can't say exactly:
 * undefined, NaN, an infinity, a BigInt, an integer beyond ±(2^53-1), a lone surrogate, a Date or another class instance,
 * a function, a symbol, a getter, a proxy, an array with holes, a cycle, or more depth or bytes than the limits.
 */
export const canonicalize = (value: unknown, limits: CanonicalLimits = {}): string => {
  const writer: Writer = {
    depthMax: limits.depth_max ?? DEPTH_MAX,
    bytesMax: limits.bytes_max ?? TEXT_BYTES_MAX,
    keepsLargeIntegers: limits.large_integers === "keep",
    ancestors: new Set(),
    text: "",
  };
  writeValue(writer, value, "$", 0);
  if (writer.text.length * 3 > writer.bytesMax && Buffer.byteLength(writer.text) > writer.bytesMax) {
    refuseSize("$", writer.bytesMax);
  }
  return writer.text;
};

/** The value of a text that is the canonical form of itself, or undefined where it is not. */
export const parseCanonical = (text: string, limits: CanonicalLimits = {}): JsonValue | undefined => {
  try {
    const value = JSON.parse(text) as JsonValue;
    return canonicalize(value, { ...limits, ...PARSED_LIMITS }) === text ? value : undefined;
  } catch {
    return undefined;
  }
};

/** Whether a text is the canonical form of itself: reading and writing it again gives the same text. */
export const isCanonical = (text: string, limits: CanonicalLimits = {}): boolean =>
  parseCanonical(text, limits) !== undefined;
