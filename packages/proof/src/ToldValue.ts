/**
 * Tells a program's value as JSON, and says what JSON could not say of it (section 2.2). Evidence must not change what a
 * program does once it has acted, so nothing is refused here. Text from outside is never told like this: `parseJson`.
 */
import { types } from "node:util";
import { canonicalize, DEPTH_MAX, type JsonValue, TEXT_BYTES_MAX } from "./CanonicalJson.ts";
import { sha256 } from "./Hash.ts";
import { jsonPath, type JsonPathPart } from "./internal/JsonPath.ts";
import { plainText } from "./internal/plainText.ts";

/** One place that is told in another form than it had. */
export interface Lossy {
  /** A JSON path from the record: `$.outcome_data.note`. */
  readonly path: string;
  /** What was there: `undefined`, `NaN`, `Date`, `Map`, `bytes`, the name of a class, … */
  readonly was: string;
}

/** A value as it is told. */
export interface ToldValue {
  /** The canonical text. */
  readonly text: string;
  readonly lossy: ReadonlyArray<Lossy>;
}

/** Most places that are listed one by one; the rest are counted in a last one. */
export const LOSSY_MAX = 100;
/** Longest name of a class, in UTF-16 units, that is listed. */
const NAME_UNITS_MAX = 100;

/** Stands for what is left out: a member of an object, or null in an array. */
const NOTHING = Symbol("nothing");
type Told = JsonValue | typeof NOTHING;

const nameOf = (instance: object): string => {
  try {
    const name: unknown = (instance.constructor as { readonly name?: unknown } | undefined)?.name;
    return typeof name === "string" && name !== ""
      ? name.toWellFormed().slice(0, NAME_UNITS_MAX).toWellFormed()
      : "object";
  } catch {
    return "object";
  }
};

/** What stands for a part that is cut: its hash and size. */
const cutOf = (text: string): JsonValue => ({
  sha256: sha256(text),
  bytes: Buffer.byteLength(text),
});

const base64Of = (bytes: ArrayBuffer | SharedArrayBuffer | ArrayBufferView): JsonValue => ({
  base64: (ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes)
  ).toString("base64"),
});

class Teller {
  readonly #path: Array<JsonPathPart> = [];
  readonly #ancestors: Array<object> = [];
  readonly lossy: Array<Lossy> = [];
  #omitted = 0;

  constructor(path: ReadonlyArray<JsonPathPart>) {
    this.#path.push(...path);
  }

  note(was: string): void {
    if (this.lossy.length < LOSSY_MAX) this.lossy.push({ path: jsonPath(this.#path), was });
    else this.#omitted += 1;
  }

  /** All notes, with how many more there were. */
  notes(): ReadonlyArray<Lossy> {
    return this.#omitted === 0
      ? this.lossy
      : [...this.lossy, { path: "$", was: `${this.#omitted} more` }];
  }

  #noted(was: string, told: Told): Told {
    this.note(was);
    return told;
  }

  tell(value: unknown): Told {
    switch (typeof value) {
      case "string":
        return value.isWellFormed()
          ? value
          : this.#noted("a string with a lone surrogate", value.toWellFormed());
      case "number":
        return this.#number(value);
      case "boolean":
        return value;
      case "bigint":
        return this.#noted("BigInt", String(value));
      case "undefined":
      case "function":
      case "symbol":
        return this.#noted(typeof value, NOTHING);
      case "object":
        return value === null ? null : this.#container(value);
    }
  }

  #number(value: number): Told {
    if (!Number.isFinite(value)) return this.#noted(String(value), String(value));
    if (Object.is(value, -0)) return this.#noted("-0", 0);
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? this.#noted("an integer beyond 2^53-1", BigInt(value).toString())
      : value;
  }

  #container(container: object): Told {
    const at = this.#ancestors.indexOf(container);
    if (at !== -1) {
      const base = this.#path.length - this.#ancestors.length;
      return this.#noted("a cycle", { cycle: jsonPath(this.#path.slice(0, base + at)) });
    }
    // What stands for a part that is cut is an object itself.
    if (this.#ancestors.length >= DEPTH_MAX - 1) return this.#cut(container);
    this.#ancestors.push(container);
    try {
      return this.#members(container);
    } catch (error) {
      // A getter, a proxy or a toJSON of the program's own that throws.
      return this.#noted(`${nameOf(container)}, which could not be read`, {
        unreadable: error instanceof Error ? nameOf(error) : typeof error,
      });
    } finally {
      this.#ancestors.pop();
    }
  }

  /** What lies deeper than a payload may nest, by its hash. */
  #cut(container: object): Told {
    const below = new Teller([]);
    const told = below.tell(container);
    return this.#noted("nested too deep", cutOf(canonicalize(told === NOTHING ? null : told)));
  }

  #members(container: object): Told {
    if (Array.isArray(container)) {
      if (Object.getPrototypeOf(container) !== Array.prototype) this.note(nameOf(container));
      return this.#array(container);
    }
    const prototype: unknown = Object.getPrototypeOf(container);
    if (prototype === Object.prototype || prototype === null) return this.#object(container);
    return this.#instance(container);
  }

  #array(array: ReadonlyArray<unknown>): JsonValue {
    const items: Array<JsonValue> = [];
    for (let index = 0; index < array.length; index++) {
      const told = this.#member(index, array[index]);
      items.push(told === NOTHING ? null : told);
    }
    return items;
  }

  #object(object: object): JsonValue {
    const members: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
    for (const key of Object.keys(object)) {
      const told = this.#member(key, (object as Readonly<Record<string, unknown>>)[key]);
      const name = key.toWellFormed();
      if (name !== key) this.note("a key with a lone surrogate");
      if (told !== NOTHING) members[name] = told;
    }
    return members;
  }

  #member(key: JsonPathPart, value: unknown): Told {
    this.#path.push(typeof key === "string" ? key.toWellFormed() : key);
    try {
      return this.tell(value);
    } finally {
      this.#path.pop();
    }
  }

  #instance(instance: object): Told {
    if (instance instanceof Date) {
      const isValid = Number.isFinite(instance.getTime());
      return this.#noted("Date", isValid ? instance.toISOString() : "Invalid Date");
    }
    if (types.isAnyArrayBuffer(instance)) return this.#noted("bytes", base64Of(instance));
    if (ArrayBuffer.isView(instance)) return this.#noted("bytes", base64Of(instance));
    if (instance instanceof Map) return this.#noted("Map", this.#array([...instance]));
    if (instance instanceof Set) return this.#noted("Set", this.#array([...instance]));
    if (instance instanceof Error) return this.#error(instance);
    if (types.isBoxedPrimitive(instance)) {
      this.note(nameOf(instance));
      return this.tell((instance as { valueOf(): unknown }).valueOf());
    }
    this.note(nameOf(instance));
    const { toJSON } = instance as { readonly toJSON?: unknown };
    if (typeof toJSON !== "function") return this.#object(instance);
    const json: unknown = toJSON.call(instance, "");
    // One that answers itself would never end.
    return json === instance ? this.#object(instance) : this.tell(json);
  }

  #error(error: Error): Told {
    const { name, message, code } = error as Error & { readonly code?: unknown };
    const told = { name, message, ...(code === undefined ? {} : { code }) };
    return this.#noted(nameOf(error), this.#object(told));
  }
}

/** A told value of which the largest parts are cut until it fits. */
const cutToSize = (value: JsonValue, text: string, note: (key: JsonPathPart | null) => void) => {
  if (typeof value === "object" && value !== null) {
    const isList = Array.isArray(value);
    const parts = Object.entries(value).map(([key, member]) => {
      const partText = canonicalize(member, { bytes_max: Number.MAX_SAFE_INTEGER });
      return {
        key,
        member,
        text: partText,
        bytes: Buffer.byteLength(partText),
      };
    });
    let bytes = Buffer.byteLength(text);
    for (const part of parts.toSorted((a, b) => b.bytes - a.bytes)) {
      if (bytes <= TEXT_BYTES_MAX) break;
      part.member = cutOf(part.text);
      bytes += Buffer.byteLength(canonicalize(part.member)) - part.bytes;
      note(isList ? Number(part.key) : part.key);
    }
    const fitting = isList
      ? parts.map((part) => part.member)
      : Object.fromEntries(parts.map((part) => [part.key, part.member]));
    if (bytes <= TEXT_BYTES_MAX) return canonicalize(fitting);
  }
  note(null);
  return canonicalize(cutOf(text));
};

const quickText = (value: unknown): string | undefined => {
  try {
    return plainText(value, DEPTH_MAX, "refuse");
  } catch {
    // A getter or proxy of the program's that throws, or a nesting without end.
    return undefined;
  }
};

/** Tells a value that stands under a record's key. Undefined is told as null: who has no payload does not tell one. */
export const tellValue = (name: string, value: unknown): ToldValue => {
  const quick = quickText(value);
  if (quick !== undefined && quick.length * 3 <= TEXT_BYTES_MAX) return { text: quick, lossy: [] };
  const teller = new Teller([name]);
  const told = teller.tell(value);
  const plain = told === NOTHING ? null : told;
  const text = canonicalize(plain, { bytes_max: Number.MAX_SAFE_INTEGER });
  if (Buffer.byteLength(text) <= TEXT_BYTES_MAX) return { text, lossy: teller.notes() };
  const cuts: Array<Lossy> = [];
  const fitting = cutToSize(plain, text, (key) => {
    const path = jsonPath(key === null ? [name] : [name, key]);
    if (cuts.length < LOSSY_MAX) cuts.push({ path, was: "too large" });
  });
  return { text: fitting, lossy: [...teller.notes(), ...cuts] };
};
