import { type JsonObject, type JsonValue } from "../CanonicalJson.ts";
import { Refusal } from "../Refusal.ts";
import { jsonPath, type JsonPathPart } from "./JsonPath.ts";

/** A text that is no bundle: not JSON, of another format, or with a key that does not belong or is missing. */
export class BundleUnreadable extends Refusal {
  readonly _tag = "BundleUnreadable";

  /** Where in the bundle, as a JSON path. */
  get where(): string {
    return this.path;
  }
}

const REMEDY = "Pass the bundle as it was made; section 6 of the format says what is in it.";

/** A value of a bundle with its place. Every step into it is checked, so that nothing unknown is passed over. */
export class BundleValue {
  readonly value: JsonValue | undefined;
  readonly #path: ReadonlyArray<JsonPathPart>;

  constructor(value: JsonValue | undefined, path: ReadonlyArray<JsonPathPart> = []) {
    this.value = value;
    this.#path = path;
  }

  refuse(what: string): never {
    throw new BundleUnreadable(jsonPath(this.#path), what, REMEDY);
  }

  at(key: JsonPathPart): BundleValue {
    const holder = this.value as Readonly<Record<JsonPathPart, JsonValue>>;
    return new BundleValue(Object.hasOwn(holder, key) ? holder[key] : undefined, [
      ...this.#path,
      key,
    ]);
  }

  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  object(): JsonObject {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.refuse("must be an object");
    return value as JsonObject;
  }

  /** An object's members by key; those in `optional` may be absent, and no other key may be there. */
  members<Key extends string, Optional extends string = never>(
    keys: ReadonlyArray<Key>,
    optional: ReadonlyArray<Optional> = [],
  ): Readonly<Record<Key | Optional, BundleValue>> {
    const object = this.object();
    const known: ReadonlyArray<string> = [...keys, ...optional];
    for (const key of Object.keys(object)) {
      if (!known.includes(key)) this.at(key).refuse("this key does not belong here");
    }
    for (const key of keys) {
      if (!Object.hasOwn(object, key)) this.at(key).refuse("this key is missing");
    }
    const members = known.map((key) => [key, this.at(key)]);
    return Object.fromEntries(members) as Record<Key | Optional, BundleValue>;
  }

  items(): ReadonlyArray<BundleValue> {
    const { value } = this;
    if (!Array.isArray(value)) return this.refuse("must be an array");
    return value.map((_, index) => this.at(index));
  }

  string(): string {
    return typeof this.value === "string" ? this.value : this.refuse("must be a string");
  }

  number(): number {
    return typeof this.value === "number" ? this.value : this.refuse("must be a number");
  }

  oneOf<const Choice extends string>(choices: ReadonlyArray<Choice>): Choice {
    const choice = choices.find((candidate) => candidate === this.value);
    return choice ?? this.refuse(`must be ${choices.join(" or ")}`);
  }
}
